"""
Everything about grep: its arguments, its output, and how it runs within limits.

Only the search uses this package, and the composition of the service. Read
L{arguments<twisted_quotes.grep.arguments>} and L{runner<twisted_quotes.grep.runner>}
first.
"""
