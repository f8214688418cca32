"""
Reading quotes, as people read them, from the bytes of a file (contract, section 3).

Read L{formats<twisted_quotes.quotes.formats>} first: how a file is split into quotes,
and their bytes become text. Only L{strfile<twisted_quotes.quotes.strfile>} reads files.
"""
