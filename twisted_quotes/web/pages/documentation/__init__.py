"""
The documentation of the API for people, made from the descriptions of the operations.

Read L{documentation<twisted_quotes.web.pages.documentation.documentation>} first.
"""
