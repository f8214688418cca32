"""
A queue that serves its clients in order of priority, not of arrival.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from itertools import count
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)

# Numbers the changes of priorities, so that clients of several queues can be compared.
_change_numbers = count()


class FairQueue(Generic[T]):
    """
    Items of several clients; each client has one priority.

    The client with the lowest priority number comes first; among equals, the one that
    has had this priority for longest. The items of one client stay in order of arrival.
    The cost of an operation grows with the number of different priorities only.
    """

    def __init__(self) -> None:
        self._items: dict[str | None, OrderedDict[T, None]] = {}
        self._priorities: dict[str | None, int] = {}
        # The clients of each priority, with the number of the change.
        self._buckets: dict[int, OrderedDict[str | None, int]] = {}

    def __len__(self) -> int:
        """Return the number of clients."""
        return len(self._items)

    def add(self, client: str | None, item: T, priority: int) -> None:
        """Add an item, and set the priority of its client."""
        self._items.setdefault(client, OrderedDict())[item] = None
        self.set_priority(client, priority)

    def remove(self, client: str | None, item: T) -> None:
        """Remove an item, if it is in the queue."""
        items = self._items.get(client)
        if items is not None and item in items:
            del items[item]
            if not items:
                del self._items[client]
                self._leave_bucket(client)

    def set_priority(self, client: str | None, priority: int) -> None:
        """Set the priority of a client. One without items is ignored."""
        if client not in self._items or priority == self._priorities.get(client):
            return
        self._leave_bucket(client)
        self._priorities[client] = priority
        bucket = self._buckets.setdefault(priority, OrderedDict())
        bucket[client] = next(_change_numbers)

    def first(self) -> tuple[int, int, str | None]:
        """
        Return the first client, preceded by its rank among those of all queues.

        @raise ValueError: the queue is empty.
        """
        priority = min(self._buckets)
        client, change_number = next(iter(self._buckets[priority].items()))
        return priority, change_number, client

    def oldest(self, client: str | None) -> T:
        """Return the oldest item of a client that has some."""
        return next(iter(self._items[client]))

    def _leave_bucket(self, client: str | None) -> None:
        priority = self._priorities.pop(client, None)
        if priority is not None:
            bucket = self._buckets[priority]
            del bucket[client]
            if not bucket:
                del self._buckets[priority]
