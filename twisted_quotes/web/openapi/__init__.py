"""
The description of the HTTP API, and the OpenAPI document that is made from it.

C{web.api} describes each operation; C{web.pages} shows the descriptions to people. Read
L{operation<twisted_quotes.web.openapi.operation>} first.
"""
