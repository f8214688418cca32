"""
Connections that are held open and do nothing.

C{python -m bench.idle PORT COUNT} opens them, has one small answer on each, prints
C{ready}, waits until its input ends, and prints how many are still open.
"""

from __future__ import annotations

import select
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from .children import child, last_line, module, output_of
from .errors import RunFailed

_REQUEST = b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
_READY = "ready"


@contextmanager
def idle_connections(port: int, count: int) -> Iterator[None]:
    """
    Have so many idle connections to a server on 127.0.0.1.

    @raise RunFailed: they could not be opened, or were not held to the end.
    """
    if not count:
        yield
        return
    with child(module("idle", port, count)) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        if said.strip() != _READY:
            said = last_line(said + output_of(process))
            raise RunFailed(f"no idle connections: {said}")
        yield
        held = last_line(output_of(process))
        if held != str(count):
            raise RunFailed(f"of {count} idle connections were held: {held}")


def is_open(connection: socket.socket) -> bool:
    """Whether the other side has neither closed a connection nor said anything."""
    said = select.poll()
    said.register(connection, select.POLLIN)
    return not said.poll(0)


def main(port: str, count: str) -> None:
    """Hold connections."""
    connections = []
    for _ in range(int(count)):
        connection = socket.create_connection(("127.0.0.1", int(port)), timeout=30)
        connection.sendall(_REQUEST)
        answer = connection.recv(1 << 16)
        if not answer.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"the answer was {answer[:80]!r}")
        connections.append(connection)
    print(_READY, flush=True)
    sys.stdin.read()
    print(sum(map(is_open, connections)))


if __name__ == "__main__":
    main(*sys.argv[1:])
