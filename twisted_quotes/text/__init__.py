"""
Pure text, with no input or output: lines, quotes, and text as it is searched.

Everything may import it. Read L{quotes<twisted_quotes.text.quotes>} first.
"""
