"""
Limits, queues and waiting, for whatever runs under a reactor.

It imports only the errors. Read L{limiter<twisted_quotes.concurrency.limiter>} first:
it decides which search runs next, and refuses those that are too many.
"""
