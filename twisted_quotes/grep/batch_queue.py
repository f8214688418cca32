"""
Turns: who of those that search the same dictionary begins, and when.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Generic, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from twisted_quotes.concurrency.limiter import Slot

BATCHING_DELAY = 0.005
"""How long those who have places wait for a grep to end, in seconds."""

T = TypeVar("T")


class PendingSearch(Generic[T]):
    """
    A search that waits for its turn.

    @param term: what it looks for, as it stands.
    @param acquiring: fires with its place.

    @ivar result: fires with its place when it is its turn, with what others have
        found for it, or with L{None} if they could not.
        Cancelling it gives up the wait. It fails if the wait for the place does.
    """

    def __init__(self, term: str, acquiring: Deferred[Slot]) -> None:
        self.term = term
        self.result: Deferred[Slot | T | None] = Deferred(lambda _: self.release())
        self._acquiring = acquiring
        self._slot: Slot | None = None

    @property
    def acquired(self) -> bool:
        """Whether it could search now."""
        return self._slot is not None

    def wait_for_slot(self, on_acquired: Callable[[], object]) -> None:
        """
        Wait for its place.

        @param on_acquired: is called when it has one.
        """
        self._acquiring.addCallback(self._slot_acquired, on_acquired).addErrback(
            self._acquire_failed
        )

    def _slot_acquired(self, slot: Slot, on_acquired: Callable[[], object]) -> None:
        self._slot = slot
        on_acquired()

    def _acquire_failed(self, failure: Failure) -> None:
        """Give up the turn, unless it was the wait for the place that was given up."""
        if not failure.check(CancelledError):
            self.result.errback(failure)

    def release(self) -> None:
        """Leave the place, or the wait for it, to others. It may be done twice."""
        self._acquiring.cancel()
        slot, self._slot = self._slot, None
        if slot is not None:
            slot.close()

    def start(self) -> None:
        """Search."""
        self.result.callback(self._slot)

    def deliver(self, found: T | None) -> None:
        """Take what others have found, if it still waits for that."""
        if not self.result.called:
            self.result.callback(found)


@dataclass
class _Batch(Generic[T]):
    """
    The searches of one dictionary.

    @ivar running: how many of them have begun.
    @ivar pending: those that wait, in order.
    @ivar is_starting: whether some are being begun.
    @ivar delayed_call: has one of them begin in any case.
    """

    running: int = 0
    pending: list[PendingSearch[T]] = field(default_factory=list)
    is_starting: bool = False
    delayed_call: IDelayedCall | None = None

    def next_ready(self) -> PendingSearch[T] | None:
        """The first that has a place."""
        return next((each for each in self.pending if each.acquired), None)

    def start_next(self) -> None:
        """Have the next one begin."""
        if pending_search := self.next_ready():
            self.pending.remove(pending_search)
            self.running += 1
            pending_search.start()


class BatchQueue(Generic[T]):
    """
    Has searches begin as soon as they have places, but no more of one dictionary
    at one time than is of use, if they end soon.

    @param clock: tells time.
    @param limit: how many may have begun before the next one waits for a moment.
    """

    def __init__(self, clock: IReactorTime, limit: int) -> None:
        self._clock = clock
        self._limit = limit
        self._batches: dict[str, _Batch[T]] = {}

    async def wait_for_turn(
        self, dictionary_name: str, term: str, acquiring: Deferred[Slot]
    ) -> Slot | T | None:
        """
        Wait for a turn.

        @param dictionary_name: where to search.
        @param acquiring: fires with a place.
        @return: as L{PendingSearch.turn}. Who gets its place says when it has
            L{search_ended}.
        """
        batch = self._batches.setdefault(dictionary_name, _Batch())
        pending_search = PendingSearch[T](term, acquiring)
        batch.pending.append(pending_search)
        pending_search.wait_for_slot(lambda: self._start_ready(dictionary_name))
        try:
            return await pending_search.result
        finally:
            if pending_search in batch.pending:
                batch.pending.remove(pending_search)
                self._start_ready(dictionary_name)

    def take_batch(
        self, dictionary_name: str, limit: int, max_bytes: int
    ) -> list[PendingSearch[T]]:
        """
        Take those who wait along, the first of them.

        Each must be given something to L{deliver<PendingSearch.deliver>}.

        @param limit: how many to take.
        @param max_bytes: how many bytes what they look for may have together.
        """
        pending = self._batches[dictionary_name].pending
        sizes = accumulate(len(each.term.encode()) for each in pending[:limit])
        count = sum(size <= max_bytes for size in sizes)
        batch = pending[:count]
        del pending[:count]
        for each in batch:
            each.release()
        return batch

    def search_ended(self, dictionary_name: str) -> None:
        """Say that one who had begun has ended."""
        self._batches[dictionary_name].running -= 1
        self._start_ready(dictionary_name)

    def _start_ready(self, dictionary_name: str) -> None:
        """Have those begin who may."""
        batch = self._batches.get(dictionary_name)
        if batch is None or batch.is_starting:
            return
        # Who begins may be done at once, and so may a thousand after it: that they
        # come here again must not nest.
        batch.is_starting = True
        while batch.running < self._limit and batch.next_ready():
            batch.start_next()
        batch.is_starting = False
        if batch.delayed_call is None:
            if batch.next_ready():
                batch.delayed_call = self._clock.callLater(
                    BATCHING_DELAY, self._start_after_delay, dictionary_name
                )
        elif not batch.next_ready():
            batch.delayed_call.cancel()
            batch.delayed_call = None
        if not (batch.running or batch.pending):
            del self._batches[dictionary_name]

    def _start_after_delay(self, dictionary_name: str) -> None:
        """Have one begin, though none has ended for a while."""
        batch = self._batches[dictionary_name]
        batch.delayed_call = None
        batch.start_next()
        self._start_ready(dictionary_name)
