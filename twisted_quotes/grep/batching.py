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

from twisted_quotes.concurrency.limiter import Claim
from twisted_quotes.library.dictionary import Dictionary
from twisted_quotes.library.library import Library
from twisted_quotes.library.stability import ATTEMPTS
from twisted_quotes.processes.process import Outcome
from twisted_quotes.query.queries import Search
from twisted_quotes.text.lines import Lines, lines_with, text_lines

from . import arguments as grep
from .arguments import GrepFailed
from .batch_queue import Turns
from .prestart import MOST_OUTPUT, Spare, SpareGreps
from .runner import MAX_BUFFERED, GrepRunner, Greps

MOST_TERMS, MOST_BYTES = 64, 64 * 1024
"""For how many terms one grep may look, and how many bytes they may have."""


class Together:
    """
    Has searches that wait answered by one grep.

    @param runner: runs grep.
    @param library: the dictionaries.
    @param most_greps: how many greps can look through a dictionary at one time,
        and none is slower for it: as many as there are cores.
    @param spares: greps started ahead, for those who need not wait.
    """

    def __init__(
        self,
        runner: GrepRunner,
        library: Library,
        most_greps: int,
        spares: SpareGreps,
    ) -> None:
        self._spares = spares
        self._runner = runner
        self._library = library
        self._turns: Turns[Lines] = Turns(runner.reactor, most_greps)
        self._under_way = 0
        # How many of the last searches found none under way when they came.
        self._in_a_row = 0

    @property
    def _is_alone(self) -> bool:
        return self._under_way == 1

    async def search(self, name: str, query: Search, claim: Claim) -> Lines | Greps:
        """
        Find the lines that hold a term, or wait for a place to look for them in.

        @param name: the name of a dictionary.
        @param query: what is looked for, which is L{plain<grep.is_plain>}.
        @param claim: whose place it takes.
        @return: the lines, of which the query may want a part; or a place, where
            they are to be looked for alone.
        @raise TooBusy: as many wait as may.
        @raise TooManyRequests: the client has more waiting than its share.
        @raise QuotesError: there is no such dictionary, it may not be read, or
            grep took too long.
        """
        self._in_a_row = 0 if self._under_way else self._in_a_row + 1
        self._under_way += 1
        try:
            return await self._take_turn(name, query, claim)
        finally:
            self._under_way -= 1

    async def _take_turn(self, name: str, query: Search, claim: Claim) -> Lines | Greps:
        """Wait until it is to be searched, or has been, and search."""
        turn = await self._turns.turn(name, query.term, self._runner.places.take(claim))
        for _ in range(ATTEMPTS):
            if turn is not None:
                break
            # Who was to find it has left, or failed: it gathers once more.
            place = self._runner.places.take_again(claim)
            turn = await self._turns.turn(name, query.term, place)
        if isinstance(turn, Lines):
            self._runner.metrics.searches_together.inc()
            return turn
        if turn is None:
            return await self._runner.take_place_again(claim)
        greps = Greps(self._runner, turn)
        try:
            found = await self._search(name, query, greps)
        except BaseException:
            greps.close()
            raise
        else:
            if found is None:
                return greps
            greps.close()
            return found
        finally:
            self._turns.ended(name)

    async def _search(self, name: str, query: Search, greps: Greps) -> Lines | None:
        """
        Find the lines that hold a term, and those that others wait for.

        @return: L{None} if they are to be looked for alone.
        """
        spare = self._spares.take(name, query.term) if self._is_alone else None
        if spare is not None:
            with spare:
                output = await self._printed(name, spare, greps)
            return None if output is None else text_lines(output)
        with self._library.open(name) as dictionary:
            if dictionary.state.size >= MAX_BUFFERED:
                return None
            others = self._turns.join(name, MOST_TERMS - 1, MOST_BYTES)
            output = None
            try:
                terms = [query.term, *(each.term for each in others)]
                output = await self._print(name, dictionary, query, terms, greps)
            finally:
                # Whatever came between, nobody waits in vain.
                for each in others:
                    each.take(None if output is None else _found(each.term, output))
        if output is None or not others:
            return None if output is None else text_lines(output)
        return _found(query.term, output)

    async def _printed(self, name: str, spare: Spare, greps: Greps) -> bytes | None:
        """What a grep prints that was started ahead, and has been told the term."""
        answer = greps.answer(spare.child, spare.bytes_read)
        try:
            outcome = await self._outcome(name, answer)
        except GrepFailed:
            # It may have been dying before it was told; another one is run.
            return None
        return _good(outcome, spare.dictionary)

    async def _print(
        self,
        name: str,
        dictionary: Dictionary,
        query: Search,
        terms: Sequence[str],
        greps: Greps,
    ) -> bytes | None:
        """Have grep print what is looked for, in one state of the dictionary."""
        arguments = grep.line_arguments(query, query.end)
        if len(terms) > 1:
            arguments = grep.any_arguments(terms)
        outcome = await self._outcome(
            name,
            greps.run(
                *(arguments, grep.environment(query.selection.pattern)),
                dictionary.fileno(),
                most_output=MOST_OUTPUT,
            ),
        )
        return _good(outcome, dictionary)

    async def _outcome(
        self, name: str, answer: Coroutine[Deferred[Any], Any, Outcome]
    ) -> Outcome:
        """
        Wait for a grep; while it runs, have the next one started.

        Where searches come at the same time, to start one earlier makes none of
        them shorter, and this process has enough to do.
        """
        answered = Deferred.fromCoroutine(answer)
        if self._is_alone and self._in_a_row > 1 and not answered.called:
            self._spares.prepare(name)
        return await answered


def _good(outcome: Outcome, dictionary: Dictionary) -> bytes | None:
    """What grep has printed, if it is all, and of one state of the dictionary."""
    is_good = outcome.is_whole and dictionary.is_unchanged()
    return outcome.output if is_good else None


def _found(term: str, output: bytes) -> Lines:
    """What one of several looked for, of what grep has printed for all."""
    return text_lines(lines_with(term, output))
