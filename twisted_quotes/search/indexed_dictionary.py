"""
Volumes: dictionaries open together with their indexes, to find whole quotes in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from twisted_quotes.errors import DictionaryChanging, EntryTooLong
from twisted_quotes.grep import arguments as grep
from twisted_quotes.grep import output as grep_output
from twisted_quotes.grep.runner import Greps
from twisted_quotes.library.dictionary import Dictionary
from twisted_quotes.library.index import Columns, Index, runs
from twisted_quotes.library.indexes import InThread
from twisted_quotes.query.queries import Selection
from twisted_quotes.text.quotes import Quote, Span, text_of

from .cursor import Cursor, open_cursor
from .results import MOST_BYTES

T = TypeVar("T")

READ_AT_ONCE = 128 * 1024
"""About how many bytes of quotes are read, and dealt with, at one time."""

_GAP = 1024
"""How many bytes between two quotes are read for nothing, at the most."""

_MOST_AT_ONCE = 1000
"""How many quotes are, at the most."""


class NotReady(Exception):
    """A dictionary has no index as it is now, or is no longer there."""


class Volume:
    """
    A dictionary, open together with its index.

    @param name: the dictionary's name.
    @param in_thread: runs what may block.
    """

    def __init__(
        self,
        name: str,
        dictionary: Dictionary,
        index: Index,
        columns: Columns,
        in_thread: InThread,
    ) -> None:
        self.name = name
        self.state = dictionary.state
        self.count = index.count
        self._dictionary = dictionary
        self._index = index
        self._columns = columns
        self._in_thread = in_thread

    async def open_cursor(self, greps: Greps, selection: Selection) -> Cursor:
        """Look for the quotes that are selected; once for each volume."""
        return await open_cursor(greps, self._index, self._columns, selection)

    async def number_of(self, greps: Greps, identity: str) -> int | None:
        """The number of the first quote with an id, if there is one."""
        outcome = await greps.run(
            grep.whole_line_arguments(identity),
            grep.environment(None),
            self._columns.ids,
        )
        return next(iter(grep_output.read_numbers(outcome.output)), None)

    async def read(
        self,
        numbers: Sequence[int],
        before: int = 0,
        after: int = 0,
        size: int = READ_AT_ONCE,
    ) -> list[Quote]:
        """
        Read quotes.

        @param numbers: their numbers, in ascending order, one at least.
        @param before: how many quotes before each to read with it, as they
            stand in the file.
        @param after: how many after each.
        @param size: about how many bytes to read, 1 or more.
        @return: the first ones of them, one at least, as many as are read at
            one time.
        @raise DictionaryChanging: the file has been written to.
        @raise EntryTooLong: a quote with those around it is longer than may be.
        @raise NotReady: the index does not know them all.
        """
        read: list[tuple[Span, bytes]] = await self._in_thread(
            self._read, numbers, before, after, size
        )
        if not self._dictionary.is_unchanged():
            raise DictionaryChanging()
        return [Quote(self.name, span.line, text_of(data)) for span, data in read]

    async def read_all(
        self, numbers: Sequence[int], before: int = 0, after: int = 0
    ) -> list[Quote]:
        """Read quotes, all of them, a piece at a time."""
        quotes: list[Quote] = []
        while len(quotes) < len(numbers):
            next_ones = numbers[len(quotes) : len(quotes) + _MOST_AT_ONCE]
            quotes += await self.read(next_ones, before, after)
        return quotes

    async def sizes(self, numbers: Sequence[int]) -> list[int]:
        """How many bytes quotes have; their numbers are in ascending order."""
        spans: list[Span] = await self._in_thread(
            lambda: list(self._spans(numbers, 0, 0))
        )
        if len(spans) < len(numbers):
            raise NotReady()
        return [span.end - span.start for span in spans]

    def _read(
        self, numbers: Sequence[int], before: int, after: int, room: int
    ) -> list[tuple[Span, bytes]]:
        spans: list[Span] = []
        for span in self._spans(numbers, before, after):
            room -= span.end - span.start
            if span.end - span.start > MOST_BYTES:
                raise EntryTooLong(MOST_BYTES)
            if spans and room < 0:
                break
            spans.append(span)
        if not spans:
            raise NotReady()
        return [
            each for group in _neighbours(spans) for each in self._read_group(group)
        ]

    def _read_group(self, spans: Sequence[Span]) -> Iterator[tuple[Span, bytes]]:
        """Read quotes that stand near each other, at one go."""
        first = spans[0].start
        data = self._dictionary.read_at(first, spans[-1].end)
        for span in spans:
            yield span, data[span.start - first : span.end - first]

    def _spans(self, numbers: Sequence[int], before: int, after: int) -> Iterator[Span]:
        if not (before or after):
            for first, last in runs(numbers):
                yield from self._columns.read_spans(first, last)
            return
        for number in numbers:
            first = max(0, number - before)
            last = min(self.count, number + after + 1)
            [start] = self._columns.read_spans(first, first + 1)
            [end] = self._columns.read_spans(last - 1, last)
            yield Span(start.start, end.end, start.line)


def _neighbours(spans: Sequence[Span]) -> Iterator[list[Span]]:
    """
    Divide quotes into those that are best read together.

    Each read lets another thread go on, which then takes its time.
    """
    group = [spans[0]]
    for span in spans[1:]:
        if span.start - group[-1].end > _GAP:
            yield group
            group = []
        group.append(span)
    yield group
