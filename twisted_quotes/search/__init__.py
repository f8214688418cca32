"""
The use cases: a query goes in, and results come out.

Apart from the composition of the service, only this package imports both the library
and grep. Read
L{finder<twisted_quotes.search.finder>} first.
"""
