"""
Cursors: the positions of matching quotes, found as they are needed.
"""

from __future__ import annotations

import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace

from twisted_quotes.grep import arguments as grep
from twisted_quotes.grep import output as grep_output
from twisted_quotes.grep.arguments import GrepFailed
from twisted_quotes.grep.runner import GrepSession
from twisted_quotes.query.queries import Pattern
from twisted_quotes.text.normalization import normalize_term

MAX_POSITIONS = 100_000
"""The maximum number of positions to fetch at a time."""

_MAX_OUTPUT = 8 * 1024 * 1024
"""The approximate maximum size of the output of a grep, in bytes."""


def normalize_pattern(pattern: Pattern) -> Pattern:
    """Return the pattern to search normalized text for."""
    return replace(pattern, term=normalize_term(pattern.term, pattern.regex))


class Cursor(ABC):
    """The positions of matching quotes in a dictionary, in order, counted from 0."""

    @abstractmethod
    async def fetch(self, limit: int) -> Sequence[int]:
        """Fetch the next positions; fewer than C{limit} only at the end."""

    async def skip(self, limit: int) -> int:
        """Skip the next positions, at most C{limit}, and return their number."""
        skipped = 0
        while skipped < limit:
            batch_size = min(limit - skipped, MAX_POSITIONS)
            batch_count = len(await self.fetch(batch_size))
            skipped += batch_count
            if batch_count < batch_size:
                break
        return skipped

    async def count_remaining(self) -> int:
        """Skip all positions, and return their number."""
        return await self.skip(sys.maxsize)


class AllQuotesCursor(Cursor):
    """The positions of all quotes."""

    def __init__(self, quote_count: int) -> None:
        self._remaining = range(quote_count)

    async def fetch(self, limit: int) -> Sequence[int]:
        """Fetch the next positions."""
        fetched, self._remaining = self._remaining[:limit], self._remaining[limit:]
        return fetched


class MatchCursor(Cursor):
    """
    The quotes whose line in an index file matches.

    grep leaves the offset of the file after the last match that it prints, and the
    next grep continues there. Between two of them no process runs.

    @param file_descriptor: the index file, at its start.
    @param mean_size: the mean size of its lines, in bytes.
    @param pattern: what to search for, normalized.
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

    async def fetch(self, limit: int) -> Sequence[int]:
        """Fetch the next positions."""
        fetched: list[int] = []
        batch_size = self._max_batch_size
        while len(fetched) < limit and not self._at_end:
            batch_size = min(limit - len(fetched), batch_size)
            offset = os.lseek(self._file_descriptor, 0, os.SEEK_CUR)
            outcome = await self._grep_session.run(
                grep.line_number_arguments(self._pattern, batch_size),
                self._pattern,
                self._file_descriptor,
                2 * _MAX_OUTPUT,
            )
            if not outcome.is_complete:
                if batch_size == 1:
                    raise GrepFailed("grep printed more than a line of the index")
                # These lines are longer than the mean: search for fewer of them.
                os.lseek(self._file_descriptor, offset, os.SEEK_SET)
                batch_size = max(1, batch_size // 8)
                continue
            lines = grep_output.parse_line_numbers(outcome.stdout)
            fetched += [self._next_position + line for line in lines]
            if lines:
                self._next_position += lines[-1] + 1
            self._at_end = len(lines) < batch_size
            batch_size = self._max_batch_size
        return fetched

    async def count_remaining(self) -> int:
        """Have grep count the remaining matches."""
        if self._at_end:
            return 0
        self._at_end = True
        outcome = await self._grep_session.run(
            grep.count_arguments(self._pattern), self._pattern, self._file_descriptor
        )
        return grep_output.parse_count(outcome.stdout)


class IntersectionCursor(Cursor):
    """
    The quotes that match in two ways.

    @param cursor: the quotes that match in one way.
    @param flags: for each quote, 1 if it matches in the other way, else 0.
    """

    def __init__(self, cursor: Cursor, flags: bytearray) -> None:
        self._cursor = cursor
        self._flags = flags
        self._buffered: list[int] = []
        self._at_end = False

    async def fetch(self, limit: int) -> Sequence[int]:
        """Fetch the next positions."""
        while len(self._buffered) < limit and not self._at_end:
            positions = await self._cursor.fetch(MAX_POSITIONS)
            self._buffered += [each for each in positions if self._flags[each]]
            self._at_end = len(positions) < MAX_POSITIONS
        fetched, self._buffered = self._buffered[:limit], self._buffered[limit:]
        return fetched
