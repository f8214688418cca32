"""
Connections that are held open and do nothing.

C{python -m bench.idle PORT COUNT} opens them, has one small answer on each, prints
C{ready}, waits until its input ends, and prints how many are still open.
"""

from __future__ import annotations

import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException

from .children import child, last_line, module, output_of
from .errors import RunFailed

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
            raise RunFailed(f"no idle connections: {said.strip()}")
        yield
        held = last_line(output_of(process))
        if held != str(count):
            raise RunFailed(f"of {count} idle connections were held: {held}")


def is_open(connection: HTTPConnection) -> bool:
    """Whether the other side has neither closed a connection nor said anything."""
    if connection.sock is None:
        return False
    said = select.poll()
    said.register(connection.sock, select.POLLIN)
    return not said.poll(0)


def connect(port: int) -> HTTPConnection:
    """
    Make one connection, and have an answer on it.

    @raise OSError: it cannot be made, or the answer is no good one.
    """
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/livez")
    response = connection.getresponse()
    response.read()
    if response.status != 200:
        raise OSError(f"the answer was {response.status}")
    return connection


def main(port: str, count: str) -> None:
    """Hold connections."""
    try:
        connections = [connect(int(port)) for _ in range(int(count))]
    except (OSError, HTTPException) as error:
        # In one line, for that is all that is read.
        raise SystemExit(str(error)) from error
    print(_READY, flush=True)
    sys.stdin.read()
    print(sum(map(is_open, connections)))


if __name__ == "__main__":
    main(*sys.argv[1:])
