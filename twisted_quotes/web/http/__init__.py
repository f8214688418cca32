"""
HTTP semantics: headers, URLs, client keys and responses.

Read L{responses<twisted_quotes.web.http.responses>} first: it turns each error into a
response.
"""
