"""
Cursors: the positions of matching quotes, found as they are needed.
"""

from __future__ import annotations

import os
import sys
from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace

from twisted_quotes.grep.arguments import (
    GrepFailed,
    count_arguments,
    line_number_arguments,
)
from twisted_quotes.grep.output import parse_count, parse_line_numbers
from twisted_quotes.grep.runner import GrepSession
from twisted_quotes.query.selection import Pattern
from twisted_quotes.text.combining_marks import exchange_marks
from twisted_quotes.text.normalization import normalize_term

MAX_POSITIONS = 100_000
"""The maximum number of positions to fetch at a time."""

_MAX_OUTPUT = 8 * 1024 * 1024
"""The approximate maximum size of the output of a grep, in bytes."""


def normalize_pattern(pattern: Pattern) -> Pattern:
    """Return the pattern to search the texts of an index for."""
    term = exchange_marks(normalize_term(pattern.term, pattern.regex))
    return replace(pattern, term=term)


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


@dataclass
class AllQuotesCursor(Cursor):
    """The positions of all quotes."""

    remaining: range

    async def fetch(self, limit: int) -> Sequence[int]:
        fetched, self.remaining = self.remaining[:limit], self.remaining[limit:]
        return fetched


@dataclass
class MatchCursor(Cursor):
    """
    The quotes whose line in an index file matches.

    grep leaves the offset of the file after the last match that it prints, and the
    next grep continues there. Between two of them no process runs.

    @ivar file_descriptor: the index file, at its start.
    @ivar mean_size: the mean size of its lines, in bytes.
    @ivar pattern: what to search for, normalized.
    """

    grep_session: GrepSession
    file_descriptor: int
    mean_size: int
    pattern: Pattern
    next_position: int = 0
    at_end: bool = False

    async def fetch(self, limit: int) -> Sequence[int]:
        fetched: list[int] = []
        max_batch_size = batch_size = max(1, _MAX_OUTPUT // self.mean_size)
        while len(fetched) < limit and not self.at_end:
            batch_size = min(limit - len(fetched), batch_size)
            offset = os.lseek(self.file_descriptor, 0, os.SEEK_CUR)
            outcome = await self.grep_session.run(
                line_number_arguments(self.pattern, batch_size),
                self.pattern,
                self.file_descriptor,
                2 * _MAX_OUTPUT,
            )
            if not outcome.is_complete:
                if batch_size == 1:
                    raise GrepFailed("grep printed more than a line of the index")
                # These lines are longer than the mean: search for fewer of them.
                os.lseek(self.file_descriptor, offset, os.SEEK_SET)
                batch_size = max(1, batch_size // 8)
                continue
            lines = parse_line_numbers(outcome.stdout)
            fetched += [self.next_position + line for line in lines]
            if lines:
                self.next_position += lines[-1] + 1
            self.at_end = len(lines) < batch_size
            batch_size = max_batch_size
        return fetched

    async def count_remaining(self) -> int:
        if self.at_end:
            return 0
        self.at_end = True
        outcome = await self.grep_session.run(
            count_arguments(self.pattern), self.pattern, self.file_descriptor
        )
        return parse_count(outcome.stdout)


@dataclass
class FlagsCursor(Cursor):
    """
    The quotes with a flag.

    @ivar flags: for each quote, 1 if it matches, else 0.
    """

    flags: bytes
    next_position: int = 0

    async def fetch(self, limit: int) -> Sequence[int]:
        fetched: list[int] = []
        while len(fetched) < limit:
            position = self.flags.find(1, self.next_position)
            if position < 0:
                break
            fetched.append(position)
            self.next_position = position + 1
        return fetched

    async def skip(self, limit: int) -> int:
        start, self.next_position = self.next_position, len(self.flags)
        count = self.flags.count(1, start)
        if limit < count:
            ends = range(start, len(self.flags))
            self.next_position = start + bisect_left(
                ends, limit, key=lambda end: self.flags.count(1, start, end)
            )
        return min(limit, count)
