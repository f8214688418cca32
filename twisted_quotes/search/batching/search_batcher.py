"""
Batching: one grep for several searches of the same dictionary.

This resembles the group commit of databases. Searches of a dictionary wait while
there is no slot for them, or while more greps on it would not help. The first one
that starts has its grep search for the terms of all of them. So under load each
grep serves more searches, and without load no search waits for another.

Only searches for fixed strings of bytes are batched. Each gets the printed lines that
contain its term, which is exactly what a grep for this term alone would print.

A search that is the only one may use a prestarted grep instead.
"""

from __future__ import annotations

from collections.abc import Coroutine
from contextlib import ExitStack
from typing import Any
from weakref import WeakValueDictionary

from twisted.internet.defer import Deferred

from twisted_quotes.concurrency.limiter import Slot, SlotRequest
from twisted_quotes.grep.arguments import (
    GrepFailed,
    any_term_arguments,
    line_arguments,
)
from twisted_quotes.grep.runner import MAX_BUFFERED, GrepRunner, GrepSession
from twisted_quotes.library.dictionary import Dictionary
from twisted_quotes.library.library import Library
from twisted_quotes.library.stability import MAX_ATTEMPTS
from twisted_quotes.processes.process import Outcome
from twisted_quotes.query.queries import Search
from twisted_quotes.text.lines import Lines, lines_containing, parse_lines

from .batch_queue import BatchQueue
from .grep_pool import MAX_OUTPUT, GrepPool, PrestartedGrep


class SearchBatcher:
    """
    Runs one grep for several searches.

    @param max_greps: the number of greps that can read a dictionary at the same time
        without slowing each other down: the number of cores.
    @param grep_pool: prestarted greps, for a search that is the only one.
    """

    def __init__(
        self, runner: GrepRunner, library: Library, max_greps: int, grep_pool: GrepPool
    ) -> None:
        self._runner = runner
        self._library = library
        self._max_greps = max_greps
        self._grep_pool = grep_pool
        # The queues of the dictionaries that are being searched, by name.
        self._queues = WeakValueDictionary[str, BatchQueue[Lines]]()
        self._searches_in_progress = 0
        # The length of the latest run of searches that did not overlap.
        self._sequential_searches = 0

    async def search(
        self, dictionary_name: str, query: Search, slot_request: SlotRequest
    ) -> Lines | GrepSession:
        """
        Find the lines that contain a term, or get a slot to search for them alone.

        @param query: a L{bytewise search<is_bytewise_search>}.
        @return: the lines, of which the query may select a part; or a session in
            which to search without a batch.
        @raise TooBusy: the queue is full.
        @raise TooManyRequests: the client has more requests waiting than its share.
        @raise QuotesError: the dictionary cannot be opened, or grep took too long.
        """
        self._sequential_searches = (
            0 if self._searches_in_progress else self._sequential_searches + 1
        )
        self._searches_in_progress += 1
        queue = self._queues.get(dictionary_name)
        if queue is None:
            queue = BatchQueue[Lines](self._runner.reactor, self._max_greps)
            self._queues[dictionary_name] = queue
        acquire = self._runner.limiter.acquire
        try:
            for _ in range(1 + MAX_ATTEMPTS):
                turn = await queue.wait_for_turn(query.term, acquire(slot_request))
                if isinstance(turn, Slot):
                    return await self._search_in_slot(
                        dictionary_name, query, queue, turn
                    )
                if turn is not None:
                    self._runner.metrics.batched_searches.inc()
                    return turn
                # The search that ran the grep failed or was cancelled.
                acquire = self._runner.limiter.reacquire
            return GrepSession(self._runner, await acquire(slot_request))
        finally:
            self._searches_in_progress -= 1

    async def _search_in_slot(
        self, dictionary_name: str, query: Search, queue: BatchQueue[Lines], slot: Slot
    ) -> Lines | GrepSession:
        try:
            with ExitStack() as stack:
                session = stack.enter_context(GrepSession(self._runner, slot))
                lines = await self._find_lines(dictionary_name, query, queue, session)
                if lines is None:
                    # The caller closes it.
                    stack.pop_all()
                return session if lines is None else lines
        finally:
            queue.search_ended()

    async def _find_lines(
        self,
        dictionary_name: str,
        query: Search,
        queue: BatchQueue[Lines],
        grep_session: GrepSession,
    ) -> Lines | None:
        """
        Find the lines for a search, and for those that wait in the queue.

        @return: L{None} if the search has to be run without a batch.
        """
        if self._searches_in_progress == 1:
            prestarted = self._grep_pool.acquire(dictionary_name, query.term)
            if prestarted is not None:
                with prestarted:
                    return await self._use_prestarted(
                        dictionary_name, prestarted, grep_session
                    )
        with self._library.open(dictionary_name) as dictionary:
            if dictionary.size >= MAX_BUFFERED:
                return None
            batch = queue.take_batch()
            arguments = line_arguments(query, query.end)
            if batch:
                terms = [query.term, *(search.term for search in batch)]
                arguments = any_term_arguments(terms)
            output = None
            try:
                running = grep_session.run(
                    arguments, None, dictionary.fileno(), MAX_OUTPUT
                )
                output = await self._wait_for_output(
                    dictionary_name, dictionary, running
                )
            finally:
                for search in batch:
                    search.deliver(_parse(output, search.term))
        return _parse(output, query.term if batch else None)

    async def _use_prestarted(
        self,
        dictionary_name: str,
        prestarted: PrestartedGrep,
        grep_session: GrepSession,
    ) -> Lines | None:
        """Return the lines that a prestarted grep prints, L{None} if it failed."""
        dictionary = prestarted.dictionary
        running = grep_session.wait_for_outcome(
            prestarted.child, dictionary.fileno(), prestarted.start_offset
        )
        try:
            output = await self._wait_for_output(dictionary_name, dictionary, running)
        except GrepFailed:
            # It may have been killed before it got the term.
            return None
        return _parse(output)

    async def _wait_for_output(
        self,
        dictionary_name: str,
        dictionary: Dictionary,
        running: Coroutine[Deferred[Any], Any, Outcome],
    ) -> bytes | None:
        """
        Wait for the output of a grep, and prestart the next one meanwhile.

        While several searches are in progress, a prestarted grep would make none of
        them faster, and cost time of this process.

        @return: L{None} if the output is incomplete, or the dictionary has changed.
        """
        deferred = Deferred.fromCoroutine(running)
        if (
            self._searches_in_progress == 1
            and self._sequential_searches > 1
            and not deferred.called
        ):
            self._grep_pool.prestart(dictionary_name)
        outcome = await deferred
        is_consistent = outcome.is_complete and dictionary.is_unchanged()
        return outcome.stdout if is_consistent else None


def _parse(output: bytes | None, term: str | None = None) -> Lines | None:
    """Parse the lines of the output; only those that contain the term, if given."""
    if output is None:
        return None
    return parse_lines(output if term is None else lines_containing(term, output))
