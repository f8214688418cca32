"""
HTML pages for people.

Read L{rendering<twisted_quotes.web.pages.rendering>} first.
"""
