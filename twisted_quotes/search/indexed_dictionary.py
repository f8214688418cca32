"""
Dictionaries that are open together with their indexes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from twisted_quotes.concurrency.threads import DeferToThread
from twisted_quotes.errors import DictionaryChanging, EntryTooLong
from twisted_quotes.grep.arguments import whole_line_arguments
from twisted_quotes.grep.output import parse_line_numbers
from twisted_quotes.grep.runner import GrepSession
from twisted_quotes.library.dictionary import Dictionary
from twisted_quotes.library.indexes.format import Index, IndexFiles, consecutive_ranges
from twisted_quotes.query.selection import Criterion, CriterionGroup, Selection
from twisted_quotes.quotes.formats import QuoteSpan
from twisted_quotes.quotes.quote import Quote

from .cursor import (
    MAX_POSITIONS,
    AllQuotesCursor,
    Cursor,
    FlagsCursor,
    MatchCursor,
    normalize_pattern,
)
from .results import MAX_ENTRY_BYTES

_MAX_GAP = 1024
"""The maximum number of bytes between two quotes that are read together."""


@dataclass
class IndexedDictionary:
    """
    A dictionary that is open together with its index.

    @ivar in_thread: runs what may block.
    """

    name: str
    dictionary: Dictionary
    index: Index
    index_files: IndexFiles
    in_thread: DeferToThread

    async def open_cursor(
        self, grep_session: GrepSession, selection: Selection
    ) -> Cursor:
        """Find the selected quotes. This works once: it moves the file offsets."""
        groups = selection.groups_in(self.name)
        if groups is None:
            return AllQuotesCursor(range(0))
        if selection.lengths is not None:
            flags = await self.in_thread(self._flag_lengths, selection.lengths)
            return FlagsCursor(await self._find_flags(grep_session, groups, flags))
        match groups:
            case []:
                return AllQuotesCursor(range(self.index.count))
            case [(Criterion(excluded=False) as criterion,)]:
                return self._open_match_cursor(grep_session, criterion)
        flags = b"\1" * self.index.count
        return FlagsCursor(await self._find_flags(grep_session, groups, flags))

    def _open_match_cursor(
        self, grep_session: GrepSession, criterion: Criterion
    ) -> MatchCursor:
        """Find the quotes that a pattern matches, from the first one on."""
        pattern = normalize_pattern(criterion.pattern)
        descriptor = self.index_files.texts
        if criterion.target == "author":
            descriptor = self.index_files.authors
        os.lseek(descriptor, 0, os.SEEK_SET)
        return MatchCursor(grep_session, descriptor, self.index.mean_size, pattern)

    async def _find_flags(
        self,
        grep_session: GrepSession,
        groups: Sequence[CriterionGroup],
        flags: bytes,
    ) -> bytes:
        """Keep the flags of the quotes that meet a criterion of each group."""
        count = self.index.count
        ones, selected = int.from_bytes(b"\1" * count), int.from_bytes(flags)
        for group in groups:
            matched = 0
            for criterion in group:
                found = bytearray(count)
                cursor = self._open_match_cursor(grep_session, criterion)
                while positions := await cursor.fetch(MAX_POSITIONS):
                    for position in positions:
                        found[position] = 1
                matched |= int.from_bytes(found) ^ (ones if criterion.excluded else 0)
            selected &= matched
            if not selected:
                break
        return selected.to_bytes(count)

    def _flag_lengths(self, lengths: range) -> bytes:
        """Return a flag for each quote: 1 if its length is one of some."""
        return bytes(map(lengths.__contains__, self.index_files.iterate_lengths()))

    async def position_of(self, grep_session: GrepSession, quote_id: str) -> int | None:
        """Return the position of the first quote with an id, or L{None}."""
        outcome = await grep_session.run(
            whole_line_arguments(quote_id), None, self.index_files.ids
        )
        return next(iter(parse_line_numbers(outcome.stdout)), None)

    async def read(
        self, positions: Sequence[int], size: int, before: int = 0, after: int = 0
    ) -> list[Quote]:
        """
        Read quotes.

        @param positions: their positions, in ascending order, at least one.
        @param size: the approximate number of bytes to read.
        @param before: the number of quotes of context before each.
        @param after: the number of quotes of context after each.
        @return: the first of the quotes, at least one.
        @raise DictionaryChanging: if the file was written to, or the index does not
            have a position.
        @raise EntryTooLong: if a quote with its context is longer than
            L{MAX_ENTRY_BYTES}.
        """
        quotes: list[Quote] = await self.in_thread(
            self._read, positions, size, before, after
        )
        if not self.dictionary.is_unchanged():
            raise DictionaryChanging()
        return quotes

    async def read_sizes(self, positions: Sequence[int]) -> list[int]:
        """Return the sizes of quotes in bytes; the positions are in ascending order."""
        spans: list[QuoteSpan] = await self.in_thread(
            lambda: [span for [span] in self._entries(positions, 0, 0)]
        )
        if len(spans) < len(positions):
            raise DictionaryChanging()
        return [span.end - span.start for span in spans]

    def _read(
        self, positions: Sequence[int], size: int, before: int, after: int
    ) -> list[Quote]:
        entries: list[list[QuoteSpan]] = []
        for entry in self._entries(positions, before, after):
            entry_size = entry[-1].end - entry[0].start
            size -= entry_size
            if entry_size > MAX_ENTRY_BYTES:
                raise EntryTooLong(MAX_ENTRY_BYTES)
            if entries and size < 0:
                break
            entries.append(entry)
        if not entries:
            raise DictionaryChanging()
        quotes = []
        for group in _group_adjacent(entries):
            start = group[0][0].start
            data = self.dictionary.read_at(start, group[-1][-1].end)
            for entry in group:
                parts = [data[span.start - start : span.end - start] for span in entry]
                quotes.append(self._decode(entry, parts))
        return quotes

    def _decode(self, entry: Sequence[QuoteSpan], parts: Sequence[bytes]) -> Quote:
        """Return a quote with the quotes of its context, from their bytes."""
        last_line = entry[-1].line + parts[-1].count(b"\n")
        text = "\n\n".join(map(self.index.quote_format.decode, parts))
        return Quote(self.name, entry[0].line, last_line, text)

    def _entries(
        self, positions: Sequence[int], before: int, after: int
    ) -> Iterator[list[QuoteSpan]]:
        """Return the spans of quotes, each with those of its context."""
        if not (before or after):
            for first, last in consecutive_ranges(positions):
                for span in self.index_files.read_spans(first, last):
                    yield [span]
            return
        for position in positions:
            first = max(0, position - before)
            last = min(self.index.count, position + after + 1)
            yield self.index_files.read_spans(first, last)


def _group_adjacent(
    entries: Sequence[list[QuoteSpan]],
) -> Iterator[list[list[QuoteSpan]]]:
    """Group entries to read together: each read is a chance for a thread switch."""
    group = [entries[0]]
    for entry in entries[1:]:
        if entry[0].start - group[-1][-1].end > _MAX_GAP:
            yield group
            group = []
        group.append(entry)
    yield group
