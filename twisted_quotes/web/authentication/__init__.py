"""
Who may ask, where not everyone may.

Read L{authenticator<twisted_quotes.web.authentication.authenticator>} first.
"""
