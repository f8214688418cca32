"""
Cursors: the positions of matching quotes, found as they are needed.
"""

from __future__ import annotations

import os
import sys
from abc import ABC, abstractmethod
from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from twisted_quotes.grep.arguments import (
    GrepFailed,
    count_arguments,
    line_number_arguments,
)
from twisted_quotes.grep.output import parse_count, parse_line_numbers
from twisted_quotes.grep.parallel import run_in_parallel
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
    """The positions of matching quotes in a pack, in order, counted from 0."""

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
    """The positions of all quotes of a part."""

    remaining: range

    async def fetch(self, limit: int) -> Sequence[int]:
        fetched, self.remaining = self.remaining[:limit], self.remaining[limit:]
        return fetched


class Segment(NamedTuple):
    """
    A file, or the rest of one, with a line for each of some quotes.

    @ivar offset: the offset at which the first line starts.
    @ivar quotes: the numbers of the quotes.
    """

    descriptor: int
    offset: int
    quotes: range


@dataclass
class MatchCursor(Cursor):
    """
    The quotes whose line in a column matches.

    grep leaves the offset of the file after the last match that it prints, and the
    next grep continues there. Between two of them no process runs.

    @ivar segments: the parts of the column, in order.
    @ivar mean_size: the mean size of its lines, in bytes.
    @ivar pattern: what to search for, normalized.
    """

    grep_session: GrepSession
    segments: Sequence[Segment]
    mean_size: int
    pattern: Pattern

    def __post_init__(self) -> None:
        self._remaining = deque(self.segments)
        self._start_segment()

    def _start_segment(self) -> None:
        if self._remaining:
            descriptor, offset, quotes = self._remaining[0]
            os.lseek(descriptor, offset, os.SEEK_SET)
            self._next_position = quotes.start

    async def fetch(self, limit: int) -> Sequence[int]:
        fetched: list[int] = []
        max_batch_size = batch_size = max(1, _MAX_OUTPUT // self.mean_size)
        while len(fetched) < limit and self._remaining:
            batch_size = min(limit - len(fetched), batch_size)
            descriptor = self._remaining[0].descriptor
            offset = os.lseek(descriptor, 0, os.SEEK_CUR)
            outcome = await self.grep_session.run(
                line_number_arguments(self.pattern, batch_size),
                self.pattern,
                descriptor,
                2 * _MAX_OUTPUT,
            )
            if not outcome.is_complete:
                if batch_size == 1:
                    raise GrepFailed("grep printed more than a line of the index")
                # These lines are longer than the mean: search for fewer of them.
                os.lseek(descriptor, offset, os.SEEK_SET)
                batch_size = max(1, batch_size // 8)
                continue
            lines = parse_line_numbers(outcome.stdout)
            fetched += [self._next_position + line for line in lines]
            if lines:
                self._next_position += lines[-1] + 1
            if len(lines) < batch_size:
                self._remaining.popleft()
                self._start_segment()
            batch_size = max_batch_size
        return fetched

    async def count_remaining(self) -> int:
        segments = list(self._remaining)
        self._remaining.clear()
        for descriptor, offset, _ in segments[1:]:
            os.lseek(descriptor, offset, os.SEEK_SET)
        return sum(await run_in_parallel(self.grep_session, self._count, segments))

    async def _count(self, grep_session: GrepSession, segment: Segment) -> int:
        """Count the matches in a segment, from its file offset on."""
        outcome = await grep_session.run(
            count_arguments(self.pattern), self.pattern, segment.descriptor
        )
        return parse_count(outcome.stdout)


@dataclass
class FlagsCursor(Cursor):
    """
    The quotes with a flag.

    @ivar flags: for each quote, 1 if it matches, else 0.
    @ivar first: the number of the first quote.
    """

    flags: bytes
    first: int = 0
    next_position: int = 0

    async def fetch(self, limit: int) -> Sequence[int]:
        fetched: list[int] = []
        while len(fetched) < limit:
            position = self.flags.find(1, self.next_position)
            if position < 0:
                break
            fetched.append(self.first + position)
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
