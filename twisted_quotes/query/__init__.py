"""
What clients can ask for: queries, and how they are read, checked and refused.

It imports only the errors. Read L{queries<twisted_quotes.query.queries>} first.
"""
