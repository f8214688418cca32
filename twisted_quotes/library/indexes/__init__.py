"""
The indexes of dictionaries: building, storing and loading them.

Read L{provider<twisted_quotes.library.indexes.provider>} first: it takes an index from
L{cache<twisted_quotes.library.indexes.cache>}, or has
L{builder<twisted_quotes.library.indexes.builder>} write it in a thread or in a
L{process<twisted_quotes.library.indexes.process>}.
L{format<twisted_quotes.library.indexes.format>} describes its files.
"""
