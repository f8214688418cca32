"""
Building packs: for all requests that need one, in a thread or in a process.

Read L{builds<twisted_quotes.library.packs.building.builds>} first.
"""
