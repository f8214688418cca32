"""
Listening sockets: opened, inherited from systemd, closed without loss.

Start with L{sockets<twisted_quotes.listening.sockets>}.
"""
