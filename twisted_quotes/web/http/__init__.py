"""
What HTTP means: headers, URLs, clients, and responses.

Read L{responses<twisted_quotes.web.http.responses>} first: it makes each error an
answer.
"""
