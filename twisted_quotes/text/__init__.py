"""
Functions on text without I/O: lines, normalization for search, display.

Every package may import it. Read L{lines<twisted_quotes.text.lines>} first.
"""
