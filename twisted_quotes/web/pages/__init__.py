"""
HTML pages for people.

Read L{pages<twisted_quotes.web.pages.pages>} first.
"""
