"""
Limits that all connections share.

Read L{connections<twisted_quotes.web.limits.connections>} first.
"""
