"""
The routes, and the bodies that they answer with.

Read L{routes<twisted_quotes.web.api.routes>} first: it has every URL in one table.
"""
