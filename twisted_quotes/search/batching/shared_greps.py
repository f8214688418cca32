"""
Sharing: one grep of a pack for several searches.

If enough searches of the same packs are running, a further one waits until one of them
ends, or for some milliseconds. The first one that starts then searches for the terms of
all that wait. So without load each search runs its own greps, which stop at its limit;
a shared grep always reads all of its pack.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar
from weakref import WeakValueDictionary

from twisted_quotes.concurrency.limiter import Slot
from twisted_quotes.errors import SearchTimedOut
from twisted_quotes.grep.runner import GrepRunner, GrepSession
from twisted_quotes.library.stability import MAX_ATTEMPTS
from twisted_quotes.search.results import TooLargeToBuffer

from .batch_queue import BATCHING_DELAY, BatchQueue, PendingSearch

T = TypeVar("T")

_BYTES_PER_DELAY = 4 * 1024 * 1024
_MAX_DELAY = 10 * BATCHING_DELAY


class _Shared(NamedTuple, Generic[T]):
    """
    What a shared grep has found for a search.

    @ivar found: L{None} if it found too much.
    """

    found: T | None


class SharedGreps:
    """
    Runs one grep for several searches.

    @param max_searches: the number of searches of the same packs from which on others
        wait; 0 if they never do.
    """

    def __init__(self, runner: GrepRunner, max_searches: int) -> None:
        self._runner = runner
        self._max_searches = max_searches
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
        find_each: Callable[[Sequence[str]], Awaitable[Mapping[str, T | None]]],
    ) -> T:
        """
        Find a term, alone or together with the terms of other searches.

        @param key: identifies the packs, and how they are searched.
        @param size: the number of bytes to search.
        @param find_alone: finds the term.
        @param find_each: finds each of several terms with the same greps, or raises
            L{TooLargeToBuffer}. In its result, L{None} stands for too much.
        """
        for _ in range(1 + MAX_ATTEMPTS if self._max_searches else 0):
            queue: BatchQueue[_Shared[T]] = self._queue(key, size)
            turn = await queue.wait_for_turn(term, grep_session.lend_slot())
            if isinstance(turn, Slot):
                grep_session.return_slot(turn)
                try:
                    batch = queue.take_batch()
                    if not batch:
                        return await find_alone()
                    turn = await _find_batch(grep_session, term, batch, find_each)
                finally:
                    queue.search_ended()
            elif turn is not None and turn.found is not None:
                self._runner.metrics.batched_searches.inc()
            if turn is not None:
                return await find_alone() if turn.found is None else turn.found
            # The search that ran the greps failed or was cancelled.
        return await find_alone()

    def _queue(self, key: Hashable, size: int) -> BatchQueue[Any]:
        queue = self._queues.get(key)
        if queue is None:
            delay = min(BATCHING_DELAY * (1 + size // _BYTES_PER_DELAY), _MAX_DELAY)
            queue = BatchQueue(self._runner.reactor, self._max_searches, delay)
            self._queues[key] = queue
        return queue


async def _find_batch(
    grep_session: GrepSession,
    term: str,
    batch: Sequence[PendingSearch[_Shared[T]]],
    find_each: Callable[[Sequence[str]], Awaitable[Mapping[str, T | None]]],
) -> _Shared[T]:
    """
    Find a term and those of a batch, in half of the time that a search may take.

    If this fails, the others do not fail, but start again.
    """
    found: Mapping[str, T | None] | None = None
    half_time = grep_session.time_left / 2
    grep_session.time_left -= half_time
    try:
        found = await find_each([term, *(search.term for search in batch)])
    except (SearchTimedOut, TooLargeToBuffer):
        found = {}
    finally:
        grep_session.time_left += half_time
        for search in batch:
            shared = None if found is None else _Shared(found.get(search.term))
            search.deliver(shared)
    return _Shared(found.get(term))
