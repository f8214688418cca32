"""
Volumes: dictionaries open together with their indexes, to find whole quotes in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from twisted_quotes.concurrency.threads import DeferToThread
from twisted_quotes.errors import DictionaryChanging, EntryTooLong
from twisted_quotes.grep import arguments as grep
from twisted_quotes.grep import output as grep_output
from twisted_quotes.grep.runner import GrepSession
from twisted_quotes.library.dictionary import Dictionary
from twisted_quotes.library.index import Index, IndexFiles, consecutive_ranges
from twisted_quotes.query.queries import Selection
from twisted_quotes.text.quotes import Quote, QuoteSpan, decode_quote

from .cursor import Cursor, open_cursor
from .results import MAX_ENTRY_BYTES

T = TypeVar("T")

READ_SIZE = 128 * 1024
"""About how many bytes of quotes are read, and dealt with, at one time."""

_MAX_GAP = 1024
"""How many bytes between two quotes are read for nothing, at the most."""

_MAX_QUOTES_PER_READ = 1000
"""How many quotes are, at the most."""


class IndexNotReady(Exception):
    """A dictionary has no index as it is now, or is no longer there."""


class IndexedDictionary:
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
        index_files: IndexFiles,
        in_thread: DeferToThread,
    ) -> None:
        self.name = name
        self.state = dictionary.state
        self.quote_count = index.count
        self._dictionary = dictionary
        self._index = index
        self._index_files = index_files
        self._in_thread = in_thread

    async def open_cursor(
        self, grep_session: GrepSession, selection: Selection
    ) -> Cursor:
        """Look for the quotes that are selected; once for each volume."""
        return await open_cursor(
            grep_session, self._index, self._index_files, selection
        )

    async def position_of(self, grep_session: GrepSession, quote_id: str) -> int | None:
        """The number of the first quote with an id, if there is one."""
        outcome = await grep_session.run(
            grep.whole_line_arguments(quote_id), None, self._index_files.ids
        )
        return next(iter(grep_output.parse_line_numbers(outcome.stdout)), None)

    async def read(
        self,
        positions: Sequence[int],
        before: int = 0,
        after: int = 0,
        size: int = READ_SIZE,
    ) -> list[Quote]:
        """
        Read quotes.

        @param positions: their numbers, in ascending order, one at least.
        @param before: how many quotes before each to read with it, as they
            stand in the file.
        @param after: how many after each.
        @param size: about how many bytes to read, 1 or more.
        @return: the first ones of them, one at least, as many as are read at
            one time.
        @raise DictionaryChanging: the file has been written to.
        @raise EntryTooLong: a quote with those around it is longer than may be.
        @raise IndexNotReady: the index does not know them all.
        """
        records: list[tuple[QuoteSpan, bytes]] = await self._in_thread(
            self._read, positions, before, after, size
        )
        if not self._dictionary.is_unchanged():
            raise DictionaryChanging()
        return [
            Quote(self.name, span.line, decode_quote(data)) for span, data in records
        ]

    async def read_all(
        self, positions: Sequence[int], before: int = 0, after: int = 0
    ) -> list[Quote]:
        """Read quotes, all of them, a piece at a time."""
        quotes: list[Quote] = []
        while len(quotes) < len(positions):
            batch = positions[len(quotes) : len(quotes) + _MAX_QUOTES_PER_READ]
            quotes += await self.read(batch, before, after)
        return quotes

    async def read_sizes(self, positions: Sequence[int]) -> list[int]:
        """How many bytes quotes have; their numbers are in ascending order."""
        spans: list[QuoteSpan] = await self._in_thread(
            lambda: list(self._spans(positions, 0, 0))
        )
        if len(spans) < len(positions):
            raise IndexNotReady()
        return [span.end - span.start for span in spans]

    def _read(
        self, positions: Sequence[int], before: int, after: int, remaining_bytes: int
    ) -> list[tuple[QuoteSpan, bytes]]:
        spans: list[QuoteSpan] = []
        for span in self._spans(positions, before, after):
            remaining_bytes -= span.end - span.start
            if span.end - span.start > MAX_ENTRY_BYTES:
                raise EntryTooLong(MAX_ENTRY_BYTES)
            if spans and remaining_bytes < 0:
                break
            spans.append(span)
        if not spans:
            raise IndexNotReady()
        return [
            each for group in _group_adjacent(spans) for each in self._read_group(group)
        ]

    def _read_group(
        self, spans: Sequence[QuoteSpan]
    ) -> Iterator[tuple[QuoteSpan, bytes]]:
        """Read quotes that stand near each other, at one go."""
        first = spans[0].start
        data = self._dictionary.read_at(first, spans[-1].end)
        for span in spans:
            yield span, data[span.start - first : span.end - first]

    def _spans(
        self, positions: Sequence[int], before: int, after: int
    ) -> Iterator[QuoteSpan]:
        if not (before or after):
            for first, last in consecutive_ranges(positions):
                yield from self._index_files.read_spans(first, last)
            return
        for position in positions:
            first = max(0, position - before)
            last = min(self.quote_count, position + after + 1)
            [start] = self._index_files.read_spans(first, first + 1)
            [end] = self._index_files.read_spans(last - 1, last)
            yield QuoteSpan(start.start, end.end, start.line)


def _group_adjacent(spans: Sequence[QuoteSpan]) -> Iterator[list[QuoteSpan]]:
    """
    Divide quotes into those that are best read together.

    Each read lets another thread go on, which then takes its time.
    """
    group = [spans[0]]
    for span in spans[1:]:
        if span.start - group[-1].end > _MAX_GAP:
            yield group
            group = []
        group.append(span)
    yield group
