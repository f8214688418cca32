"""
Functions on text without I/O: lines, quotes, normalization for search.

Every package may import it. Read L{quotes<twisted_quotes.text.quotes>} first.
"""
