"""
Limits, queues and waiting for code that runs under a reactor.

Start with L{limiter<twisted_quotes.concurrency.limiter>}, which decides which search
runs next. Of the other packages and modules, it imports only
L{errors<twisted_quotes.errors>}.
"""
