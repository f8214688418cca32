"""
The URLs of Quotable, a public service that is gone, for its clients (C{--quotable}).

Read L{resource<twisted_quotes.web.api.quotable.resource>} first.
"""
