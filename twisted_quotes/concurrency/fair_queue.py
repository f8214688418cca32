"""
A queue that is fair to the clients whose items wait in it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T", bound=Hashable)


class Ranks(Generic[K]):
    """
    Keys, each with a number; keys with equal numbers in order of arrival there.

    An operation takes time that grows with the count of different numbers, not with
    the count of keys.

    @param turns: numbers the arrivals; shared by ranks that are compared.
    """

    def __init__(self, turns: Iterator[int]) -> None:
        self._turns = turns
        self._numbers: dict[K, int] = {}
        self._keys: dict[int, OrderedDict[K, int]] = {}

    def __len__(self) -> int:
        """Return how many keys there are."""
        return len(self._numbers)

    def __contains__(self, key: K) -> bool:
        """Return whether a key is there."""
        return key in self._numbers

    def __getitem__(self, key: K) -> int:
        """Return the number of a key, 0 for one that is not there."""
        return self._numbers.get(key, 0)

    def put(self, key: K, number: int) -> None:
        """Give a key its number; it comes after all others with that number."""
        self.remove(key)
        self._numbers[key] = number
        self._keys.setdefault(number, OrderedDict())[key] = next(self._turns)

    def remove(self, key: K) -> None:
        """Remove a key, if it is there."""
        number = self._numbers.pop(key, None)
        if number is not None:
            keys = self._keys[number]
            del keys[key]
            if not keys:
                del self._keys[number]

    def lowest(self) -> tuple[int, int, K]:
        """Return the lowest number, with its first arrival and that one's key."""
        number = min(self._keys)
        key, turn = next(iter(self._keys[number].items()))
        return number, turn, key

    def highest(self) -> K:
        """Return the key with the highest number, the first one of several."""
        return next(iter(self._keys[max(self._keys)]))


class FairQueue(Generic[K, T]):
    """
    Items that wait, each of one client.

    The next item is one of the client that holds least. Of clients that hold as
    much, the one that has waited longest for its turn is next. The items of one
    client come out in the order in which they went in.

    @param turns: numbers the arrivals; shared by queues whose next items are
        compared.
    """

    def __init__(self, turns: Iterator[int]) -> None:
        self._items: dict[K, OrderedDict[T, None]] = {}
        self._clients: Ranks[K] = Ranks(turns)

    def add(self, client: K, item: T, held: int) -> None:
        """
        Add an item.

        @param held: how much its client holds, 0 or more.
        """
        self._items.setdefault(client, OrderedDict())[item] = None
        if client not in self._clients:
            self._clients.put(client, held)

    def remove(self, client: K, item: T) -> None:
        """Remove an item that is there."""
        items = self._items[client]
        del items[item]
        if not items:
            del self._items[client]
            self._clients.remove(client)

    def hold(self, client: K, held: int) -> None:
        """Take note of how much a client holds now, whether it waits or not."""
        if client in self._clients:
            self._clients.put(client, held)

    def rank(self) -> tuple[int, int] | None:
        """
        Return the rank of the next item: the lower one of two queues comes first.

        @return: L{None} where nothing waits.
        """
        return self._clients.lowest()[:2] if self._items else None

    def pop(self) -> T:
        """Remove and return the next item. Something must wait."""
        _, _, client = self._clients.lowest()
        item = next(iter(self._items[client]))
        self.remove(client, item)
        return item
