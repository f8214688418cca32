"""
The library: from the name of a dictionary to a safe open file and its index.

It runs no grep. Read L{library<twisted_quotes.library.library>} first.
"""
