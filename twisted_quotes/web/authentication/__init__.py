"""
Authentication of clients, where it is required.

Read L{authenticator<twisted_quotes.web.authentication.authenticator>} first.
"""
