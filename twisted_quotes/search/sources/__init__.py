"""
What searches read: dictionaries, and the packs that have them.

Read L{searchable_library<twisted_quotes.search.sources.searchable_library>} first.
"""
