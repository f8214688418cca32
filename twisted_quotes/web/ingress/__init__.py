"""
How requests reach the service: through proxies, below a path, from other origins.

Read L{request<twisted_quotes.web.ingress.request>} first: it has what a request learns
from all of these.
"""
