"""
The peers: other servers that run grep for each request.
"""
