"""
Connections: timeouts, bad requests, back-pressure, and the access log.

It knows nothing of quotes. Read L{site<twisted_quotes.web.server.site>} first.
"""
