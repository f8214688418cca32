"""Several processes that share the listening sockets, and what looks after them."""
