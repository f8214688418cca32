"""
The start of the service, and its shutdown without a lost request.

Read L{graceful_shutdown<twisted_quotes.service.graceful_shutdown>} first.
"""
