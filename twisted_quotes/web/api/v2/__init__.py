"""
API v2: quotes as data.

Read L{quotes<twisted_quotes.web.api.v2.quotes>} first.
"""
