"""
Queries: their fields, how they are parsed, and what they are refused for.

It imports L{twisted_quotes.errors} and L{twisted_quotes.text}. Read
L{queries<twisted_quotes.query.queries>} first.
"""
