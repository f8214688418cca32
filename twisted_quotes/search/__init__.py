"""
The use cases: a query goes in, and results come out.

It is the only package that imports both the library and grep. Read
L{finder<twisted_quotes.search.finder>} first.
"""
