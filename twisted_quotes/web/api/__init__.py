"""
The routes and the bodies of their responses.

Read L{routes<twisted_quotes.web.api.routes>} first: it has all URLs in one table.
"""
