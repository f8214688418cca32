"""
A queue that is fair to the clients whose items wait in it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T", bound=Hashable)


class BucketQueue(Generic[K]):
    """
    Keys, each with a number; keys with equal numbers in order of arrival there.

    An operation takes time that grows with the count of different numbers, not with
    the count of keys.

    @param arrivals: numbers the arrivals; shared by ranks that are compared.
    """

    def __init__(self, arrivals: Iterator[int]) -> None:
        self._arrivals = arrivals
        self._priorities: dict[K, int] = {}
        self._buckets: dict[int, OrderedDict[K, int]] = {}

    def __len__(self) -> int:
        """Return how many keys there are."""
        return len(self._priorities)

    def __contains__(self, key: K) -> bool:
        """Return whether a key is there."""
        return key in self._priorities

    def __getitem__(self, key: K) -> int:
        """Return the number of a key, 0 for one that is not there."""
        return self._priorities.get(key, 0)

    def put(self, key: K, priority: int) -> None:
        """Give a key its number; it comes after all others with that number."""
        self.remove(key)
        self._priorities[key] = priority
        self._buckets.setdefault(priority, OrderedDict())[key] = next(self._arrivals)

    def remove(self, key: K) -> None:
        """Remove a key, if it is there."""
        priority = self._priorities.pop(key, None)
        if priority is not None:
            bucket = self._buckets[priority]
            del bucket[key]
            if not bucket:
                del self._buckets[priority]

    def lowest(self) -> tuple[int, int, K]:
        """Return the lowest number, with its first arrival and that one's key."""
        priority = min(self._buckets)
        key, arrival = next(iter(self._buckets[priority].items()))
        return priority, arrival, key

    def highest(self) -> K:
        """Return the key with the highest number, the first one of several."""
        return next(iter(self._buckets[max(self._buckets)]))


class FairQueue(Generic[K, T]):
    """
    Items that wait, each of one client.

    The next item is one of the client that holds least. Of clients that hold as
    much, the one that has waited longest for its turn is next. The items of one
    client come out in the order in which they went in.

    @param arrivals: numbers the arrivals; shared by queues whose next items are
        compared.
    """

    def __init__(self, arrivals: Iterator[int]) -> None:
        self._items: dict[K, OrderedDict[T, None]] = {}
        self._client_priorities: BucketQueue[K] = BucketQueue(arrivals)

    def add(self, client: K, item: T, held_count: int) -> None:
        """
        Add an item.

        @param held_count: how much its client holds, 0 or more.
        """
        self._items.setdefault(client, OrderedDict())[item] = None
        if client not in self._client_priorities:
            self._client_priorities.put(client, held_count)

    def remove(self, client: K, item: T) -> None:
        """Remove an item that is there."""
        items = self._items[client]
        del items[item]
        if not items:
            del self._items[client]
            self._client_priorities.remove(client)

    def update_held(self, client: K, held_count: int) -> None:
        """Take note of how much a client holds now, whether it waits or not."""
        if client in self._client_priorities:
            self._client_priorities.put(client, held_count)

    def next_rank(self) -> tuple[int, int] | None:
        """
        Return the rank of the next item: the lower one of two queues comes first.

        @return: L{None} where nothing waits.
        """
        return self._client_priorities.lowest()[:2] if self._items else None

    def pop(self) -> T:
        """Remove and return the next item. Something must wait."""
        _, _, client = self._client_priorities.lowest()
        item = next(iter(self._items[client]))
        self.remove(client, item)
        return item
