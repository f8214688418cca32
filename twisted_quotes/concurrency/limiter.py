"""
A limit on what runs at the same time, with a bounded queue that is fair to clients.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from twisted.internet.defer import Deferred, DeferredList, succeed

from twisted_quotes.errors import TooBusy, TooManyRequests

from .closing import Closeable
from .fair_queue import FairQueue


class SlotRequest(NamedTuple):
    """
    Who needs a slot, and for what.

    @ivar client_key: identifies the client. All with L{None} count as one client.
    @ivar slow: whether the work may take up to its time limit.
    """

    client_key: str | None = None
    slow: bool = False


@dataclass(eq=False)
class Slot(Closeable):
    """The right to run processes."""

    slot_request: SlotRequest
    release: Callable[[SlotRequest], object]
    _process_ends: list[Deferred[None]] = field(default_factory=list)

    def hold_until(self, ended: Deferred[None]) -> None:
        """Do not release the slot before this fires."""
        self._process_ends.append(ended)

    def close(self) -> None:
        """Release the slot as soon as all its processes have ended."""
        if not self._process_ends:
            self.release(self.slot_request)
            return
        DeferredList(self._process_ends).addCallback(
            lambda _: self.release(self.slot_request)
        )


class ConcurrencyLimiter:
    """
    A fixed number of slots, and a bounded queue of requests for one.

    A free slot goes to the client that holds the fewest slots; among equals, to the one
    that has waited longest. So a client may have all slots while it is alone, and no
    more than its share otherwise.

    A quarter of the slots (rounded down, at least one) is kept free of slow requests,
    so that other requests need not wait until a slow one ends. If there is only one
    slot, slow requests use it, too.

    When the queue is full, a new request of a client replaces the newest one of the
    client with the most waiting requests, if that has at least two more than the first.

    @param max_running: the number of slots, 1 or more.
    @param max_waiting: the maximum number of waiting requests, 0 or more.

    @ivar available: the number of free slots.
    @ivar on_acquired: called when a slot has been acquired.
    """

    def __init__(self, max_running: int, max_waiting: int) -> None:
        self.limit = self.available = max_running
        self.on_acquired: Callable[[], object] = lambda: None
        self._slow_available = max(1, max_running - max(1, max_running // 4))
        self._max_waiting = max_waiting
        self._held_slots: dict[str | None, int] = {}
        self._waiting: dict[Deferred[Slot], SlotRequest] = {}
        # For quick and for slow requests. The priority of a client is the number of
        # slots that it holds.
        self._queues = [FairQueue[Deferred[Slot]]() for _ in range(2)]
        # The requests of each client that may be replaced, in order of arrival.
        self._evictable: dict[str | None, dict[Deferred[Slot], None]] = {}
        self._is_dispatching = False

    @property
    def in_use(self) -> int:
        """The number of slots in use."""
        return self.limit - self.available

    @property
    def queue_length(self) -> int:
        """The number of waiting requests."""
        return len(self._waiting)

    def acquire(self, slot_request: SlotRequest) -> Deferred[Slot]:
        """
        Acquire a slot, or wait for one.

        @return: fires with the slot. Cancelling it ends the wait. It fails with
            L{TooManyRequests} if another client replaces the request in the queue.
        @raise TooBusy: the queue is full.
        @raise TooManyRequests: the queue is full, this client and others have requests
            in it, and no other client has at least two more than this one.
        """
        if self._can_acquire(slot_request):
            return succeed(self._make_slot(slot_request))
        client_key, evicted = slot_request.client_key, None
        if len(self._waiting) >= self._max_waiting:
            evicted = self._find_evictable(client_key)
            self._remove_waiter(evicted)
        waiter = self._enqueue(slot_request)
        self._evictable.setdefault(client_key, {})[waiter] = None
        if evicted is not None:
            evicted.errback(TooManyRequests())
        return waiter

    def reacquire(self, slot_request: SlotRequest) -> Deferred[Slot]:
        """
        Acquire a slot for work that has held one before: it is never refused.

        @return: as for L{acquire}, but it fails only if it is cancelled.
        """
        if self._can_acquire(slot_request):
            return succeed(self._make_slot(slot_request))
        return self._enqueue(slot_request)

    def acquire_free(self, slot_request: SlotRequest) -> Slot | None:
        """Acquire a slot, unless there is none, or a request waits for one."""
        if self._waiting or not self._can_acquire(slot_request):
            return None
        return self._make_slot(slot_request)

    def _can_acquire(self, slot_request: SlotRequest) -> bool:
        """Return whether a slot is free, and not about to be given to a waiter."""
        is_reserved = self._is_dispatching and self._waiting
        return not is_reserved and self._is_slot_available(slot_request.slow)

    def _is_slot_available(self, slow: bool) -> bool:
        return self.available > 0 and (self._slow_available > 0 or not slow)

    def _enqueue(self, slot_request: SlotRequest) -> Deferred[Slot]:
        client_key, slow = slot_request
        waiter: Deferred[Slot] = Deferred(self._remove_waiter)
        self._waiting[waiter] = slot_request
        self._queues[slow].add(client_key, waiter, self._held_slots.get(client_key, 0))
        return waiter

    def _find_evictable(self, client_key: str | None) -> Deferred[Slot]:
        """
        Return the waiter that a new request of a client replaces.

        @raise TooBusy: there is none.
        @raise TooManyRequests: there is none, and this client has its share already.
        """
        most = max(self._evictable.values(), key=len, default={})
        own_count = len(self._evictable.get(client_key, ()))
        if len(most) > own_count + 1:
            return next(reversed(most))
        if own_count and len(self._evictable) > 1:
            raise TooManyRequests()
        raise TooBusy()

    def _remove_waiter(self, waiter: Deferred[Slot]) -> None:
        client_key, slow = self._waiting.pop(waiter)
        self._queues[slow].remove(client_key, waiter)
        evictable = self._evictable.get(client_key, {})
        evictable.pop(waiter, None)
        if not evictable:
            self._evictable.pop(client_key, None)

    def _make_slot(self, slot_request: SlotRequest) -> Slot:
        self._count_held(slot_request, 1)
        self.on_acquired()
        return Slot(slot_request, self._release)

    def _release(self, slot_request: SlotRequest) -> None:
        self._count_held(slot_request, -1)
        # Thousands of waiters in a row may release their slots at once, and call this
        # method again. The loop in the outermost call avoids deep recursion.
        if self._is_dispatching:
            return
        self._is_dispatching = True
        try:
            while (waiter := self._next_waiter()) is not None:
                slot_request = self._waiting[waiter]
                self._remove_waiter(waiter)
                waiter.callback(self._make_slot(slot_request))
        finally:
            self._is_dispatching = False

    def _next_waiter(self) -> Deferred[Slot] | None:
        """Return the waiter that gets a free slot, if there are both."""
        candidates = [
            queue
            for slow, queue in enumerate(self._queues)
            if queue and self._is_slot_available(bool(slow))
        ]
        if not candidates:
            return None
        queue = min(candidates, key=FairQueue.first)
        return queue.oldest(queue.first()[2])

    def _count_held(self, slot_request: SlotRequest, change: int) -> None:
        """Count a slot that was acquired (1) or released (-1)."""
        client_key, slow = slot_request
        self.available -= change
        self._slow_available -= change * slow
        held = self._held_slots.get(client_key, 0) + change
        self._held_slots[client_key] = held
        if not held:
            del self._held_slots[client_key]
        if self._waiting:
            for queue in self._queues:
                queue.set_priority(client_key, held)
