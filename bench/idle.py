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

from .children import last_line, module_command, read_output, running_child
from .errors import RunFailed

_READY_LINE = "ready"


@contextmanager
def idle_connections(port: int, count: int) -> Iterator[None]:
    """
    Have so many idle connections to a server on 127.0.0.1.

    @raise RunFailed: they could not be opened, or were not held to the end.
    """
    if not count:
        yield
        return
    with running_child(module_command("idle", port, count)) as process:
        assert process.stdout is not None
        first_line = process.stdout.readline()
        if first_line.strip() != _READY_LINE:
            raise RunFailed(f"no idle connections: {first_line.strip()}")
        yield
        open_count = last_line(read_output(process))
        if open_count != str(count):
            raise RunFailed(f"of {count} idle connections were held: {open_count}")


def is_open(connection: HTTPConnection) -> bool:
    """Whether the other side has neither closed a connection nor said anything."""
    if connection.sock is None:
        return False
    poller = select.poll()
    poller.register(connection.sock, select.POLLIN)
    return not poller.poll(0)


def open_connection(port: int) -> HTTPConnection:
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
        connections = [open_connection(int(port)) for _ in range(int(count))]
    except (OSError, HTTPException) as error:
        # In one line, for that is all that is read.
        raise SystemExit(str(error)) from error
    print(_READY_LINE, flush=True)
    sys.stdin.read()
    print(sum(map(is_open, connections)))


if __name__ == "__main__":
    main(*sys.argv[1:])
