"""
Bounded running and waiting, fair to several clients.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from itertools import count
from typing import NamedTuple

from twisted.internet.defer import Deferred, DeferredList, succeed

from twisted_quotes.errors import TooBusy, TooManyRequests

from .closing import Closeable
from .fair_queue import BucketQueue, FairQueue


class SlotRequest(NamedTuple):
    """
    Who wants a place, and for what.

    @ivar client_key: tells one client from another; all that have L{None} cannot be
        told apart, and are treated as one.
    @ivar slow: whether what is to run may well take as long as it is allowed to.
    """

    client_key: str | None = None
    slow: bool = False


DEFAULT_SLOT_REQUEST = SlotRequest()


class Slot(Closeable):
    """
    The right to run processes, until it is left and they have all ended.

    @ivar slot_request: whose place it is.
    """

    def __init__(
        self, slot_request: SlotRequest, release: Callable[[SlotRequest], object]
    ) -> None:
        self.slot_request = slot_request
        self._release = release
        self._process_ends: list[Deferred[None]] = []

    def hold_until(self, ended: Deferred[None]) -> None:
        """Keep the place taken at least until this fires."""
        self._process_ends.append(ended)

    def close(self) -> None:
        """Leave the place. It is given back when what ran in it is gone."""
        DeferredList(self._process_ends).addCallback(
            lambda _: self._release(self.slot_request)
        )


class ConcurrencyLimiter:
    """
    A fixed number of places, and of those who may wait for one.

    The next free place goes to the client that has fewest; of several, to the one
    that has waited longest for its turn. So one client has all the places while
    nobody else asks, and no more than its share while others do.

    What is slow may take up to three quarters of the places, so that what is not
    slow never waits for a slow one to end.

    Where as many wait as may, a client with fewer waiting takes the position of the
    newest claim of the client with most waiting.

    @param max_running: how many places there are, 1 or more.
    @param max_waiting: how many may wait, 0 or more.
    """

    def __init__(self, max_running: int, max_waiting: int) -> None:
        self.limit = self._available = max_running
        self._slow_available = max(1, max_running - max(1, max_running // 4))
        self._max_waiting = max_waiting
        self._held_slots: dict[str | None, int] = {}
        arrivals = count()
        self._waiting: dict[Deferred[Slot], SlotRequest] = {}
        self._queues = [
            FairQueue[str | None, Deferred[Slot]](arrivals) for _ in range(2)
        ]
        # Those that have had no place before: a client's newest one is the last.
        self._new_waiters: dict[str | None, OrderedDict[Deferred[Slot], None]] = {}
        self._waiter_counts: BucketQueue[str | None] = BucketQueue(arrivals)
        self._is_dispatching = False
        self._acquired_callback: Callable[[], object] = lambda: None

    @property
    def in_use(self) -> int:
        """How many are taken."""
        return self.limit - self._available

    @property
    def available(self) -> int:
        """How many are not taken."""
        return self._available

    @property
    def queue_length(self) -> int:
        """How many wait for one."""
        return len(self._waiting)

    def set_acquired_callback(self, callback: Callable[[], object]) -> None:
        """Have a function called whenever a place is taken."""
        self._acquired_callback = callback

    def acquire(
        self, slot_request: SlotRequest = DEFAULT_SLOT_REQUEST
    ) -> Deferred[Slot]:
        """
        Take a place, or wait for one.

        @return: fires with the place when there is one. Cancelling it gives up
            the wait. It fails with L{TooManyRequests} where another client takes
            the position in the queue.
        @raise TooBusy: as many wait as may.
        @raise TooManyRequests: as many wait as may, of this client as many as of
            any other.
        """
        if self._can_acquire(slot_request):
            return succeed(self._make_slot(slot_request))
        evicted = None
        if self.queue_length >= self._max_waiting:
            evicted = self._find_waiter_to_evict(slot_request.client_key)
            self._remove_waiter(evicted)
        waiter = self._enqueue(slot_request)
        new_waiters = self._new_waiters.setdefault(
            slot_request.client_key, OrderedDict()
        )
        new_waiters[waiter] = None
        self._waiter_counts.put(slot_request.client_key, len(new_waiters))
        if evicted is not None:
            evicted.errback(TooManyRequests())
        return waiter

    def reacquire(
        self, slot_request: SlotRequest = DEFAULT_SLOT_REQUEST
    ) -> Deferred[Slot]:
        """
        Take a place for something that has had one before.

        It waits for it in the order of its client's claims, however many wait.
        """
        if self._can_acquire(slot_request):
            return succeed(self._make_slot(slot_request))
        return self._enqueue(slot_request)

    def _can_acquire(self, slot_request: SlotRequest) -> bool:
        """Whether there is a place, and nobody who waits is about to get it."""
        is_reserved = self._is_dispatching and self._waiting
        return not is_reserved and self._has_available_slot(slot_request.slow)

    def _has_available_slot(self, slow: bool) -> bool:
        return self._available > 0 and (self._slow_available > 0 or not slow)

    def _enqueue(self, slot_request: SlotRequest) -> Deferred[Slot]:
        waiter: Deferred[Slot] = Deferred(self._remove_waiter)
        self._waiting[waiter] = slot_request
        held_count = self._held_slots.get(slot_request.client_key, 0)
        self._queues[slot_request.slow].add(slot_request.client_key, waiter, held_count)
        return waiter

    def _find_waiter_to_evict(self, client_key: str | None) -> Deferred[Slot]:
        """
        Find who leaves the full queue for the sake of a client that asks.

        @raise TooBusy: as for L{acquire}.
        @raise TooManyRequests: as for L{acquire}.
        """
        if self._waiter_counts:
            busiest_client = self._waiter_counts.highest()
            if (
                self._waiter_counts[busiest_client]
                > self._waiter_counts[client_key] + 1
            ):
                return next(reversed(self._new_waiters[busiest_client]))
            if client_key in self._waiter_counts and len(self._waiter_counts) > 1:
                raise TooManyRequests()
        raise TooBusy()

    def _remove_waiter(self, waiter: Deferred[Slot]) -> None:
        """Take out of the queue what waits no longer."""
        client_key, slow = self._waiting.pop(waiter)
        self._queues[slow].remove(client_key, waiter)
        self._remove_new_waiter(client_key, waiter)

    def _remove_new_waiter(
        self, client_key: str | None, waiter: Deferred[Slot]
    ) -> None:
        new_waiters = self._new_waiters.get(client_key, OrderedDict())
        if waiter not in new_waiters:
            return
        del new_waiters[waiter]
        if new_waiters:
            self._waiter_counts.put(client_key, len(new_waiters))
        else:
            del self._new_waiters[client_key]
            self._waiter_counts.remove(client_key)

    def _make_slot(self, slot_request: SlotRequest) -> Slot:
        self._update_held(slot_request, 1)
        self._acquired_callback()
        return Slot(slot_request, self._release)

    def _release(self, slot_request: SlotRequest) -> None:
        """
        Give back a place.

        Who gets it may leave it before this returns, and so may the next, a
        thousand in a row: that they come here again must not nest.
        """
        self._update_held(slot_request, -1)
        if self._is_dispatching:
            return
        self._is_dispatching = True
        try:
            while self._waiting and (waiter := self._pop_next_waiter()) is not None:
                slot_request = self._waiting.pop(waiter)
                self._remove_new_waiter(slot_request.client_key, waiter)
                waiter.callback(self._make_slot(slot_request))
        finally:
            self._is_dispatching = False

    def _pop_next_waiter(self) -> Deferred[Slot] | None:
        """Take who is next to have a place out of its queue, if there is a place."""
        ranked = [
            (rank, queue)
            for slow, queue in enumerate(self._queues)
            if self._has_available_slot(bool(slow))
            and (rank := queue.next_rank()) is not None
        ]
        return min(ranked, key=lambda each: each[0])[1].pop() if ranked else None

    def _update_held(self, slot_request: SlotRequest, change: int) -> None:
        """Take note that a place was taken, or given back."""
        self._available -= change
        self._slow_available -= change * slot_request.slow
        held_count = self._held_slots[slot_request.client_key] = (
            self._held_slots.get(slot_request.client_key, 0) + change
        )
        if not held_count:
            del self._held_slots[slot_request.client_key]
        if self._waiting:
            for queue in self._queues:
                queue.update_held(slot_request.client_key, held_count)
