"""
The library: from the name of a dictionary to a safely opened file and its index.

It runs no grep. Read L{library<twisted_quotes.library.library>} first, then
L{index_provider<twisted_quotes.library.index_provider>}: it takes an index from
L{index_cache<twisted_quotes.library.index_cache>}, or has
L{index_builder<twisted_quotes.library.index_builder>} write it in a thread or in an
L{index_process<twisted_quotes.library.index_process>}.
L{index_format<twisted_quotes.library.index_format>} describes its files.
"""
