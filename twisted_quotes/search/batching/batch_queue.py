"""
The queue of the searches of the same texts: which of them starts when.
"""

from __future__ import annotations

from itertools import accumulate
from typing import Generic, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from twisted_quotes.concurrency.limiter import Slot

T = TypeVar("T")

BATCHING_DELAY = 0.005
"""How long a search of a small text waits for another to end, in seconds."""


MAX_TERMS, MAX_BYTES = 64, 64 * 1024
"""The maximum number of terms of one grep, and their maximum total size in bytes."""

MAX_SHARED_OUTPUT = 256 * 1024
"""The maximum output in bytes of a grep of a pack for several searches."""


class PendingSearch(Generic[T]):
    """
    A search that waits in a queue.

    @param acquiring: fires with a slot for the search.

    @ivar slot: that slot, while the search has it.
    @ivar result: fires with what L{BatchQueue.wait_for_turn} returns, or fails if
        C{acquiring} does. Cancelling it releases the slot.
    """

    def __init__(self, term: str, acquiring: Deferred[Slot]) -> None:
        self.term = term
        self.slot: Slot | None = None
        self.result: Deferred[Slot | T | None] = Deferred(lambda _: self.release())
        self._acquiring = acquiring

    def release(self) -> None:
        """Release the slot, or stop waiting for it. Further calls have no effect."""
        self._acquiring.cancel()
        slot, self.slot = self.slot, None
        if slot is not None:
            slot.close()

    def deliver(self, found: T | None) -> None:
        """Fire C{result} with what another search found, unless it was cancelled."""
        if not self.result.called:
            self.result.callback(found)


class BatchQueue(Generic[T]):
    """
    The searches of the same texts.

    A search with a slot starts at once if fewer than C{limit} are running. Otherwise
    it waits until one of these ends, or until no other one has started for C{delay}, in
    seconds.
    """

    def __init__(
        self, clock: IReactorTime, limit: int, delay: float = BATCHING_DELAY
    ) -> None:
        self._clock = clock
        self._limit = limit
        self._delay = delay
        self._running = 0
        self._pending: list[PendingSearch[T]] = []
        self._is_starting = False
        self._delayed_start: IDelayedCall | None = None

    async def wait_for_turn(
        self, term: str, acquiring: Deferred[Slot]
    ) -> Slot | T | None:
        """
        Wait until a search may start, or another one has searched for its term, too.

        @param acquiring: fires with a slot for the search.
        @return: the slot, if the search may start: call L{search_ended} when it has
            ended. Otherwise what another search found for it, or L{None} if that one
            failed.
        """
        search = PendingSearch[T](term, acquiring)
        self._pending.append(search)

        def slot_acquired(slot: Slot) -> None:
            search.slot = slot
            self._start_ready()

        def acquire_failed(failure: Failure) -> None:
            # release() cancels the wait for a slot.
            if not failure.check(CancelledError):
                search.result.errback(failure)

        acquiring.addCallback(slot_acquired).addErrback(acquire_failed)
        try:
            return await search.result
        finally:
            if search in self._pending:
                self._pending.remove(search)
                self._start_ready()

    def take_batch(self) -> list[PendingSearch[T]]:
        """
        Remove and return the first pending searches, for one grep with another search.

        Call L{PendingSearch.deliver} for each of them. Their slots are released.
        """
        first = self._pending[: MAX_TERMS - 1]
        sizes = accumulate(len(each.term.encode()) for each in first)
        count = sum(size <= MAX_BYTES for size in sizes)
        batch = self._pending[:count]
        del self._pending[:count]
        for search in batch:
            search.release()
        return batch

    def search_ended(self) -> None:
        """Note that a running search has ended, and start the next ones."""
        self._running -= 1
        self._start_ready()

    def _next_ready(self) -> PendingSearch[T] | None:
        for search in self._pending:
            if search.slot is not None:
                return search
        return None

    def _start_ready(self) -> None:
        # A search may end at once and call this again. A thousand must not nest.
        if self._is_starting:
            return
        self._is_starting = True
        while self._running < self._limit and (search := self._next_ready()):
            self._start(search)
        self._is_starting = False
        if self._next_ready() is None:
            if self._delayed_start is not None:
                self._delayed_start.cancel()
                self._delayed_start = None
        elif self._delayed_start is None:
            self._delayed_start = self._clock.callLater(
                self._delay, self._start_after_delay
            )

    def _start_after_delay(self) -> None:
        # Although the limit is reached.
        self._delayed_start = None
        if search := self._next_ready():
            self._start(search)
        self._start_ready()

    def _start(self, search: PendingSearch[T]) -> None:
        self._pending.remove(search)
        self._running += 1
        search.result.callback(search.slot)
