"""
Connections: limits, timeouts, malformed requests, back-pressure and the access log.

The package knows nothing about quotes. Read L{site<twisted_quotes.web.server.site>}
first.
"""
