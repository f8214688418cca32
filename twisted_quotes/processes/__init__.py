"""
Child processes under a reactor: start, collect output, cancel, limit, end.

Start with L{process<twisted_quotes.processes.process>}, which runs any executable.
"""
