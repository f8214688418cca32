"""
The limit on open connections, and each client's share of it.

A single client may use all connections. If all are in use and another client
connects, the client with the most connections loses one: an idle connection if there
is one, else one with an incomplete request, else one whose response is not read.
Clients that cannot be told apart lose none.
"""

from __future__ import annotations

from operator import itemgetter
from typing import Generic, Protocol, TypeVar

from twisted_quotes.concurrency.capacity import Capacity
from twisted_quotes.errors import TooBusy, TooManyRequests


class LimitedConnection(Protocol):
    """
    A connection that counts towards the limit.

    @ivar client_key: the key of the client; L{None} if clients cannot be told apart.
    """

    client_key: str | None

    def eviction_priority(self) -> tuple[int, float] | None:
        """Return the priority for eviction, or L{None} if it must not be evicted."""

    def evict(self) -> None:
        """Close the connection."""


C = TypeVar("C", bound=LimitedConnection)


class ConnectionLimiter(Generic[C]):
    """
    Keeps the open connections, and admits new ones.

    @param capacity: limits the connections of all processes together.
    @param max_lingering: the maximum number of connections that wait for their clients
        to close and do not count, 0 or more.
    @ivar connections: the open connections of this process, also those that do not
        count.
    """

    def __init__(self, capacity: Capacity, max_lingering: int) -> None:
        self._capacity = capacity
        self._max_lingering = max_lingering
        self.connections: set[C] = set()
        self._by_client: dict[str | None, set[C]] = {}

    def add(self, connection: C) -> None:
        """
        Add a new connection, and admit it. If it is refused, it does not count.

        @raise TooBusy: the limit is reached.
        @raise TooManyRequests: the limit is reached, and no other client has more
            connections than this one.
        """
        self.connections.add(connection)
        client_key = connection.client_key
        if not self._capacity.try_acquire():
            self._evict_for(client_key)
            if not self._capacity.try_acquire():
                raise TooBusy()
        self._by_client.setdefault(client_key, set()).add(connection)

    def can_linger(self) -> bool:
        """Return whether a refused connection may wait for its client to close."""
        return self._lingering_count <= self._max_lingering

    def finish(self, connection: C) -> None:
        """
        Stop counting a connection that waits only for its client to close.

        It counts as before if too many others do not count.
        """
        if self._lingering_count < self._max_lingering:
            self._release(connection)

    def remove(self, connection: C) -> None:
        """Remove a connection that is lost."""
        self.connections.discard(connection)
        self._release(connection)

    @property
    def _lingering_count(self) -> int:
        return len(self.connections) - self._capacity.in_use

    def _release(self, connection: C) -> None:
        """Stop counting a connection, if it is admitted."""
        connections = self._by_client.get(connection.client_key, set())
        if connection in connections:
            connections.remove(connection)
            self._capacity.release()
            if not connections:
                del self._by_client[connection.client_key]

    def _evict_for(self, client_key: str | None) -> None:
        """Evict a connection of the client with the most connections."""
        others = [
            connections
            for key, connections in self._by_client.items()
            if key not in (client_key, None)
        ]
        if not others:
            raise TooBusy()
        own_count = len(self._by_client.get(client_key, ()))
        largest = max(others, key=len)
        if len(largest) <= own_count + 1:
            raise TooManyRequests() if client_key and own_count else TooBusy()
        ranked = [(each.eviction_priority(), each) for each in largest]
        candidates = [(rank, each) for rank, each in ranked if rank is not None]
        if not candidates:
            raise TooBusy()
        _, victim = max(candidates, key=itemgetter(0))
        self._release(victim)
        victim.evict()
