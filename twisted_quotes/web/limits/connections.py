"""
The limit of open connections, and each client's share of it.

Where one client asks alone it may have all connections. When all are taken and
another client connects, the client with the most connections gives way: first
those that are idle, then incomplete requests, then answers that are not read.
"""

from __future__ import annotations

from typing import Protocol

from twisted_quotes.concurrency.capacity import Room
from twisted_quotes.errors import TooBusy, TooManyRequests


class LimitedConnection(Protocol):
    """
    What the limit asks of a connection.

    @ivar client: the key of its client; L{None} where clients cannot be told apart.
    """

    client: str | None

    def expendability(self) -> tuple[int, float] | None:
        """How little is lost if it is closed; the more, the higher; L{None}: no."""

    def give_way(self) -> None:
        """Close."""


class ConnectionLimit:
    """
    Admits connections.

    @param room: bounds their number, of all processes together.
    @param max_refused: how many connections that were refused may wait for their
        clients to close, 0 or more.

    @ivar admitted: how many are open in this process.
    """

    def __init__(self, room: Room, max_refused: int) -> None:
        self._room = room
        self.max_refused = max_refused
        self.admitted = 0
        self._clients: dict[str | None, set[LimitedConnection]] = {}

    def admit(self, connection: LimitedConnection) -> None:
        """
        Admit a new connection.

        @raise TooBusy: there are as many as may be.
        @raise TooManyRequests: and this client has the most of them.
        """
        if not self._room.enter():
            self._make_room(connection.client)
            if not self._room.enter():
                raise TooBusy()
        self.admitted += 1
        self._clients.setdefault(connection.client, set()).add(connection)

    def release(self, connection: LimitedConnection) -> None:
        """Forget a connection that was admitted, if that has not been done."""
        connections = self._clients.get(connection.client, set())
        if connection in connections:
            connections.remove(connection)
            self.admitted -= 1
            self._room.leave()
            if not connections:
                del self._clients[connection.client]

    def _make_room(self, client: str | None) -> None:
        """Have the client with the most connections close one."""
        own = len(self._clients.get(client, ()))
        others = {
            key: connections
            for key, connections in self._clients.items()
            if key not in (client, None)
        }
        if client is None or not others:
            raise TooBusy()
        most = max(others.values(), key=len)
        if len(most) <= own + 1:
            raise TooManyRequests() if own else TooBusy()
        ranked = ((each.expendability(), each) for each in most)
        candidates = [(rank, each) for rank, each in ranked if rank is not None]
        if not candidates:
            raise TooBusy()
        _, chosen = max(candidates, key=lambda pair: pair[0])
        self.release(chosen)
        chosen.give_way()
