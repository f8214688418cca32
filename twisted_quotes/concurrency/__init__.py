"""
Limits, queues and waiting for code that runs under a reactor.

Start with L{limiter<twisted_quotes.concurrency.limiter>}, which decides which search
runs next. Of the rest of the package, only the errors are imported.
"""
