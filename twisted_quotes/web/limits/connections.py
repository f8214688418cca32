"""
The limit of open connections, and each client's share of it.

Where one client asks alone it may have all connections. When all are taken and
another client connects, the client with the most connections gives way: first
those that are idle, then incomplete requests, then answers that are not read.
"""

from __future__ import annotations

from typing import Protocol

from twisted_quotes.concurrency.capacity import Capacity
from twisted_quotes.errors import TooBusy, TooManyRequests


class LimitedConnection(Protocol):
    """
    What the limit asks of a connection.

    @ivar client_key: the key of its client; L{None} where clients cannot be told apart.
    """

    client_key: str | None

    def eviction_priority(self) -> tuple[int, float] | None:
        """How little is lost if it is closed; the more, the higher; L{None}: no."""

    def evict(self) -> None:
        """Close."""


class ConnectionLimiter:
    """
    Admits connections.

    @param capacity: bounds their number, of all processes together.
    @param max_lingering: how many connections that were refused may wait for their
        clients to close, 0 or more.

    @ivar admitted_count: how many are open in this process.
    """

    def __init__(self, capacity: Capacity, max_lingering: int) -> None:
        self._capacity = capacity
        self.max_lingering = max_lingering
        self.admitted_count = 0
        self._connections_by_client: dict[str | None, set[LimitedConnection]] = {}

    def admit(self, connection: LimitedConnection) -> None:
        """
        Admit a new connection.

        @raise TooBusy: there are as many as may be.
        @raise TooManyRequests: and this client has the most of them.
        """
        if not self._capacity.try_acquire():
            self._evict_connection(connection.client_key)
            if not self._capacity.try_acquire():
                raise TooBusy()
        self.admitted_count += 1
        self._connections_by_client.setdefault(connection.client_key, set()).add(
            connection
        )

    def release(self, connection: LimitedConnection) -> None:
        """Forget a connection that was admitted, if that has not been done."""
        connections = self._connections_by_client.get(connection.client_key, set())
        if connection in connections:
            connections.remove(connection)
            self.admitted_count -= 1
            self._capacity.release()
            if not connections:
                del self._connections_by_client[connection.client_key]

    def _evict_connection(self, client_key: str | None) -> None:
        """Have the client with the most connections close one."""
        own_count = len(self._connections_by_client.get(client_key, ()))
        others = {
            key: connections
            for key, connections in self._connections_by_client.items()
            if key not in (client_key, None)
        }
        if client_key is None or not others:
            raise TooBusy()
        largest = max(others.values(), key=len)
        if len(largest) <= own_count + 1:
            raise TooManyRequests() if own_count else TooBusy()
        ranked = ((each.eviction_priority(), each) for each in largest)
        candidates = [(rank, each) for rank, each in ranked if rank is not None]
        if not candidates:
            raise TooBusy()
        _, victim = max(candidates, key=lambda pair: pair[0])
        self.release(victim)
        victim.evict()
