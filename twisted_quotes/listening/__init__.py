"""
Listening sockets: opened, taken over from systemd, closed without loss.

Read L{sockets<twisted_quotes.listening.sockets>} first.
"""
