"""
Several processes that serve on the same listening sockets.

Read L{supervisor<twisted_quotes.workers.supervisor>} first.
"""
