"""
Idle connections.
"""

from __future__ import annotations

import select
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection, HTTPException

from .errors import RunFailed


@contextmanager
def idle_connections(port: int, count: int) -> Iterator[None]:
    """
    Keep idle connections to a server on 127.0.0.1 open.

    @raise RunFailed: they could not be opened, or the server closed some of them.
    """
    with ExitStack() as stack:
        try:
            connections = [
                stack.enter_context(closing(_open_connection(port)))
                for _ in range(count)
            ]
        except (OSError, HTTPException) as error:
            raise RunFailed(f"cannot open idle connections: {error}") from error
        yield
        open_count = sum(map(_is_open, connections))
        if open_count != count:
            raise RunFailed(f"{open_count} of {count} idle connections stayed open")


def _open_connection(port: int) -> HTTPConnection:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    # One response, so that the server has accepted the connection.
    connection.request("GET", "/livez")
    response = connection.getresponse()
    response.read()
    if response.status != 200:
        raise OSError(f"status {response.status}")
    return connection


def _is_open(connection: HTTPConnection) -> bool:
    poller = select.poll()
    poller.register(connection.sock, select.POLLIN)
    return not poller.poll(0)
