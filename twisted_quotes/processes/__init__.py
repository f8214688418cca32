"""
Child processes under a reactor: start, collect, cancel, limit, end.

It knows nothing of grep. Read L{process<twisted_quotes.processes.process>} first.
"""
