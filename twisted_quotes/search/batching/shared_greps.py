"""
Sharing: one grep of a pack for several searches.

A search that finds enough others in the same packs waits until one of them ends, or
about as long as that takes. The first one that starts then searches for the terms of
all that wait. So without load each search runs its own greps, which stop at its limit.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from twisted_quotes.concurrency.limiter import Slot
from twisted_quotes.grep.runner import GrepRunner, GrepSession

from .batch_queue import BATCHING_DELAY, BatchQueue, PendingSearch

T = TypeVar("T")

_BYTES_PER_DELAY = 4 * 1024 * 1024


class SharedGreps:
    """
    Runs one grep for several searches.

    @param max_greps: the number of searches of the same packs from which on others
        wait; 0 if they never do.
    """

    def __init__(self, runner: GrepRunner, max_greps: int) -> None:
        self._runner = runner
        self._max_greps = max_greps
        # The queues of the packs that are being searched.
        self._queues: WeakValueDictionary[Hashable, BatchQueue[Any]] = (
            WeakValueDictionary()
        )

    async def find(
        self,
        grep_session: GrepSession,
        key: Hashable,
        size: int,
        term: str,
        find_alone: Callable[[], Awaitable[T]],
        find_each: Callable[[Sequence[str]], Awaitable[Sequence[T] | None]],
    ) -> T:
        """
        Find a term, alone or together with the terms of other searches.

        @param key: identifies the packs, and how they are searched.
        @param size: the number of bytes to search.
        @param find_alone: finds the term.
        @param find_each: finds each of several terms with one grep; its result is
            L{None} if that prints too much.
        """
        if not self._max_greps:
            return await find_alone()
        queue: BatchQueue[T] = self._queue(key, size)
        turn = await queue.wait_for_turn(term, grep_session.lend_slot())
        if isinstance(turn, Slot):
            grep_session.return_slot(turn)
            try:
                batch = queue.take_batch()
                if not batch:
                    return await find_alone()
                found = await _find_batch(term, batch, find_each)
                if found is not None:
                    return found
            finally:
                queue.search_ended()
        elif turn is not None:
            self._runner.metrics.batched_searches.inc()
            return turn
        return await find_alone()

    def _queue(self, key: Hashable, size: int) -> BatchQueue[Any]:
        queue = self._queues.get(key)
        if queue is None:
            delay = BATCHING_DELAY * (1 + size // _BYTES_PER_DELAY)
            queue = BatchQueue(self._runner.reactor, self._max_greps, delay)
            self._queues[key] = queue
        return queue


async def _find_batch(
    term: str,
    batch: Sequence[PendingSearch[T]],
    find_each: Callable[[Sequence[str]], Awaitable[Sequence[T] | None]],
) -> T | None:
    """Find a term and those of a batch. If this fails, the others search alone."""
    found = None
    try:
        found = await find_each([term, *(search.term for search in batch)])
    finally:
        for number, search in enumerate(batch, 1):
            search.deliver(None if found is None else found[number])
    return None if found is None else found[0]
