"""
Finding lines, with the lines around them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from twisted_quotes.concurrency.limiter import Claim
from twisted_quotes.errors import (
    DictionaryChanging,
    DictionaryForbidden,
    DictionaryNotFound,
)
from twisted_quotes.grep import arguments as grep
from twisted_quotes.grep import output as grep_output
from twisted_quotes.grep.batching import Together
from twisted_quotes.grep.runner import MAX_BUFFERED, GrepRunner, Greps
from twisted_quotes.library.dictionary import Dictionary, State
from twisted_quotes.library.indexes import InThread
from twisted_quotes.library.library import Library
from twisted_quotes.library.stability import ATTEMPTS
from twisted_quotes.query.queries import EVERY_DICTIONARY, All, Search
from twisted_quotes.text.lines import (
    Lines,
    NormalizedFile,
    joined,
    size_of,
    text_lines,
    with_context,
)

from .line_reader import reader_of
from .results import EntryResults, NotAtOnce, few, pieces


class LineFinder:
    """
    Finds entries that are lines by running grep on the dictionaries themselves.

    @param runner: runs grep.
    @param library: the dictionaries.
    @param in_thread: runs what may take a while.
    @param together: has searches that wait answered by one grep; L{None} to have
        each searched alone.
    """

    def __init__(
        self,
        runner: GrepRunner,
        library: Library,
        in_thread: InThread,
        together: Together | None = None,
    ) -> None:
        self._together = together
        self._runner = runner
        self._library = library
        self._in_thread = in_thread

    async def find(
        self, asked: str, query: Search | All, results: EntryResults, claim: Claim
    ) -> None:
        """
        Find entries.

        @param asked: the name of a dictionary, or C{"*"} for every one.
        """
        place = await self._place_or_lines(asked, query, claim)
        if isinstance(place, Lines):
            lines = place[query.offset : query.end]
            results.begin(len(lines))
            results.add(lines)
            return
        with place as greps:
            for _ in range(ATTEMPTS):
                long = results.long
                entries = None if long else await self._at_once(asked, query, greps)
                if entries is not None:
                    results.begin(len(entries))
                    results.add(entries)
                    return
                if results.whole:
                    raise NotAtOnce()
                try:
                    await self._piecemeal(asked, query, greps, results)
                    return
                except DictionaryChanging:
                    if not results.begin_anew():
                        raise
        raise DictionaryChanging()

    async def _place_or_lines(
        self, asked: str, query: Search | All, claim: Claim
    ) -> Greps | Lines:
        """Wait for a place, or for the lines that another search has found."""
        if (
            self._together is None
            or asked == EVERY_DICTIONARY
            or not isinstance(query, Search)
            or not grep.is_plain(query)
        ):
            return await self._runner.take_place(claim)
        return await self._together.search(asked, query, claim)

    # All at once

    async def _at_once(
        self, asked: str, query: Search | All, greps: Greps
    ) -> Sequence[str] | None:
        """Find all entries, unless they are many: then there are L{None}."""
        parts: list[Sequence[str]] = []
        count, room = 0, MAX_BUFFERED
        end = query.end
        for name in await self._library.named(asked, self._in_thread):
            most = None if end is None else end - count
            if most == 0:
                break
            try:
                found = await self._entries_of(name, query, most, room, greps)
            except (DictionaryForbidden, DictionaryNotFound):
                # Of every dictionary, none that is gone by now is missed.
                if asked != EVERY_DICTIONARY:
                    raise
                continue
            if found is None:
                return None
            parts.append(found)
            count += len(found)
            room -= size_of(found)
        return joined(parts)[query.offset : end]

    async def _entries_of(
        self, name: str, query: Search | All, most: int | None, room: int, greps: Greps
    ) -> Sequence[str] | None:
        """Find entries in one dictionary, in one state of it, unless they are many."""
        for _ in range(ATTEMPTS):
            with self._library.open(name) as dictionary:
                lines = await self._lines_of(dictionary, query, most, room, greps)
                if lines is None or dictionary.is_unchanged():
                    break
        else:
            raise DictionaryChanging()
        if lines is not None and (query.n_before or query.n_after):
            lines, matches = grep_output.numbered_lines(lines)
            around = with_context(lines, matches, query.n_before, query.n_after)
            return few(islice(around, most), room)
        return lines and lines[:most]

    async def _lines_of(
        self,
        dictionary: Dictionary,
        query: Search | All,
        most: int | None,
        room: int,
        greps: Greps,
    ) -> Sequence[str] | None:
        """Have grep print lines of a dictionary, unless they are many."""
        pattern = query.selection.pattern
        if pattern is None and most is None and dictionary.state.size > room:
            return None
        regex = pattern is not None and pattern.regex
        stdin: int | NormalizedFile = dictionary.fileno()
        if await self._is_to_be_normalized(dictionary, query, greps):
            stdin = NormalizedFile(dictionary.reading())
        outcome = await greps.run(
            grep.line_arguments(query, most),
            grep.environment(pattern),
            stdin,
            regex,
            max(1, room),
        )
        if not outcome.is_whole:
            return None
        return text_lines(outcome.output, isinstance(stdin, NormalizedFile))

    async def _is_to_be_normalized(
        self, dictionary: Dictionary, query: Search | All, greps: Greps
    ) -> bool:
        """Whether grep must be fed the text of a dictionary instead of its bytes."""
        if not grep.needs_normalized_text(query.selection.pattern):
            return False
        outcome = await greps.run(
            grep.ABNORMAL_LINE_ARGUMENTS,
            grep.ABNORMAL_LINE_ENVIRONMENT,
            dictionary.fileno(),
        )
        dictionary.rewind()
        return outcome.status == 0

    # A piece at a time

    async def _piecemeal(
        self, asked: str, query: Search | All, greps: Greps, results: EntryResults
    ) -> None:
        """Count the entries, then find them a piece at a time."""
        counted = await self._counted(asked, query, greps)
        found = max(0, sum(count for _, _, count in counted) - query.offset)
        results.begin(found if query.most is None else min(found, query.most))
        skip = query.offset
        for name, state, count in counted:
            if skip < count and results.wanted:
                await self._read(name, state, query, skip, greps, results)
            skip = max(0, skip - count)

    async def _counted(
        self, asked: str, query: Search | All, greps: Greps
    ) -> list[tuple[str, State, int]]:
        """Count the entries in each dictionary, and tell the state it is in."""
        counted, pattern = [], query.selection.pattern
        for name in await self._library.named(asked, self._in_thread):
            try:
                dictionary = self._library.open(name)
            except (DictionaryForbidden, DictionaryNotFound):
                if asked != EVERY_DICTIONARY:
                    raise
                continue
            with dictionary:
                normalized = await self._is_to_be_normalized(dictionary, query, greps)
                outcome = await greps.run(
                    grep.count_arguments(pattern),
                    grep.environment(pattern),
                    NormalizedFile(dictionary.reading())
                    if normalized
                    else dictionary.fileno(),
                    pattern is not None and pattern.regex,
                )
                count = grep_output.read_count(outcome.output)
                counted.append((name, dictionary.state, count))
        return counted

    async def _read(
        self,
        name: str,
        state: State,
        query: Search | All,
        skip: int,
        greps: Greps,
        results: EntryResults,
    ) -> None:
        """Find entries in one dictionary, as fast as they are taken."""
        try:
            opened = self._library.open(name)
        except (DictionaryForbidden, DictionaryNotFound):
            raise DictionaryChanging() from None
        with opened as dictionary:
            if dictionary.state != state:
                raise DictionaryChanging()
            normalized = await self._is_to_be_normalized(dictionary, query, greps)
            reader = reader_of(dictionary, query, normalized, skip, self._in_thread)
            while results.wanted and not reader.at_end:
                found = pieces(await reader.read(greps), results.wanted)
                # Who takes a while to take them must not hold a place.
                greps.rest()
                if not dictionary.is_unchanged():
                    raise DictionaryChanging()
                for piece in found:
                    results.add(piece)
                    piece.clear()
                    await results.ready()
