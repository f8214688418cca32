"""
What the library holds: quotes by their ids, authors, dictionaries and words.

Read L{quotes<twisted_quotes.search.lookups.quotes>} first.
"""
