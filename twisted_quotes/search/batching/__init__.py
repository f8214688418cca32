"""
One grep for several searches that wait, and greps that start before the next search.

Read L{search_batcher<twisted_quotes.search.batching.search_batcher>} first.
"""
