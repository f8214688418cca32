"""
The library: from the name of a dictionary to a safely opened file, and its index.

It runs no grep. Read L{library<twisted_quotes.library.library>} first, then the package
L{packs<twisted_quotes.library.packs>}.
"""
