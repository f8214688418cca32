"""
Searching together: one grep for all who wait, where it will do.

What databases do for transactions that wait to be written: searches of the same
dictionary gather while there is no place for them, or as many greps look
through it as can do so at one time. The first to begin has its grep look for
what all of them look for. So a grep answers the more, the more there is to do,
and a search that need not wait is held up by nobody.

Who searches when nobody else does may find a grep that was started ahead, and
need not wait for that either.

Each is given exactly what a grep of its own would have printed: bytes are
looked for, as they stand, and a line that was printed is for those whose term
it holds. What cannot be dealt out so is searched alone, as ever.
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any

from twisted.internet.defer import Deferred

from twisted_quotes.concurrency.limiter import SlotRequest
from twisted_quotes.library.dictionary import Dictionary
from twisted_quotes.library.library import Library
from twisted_quotes.library.stability import MAX_ATTEMPTS
from twisted_quotes.processes.process import Outcome
from twisted_quotes.query.queries import Search
from twisted_quotes.text.lines import Lines, lines_containing, parse_lines

from . import arguments as grep
from .arguments import GrepFailed
from .batch_queue import BatchQueue
from .prestart import MAX_OUTPUT, GrepPool, PrestartedGrep
from .runner import MAX_BUFFERED, GrepRunner, GrepSession

MAX_TERMS, MAX_BYTES = 64, 64 * 1024
"""For how many terms one grep may look, and how many bytes they may have."""


class SearchBatcher:
    """
    Has searches that wait answered by one grep.

    @param runner: runs grep.
    @param library: the dictionaries.
    @param max_greps: how many greps can look through a dictionary at one time,
        and none is slower for it: as many as there are cores.
    @param grep_pool: greps started ahead, for those who need not wait.
    """

    def __init__(
        self,
        runner: GrepRunner,
        library: Library,
        max_greps: int,
        grep_pool: GrepPool,
    ) -> None:
        self._grep_pool = grep_pool
        self._runner = runner
        self._library = library
        self._batch_queue: BatchQueue[Lines] = BatchQueue(runner.reactor, max_greps)
        self._searches_in_progress = 0
        # How many of the last searches found none under way when they came.
        self._sequential_searches = 0

    @property
    def _is_only_search(self) -> bool:
        return self._searches_in_progress == 1

    async def search(
        self, dictionary_name: str, query: Search, claim: SlotRequest
    ) -> Lines | GrepSession:
        """
        Find the lines that hold a term, or wait for a place to look for them in.

        @param dictionary_name: the name of a dictionary.
        @param query: what is looked for, which is L{plain<grep.is_bytewise_search>}.
        @param claim: whose place it takes.
        @return: the lines, of which the query may want a part; or a place, where
            they are to be looked for alone.
        @raise TooBusy: as many wait as may.
        @raise TooManyRequests: the client has more waiting than its share.
        @raise QuotesError: there is no such dictionary, it may not be read, or
            grep took too long.
        """
        self._sequential_searches = (
            0 if self._searches_in_progress else self._sequential_searches + 1
        )
        self._searches_in_progress += 1
        try:
            return await self._wait_and_search(dictionary_name, query, claim)
        finally:
            self._searches_in_progress -= 1

    async def _wait_and_search(
        self, dictionary_name: str, query: Search, claim: SlotRequest
    ) -> Lines | GrepSession:
        """Wait until it is to be searched, or has been, and search."""
        result = await self._batch_queue.wait_for_turn(
            dictionary_name, query.term, self._runner.limiter.acquire(claim)
        )
        for _ in range(MAX_ATTEMPTS):
            if result is not None:
                break
            # Who was to find it has left, or failed: it gathers once more.
            acquiring = self._runner.limiter.reacquire(claim)
            result = await self._batch_queue.wait_for_turn(
                dictionary_name, query.term, acquiring
            )
        if isinstance(result, Lines):
            self._runner.metrics.batched_searches.inc()
            return result
        if result is None:
            return await self._runner.reacquire_session(claim)
        grep_session = GrepSession(self._runner, result)
        try:
            found = await self._search(dictionary_name, query, grep_session)
        except BaseException:
            grep_session.close()
            raise
        else:
            if found is None:
                return grep_session
            grep_session.close()
            return found
        finally:
            self._batch_queue.search_ended(dictionary_name)

    async def _search(
        self, dictionary_name: str, query: Search, grep_session: GrepSession
    ) -> Lines | None:
        """
        Find the lines that hold a term, and those that others wait for.

        @return: L{None} if they are to be looked for alone.
        """
        prestarted = (
            self._grep_pool.acquire(dictionary_name, query.term)
            if self._is_only_search
            else None
        )
        if prestarted is not None:
            with prestarted:
                output = await self._wait_for_prestarted(
                    dictionary_name, prestarted, grep_session
                )
            return None if output is None else parse_lines(output)
        with self._library.open(dictionary_name) as dictionary:
            if dictionary.state.size >= MAX_BUFFERED:
                return None
            batch = self._batch_queue.take_batch(
                dictionary_name, MAX_TERMS - 1, MAX_BYTES
            )
            output = None
            try:
                terms = [query.term, *(each.term for each in batch)]
                output = await self._run_grep(
                    dictionary_name, dictionary, query, terms, grep_session
                )
            finally:
                # Whatever came between, nobody waits in vain.
                for each in batch:
                    each.deliver(
                        None if output is None else _lines_for_term(each.term, output)
                    )
        if output is None or not batch:
            return None if output is None else parse_lines(output)
        return _lines_for_term(query.term, output)

    async def _wait_for_prestarted(
        self,
        dictionary_name: str,
        prestarted: PrestartedGrep,
        grep_session: GrepSession,
    ) -> bytes | None:
        """What a grep prints that was started ahead, and has been told the term."""
        coroutine = grep_session.wait_for_outcome(
            prestarted.child, prestarted.bytes_read
        )
        try:
            outcome = await self._wait_and_prestart(dictionary_name, coroutine)
        except GrepFailed:
            # It may have been dying before it was told; another one is run.
            return None
        return _consistent_output(outcome, prestarted.dictionary)

    async def _run_grep(
        self,
        dictionary_name: str,
        dictionary: Dictionary,
        query: Search,
        terms: Sequence[str],
        grep_session: GrepSession,
    ) -> bytes | None:
        """Have grep print what is looked for, in one state of the dictionary."""
        arguments = grep.line_arguments(query, query.end)
        if len(terms) > 1:
            arguments = grep.any_term_arguments(terms)
        outcome = await self._wait_and_prestart(
            dictionary_name,
            grep_session.run(arguments, None, dictionary.fileno(), MAX_OUTPUT),
        )
        return _consistent_output(outcome, dictionary)

    async def _wait_and_prestart(
        self, dictionary_name: str, coroutine: Coroutine[Deferred[Any], Any, Outcome]
    ) -> Outcome:
        """
        Wait for a grep; while it runs, have the next one started.

        Where searches come at the same time, to start one earlier makes none of
        them shorter, and this process has enough to do.
        """
        answered = Deferred.fromCoroutine(coroutine)
        if (
            self._is_only_search
            and self._sequential_searches > 1
            and not answered.called
        ):
            self._grep_pool.prestart(dictionary_name)
        return await answered


def _consistent_output(outcome: Outcome, dictionary: Dictionary) -> bytes | None:
    """What grep has printed, if it is all, and of one state of the dictionary."""
    is_consistent = outcome.is_complete and dictionary.is_unchanged()
    return outcome.stdout if is_consistent else None


def _lines_for_term(term: str, output: bytes) -> Lines:
    """What one of several looked for, of what grep has printed for all."""
    return parse_lines(lines_containing(term, output))
