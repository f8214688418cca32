"""
Cursors: the numbers of the quotes that match, found as far as they are asked for.
"""

from __future__ import annotations

import os
import sys
from abc import ABC, abstractmethod
from dataclasses import replace

from twisted_quotes.grep import arguments as grep
from twisted_quotes.grep import output as grep_output
from twisted_quotes.grep.arguments import GrepFailed
from twisted_quotes.grep.runner import GrepSession
from twisted_quotes.library.index import Index, IndexFiles
from twisted_quotes.processes.process import Outcome
from twisted_quotes.query.queries import Pattern, Selection
from twisted_quotes.text.normalization import normalize_for_search, normalize_term

MAX_POSITIONS = 100_000
"""How many numbers are best taken at one time, at the most."""

_MAX_OUTPUT = 8 * 1024 * 1024
"""About how many bytes grep may print before what it found is read."""


def normalize_pattern(pattern: Pattern) -> Pattern:
    """What to look for in folded texts, where a pattern is to be found."""
    return replace(pattern, term=normalize_term(pattern.term, pattern.regex))


class Cursor(ABC):
    """
    The numbers of the quotes that match, in order, counted from 0.
    """

    @abstractmethod
    async def fetch(self, limit: int) -> list[int]:
        """The next ones; fewer than C{most} only where no more follow."""

    @abstractmethod
    async def count_remaining(self) -> int:
        """How many are left. They count as taken."""

    async def skip(self, limit: int) -> int:
        """
        Pass over the next ones.

        @return: how many they were; fewer than C{most} only where no more follow.
        """
        skipped = 0
        while skipped < limit:
            batch_size = min(limit - skipped, MAX_POSITIONS)
            found = await self.fetch(batch_size)
            skipped += len(found)
            if len(found) < batch_size:
                break
        return skipped


class AllQuotesCursor(Cursor):
    """
    All quotes.

    @param count: how many there are.
    """

    def __init__(self, count: int) -> None:
        self._remaining = range(count)

    async def fetch(self, limit: int) -> list[int]:
        """The next ones."""
        fetched, self._remaining = self._remaining[:limit], self._remaining[limit:]
        return list(fetched)

    async def count_remaining(self) -> int:
        """How many are left."""
        remaining, self._remaining = self._remaining, range(0)
        return len(remaining)


class MatchCursor(Cursor):
    """
    The quotes whose line in a column matches.

    grep leaves the column's position after the last match it printed, and the
    next grep goes on there: between two of them nothing runs, and nothing is
    kept.

    @param grep_session: runs grep.
    @param file_descriptor: the file descriptor of the column, at its start.
    @param mean_size: how many bytes a line has, on average.
    @param pattern: what is looked for, folded.
    """

    def __init__(
        self,
        grep_session: GrepSession,
        file_descriptor: int,
        mean_size: int,
        pattern: Pattern,
    ) -> None:
        self._grep_session = grep_session
        self._file_descriptor = file_descriptor
        self._max_batch_size = max(1, _MAX_OUTPUT // mean_size)
        self._pattern = pattern
        self._next_position = 0
        self._at_end = False

    async def fetch(self, limit: int) -> list[int]:
        """The next ones."""
        fetched: list[int] = []
        while len(fetched) < limit and not self._at_end:
            fetched += await self._fetch_batch(
                min(limit - len(fetched), self._max_batch_size)
            )
        return fetched

    async def _fetch_batch(self, limit: int) -> list[int]:
        """The next ones; fewer than C{wanted} where their lines are long."""
        offset = os.lseek(self._file_descriptor, 0, os.SEEK_CUR)
        arguments = grep.line_number_arguments(self._pattern, limit)
        outcome = await self._run_grep(arguments, 2 * _MAX_OUTPUT)
        if not outcome.is_complete:
            if limit == 1:
                raise GrepFailed("grep printed more than there is")
            os.lseek(self._file_descriptor, offset, os.SEEK_SET)
            return await self._fetch_batch(max(1, limit // 8))
        found = grep_output.parse_line_numbers(outcome.stdout)
        self._at_end = len(found) < limit
        first = self._next_position
        if found:
            self._next_position += found[-1] + 1
        return [first + each for each in found]

    async def count_remaining(self) -> int:
        """How many are left."""
        if self._at_end:
            return 0
        self._at_end = True
        outcome = await self._run_grep(grep.count_arguments(self._pattern))
        return grep_output.parse_count(outcome.stdout)

    async def _run_grep(
        self, arguments: tuple[str, ...], max_output: int | None = None
    ) -> Outcome:
        return await self._grep_session.run(
            arguments, self._pattern, self._file_descriptor, max_output
        )


class IntersectionCursor(Cursor):
    """
    The quotes that match in two ways.

    @param cursor: those that match in one.
    @param flags: for each quote, whether it matches in the other: 1 or 0.
    """

    def __init__(self, cursor: Cursor, flags: bytearray) -> None:
        self._cursor = cursor
        self._flags = flags
        self._buffered: list[int] = []
        self._at_end = False

    async def fetch(self, limit: int) -> list[int]:
        """The next ones."""
        while len(self._buffered) < limit and not self._at_end:
            found = await self._cursor.fetch(MAX_POSITIONS)
            self._buffered += [each for each in found if self._flags[each]]
            self._at_end = len(found) < MAX_POSITIONS
        fetched, self._buffered = self._buffered[:limit], self._buffered[limit:]
        return fetched

    async def count_remaining(self) -> int:
        """How many are left."""
        return await self.skip(sys.maxsize)


async def open_cursor(
    grep_session: GrepSession,
    index: Index,
    index_files: IndexFiles,
    selection: Selection,
) -> Cursor:
    """
    Look for what is selected.

    @param grep_session: runs grep.
    @param index: of the dictionary to look in.
    @param index_files: its columns, just opened.
    """
    cursor: Cursor = AllQuotesCursor(index.count)
    if selection.author is not None:
        author = Pattern(normalize_for_search(selection.author), ignore_case=True)
        cursor = MatchCursor(grep_session, index_files.authors, index.mean_size, author)
    if selection.pattern is None:
        return cursor
    matching = MatchCursor(
        grep_session,
        index_files.texts,
        index.mean_size,
        normalize_pattern(selection.pattern),
    )
    if selection.author is None:
        return matching
    flags = bytearray(index.count)
    while positions := await cursor.fetch(MAX_POSITIONS):
        for each in positions:
            flags[each] = 1
    return IntersectionCursor(matching, flags)
