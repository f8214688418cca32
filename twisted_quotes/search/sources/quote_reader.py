"""
Reading the quotes of a part of a pack.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from twisted_quotes.concurrency.threads import DeferToThread
from twisted_quotes.errors import EntryTooLong
from twisted_quotes.library.packs.columns import PackDamaged
from twisted_quotes.library.packs.files import PackFiles
from twisted_quotes.library.packs.pack import PackedDictionary
from twisted_quotes.library.packs.parts import PackPart
from twisted_quotes.quotes.formats import QuoteSpan
from twisted_quotes.quotes.quote import Quote
from twisted_quotes.search.results import MAX_ENTRY_BYTES

_MAX_GAP = 1024
"""The maximum number of bytes between two quotes that are read together."""


class _Entry(NamedTuple):
    """
    A quote with its context.

    @ivar packed: its dictionary.
    @ivar offset: the offset at which the lines of the dictionary start in the pack.
    @ivar spans: the positions of the quotes in the dictionary.
    """

    packed: PackedDictionary
    offset: int
    spans: list[QuoteSpan]

    @property
    def start(self) -> int:
        return self.offset + self.spans[0].start

    @property
    def end(self) -> int:
        return self.offset + self.spans[-1].end


@dataclass
class QuoteReader:
    """
    Reads the quotes of a part of a pack, which is open.

    @ivar in_thread: runs what may block.
    """

    part: PackPart
    files: PackFiles
    in_thread: DeferToThread

    def read_ids(self) -> bytes:
        """Return the ids of all quotes of the part; call this in a thread."""
        return self.files.read_ids(self.part.quotes.start, self.part.quotes.stop)

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
        @raise PackDamaged: if the pack does not have what its directory says.
        @raise EntryTooLong: if a quote with its context is longer than
            L{MAX_ENTRY_BYTES}.
        """
        quotes: list[Quote] = await self.in_thread(
            self._read, positions, size, before, after
        )
        return quotes

    async def read_sizes(self, positions: Sequence[int]) -> list[int]:
        """Return the sizes of quotes in bytes; the positions are in ascending order."""
        sizes: list[int] = await self.in_thread(
            lambda: [x.end - x.start for x in self._entries(positions, 0, 0)]
        )
        return sizes

    def _read(
        self, positions: Sequence[int], size: int, before: int, after: int
    ) -> list[Quote]:
        entries: list[_Entry] = []
        for entry in self._entries(positions, before, after):
            entry_size = entry.end - entry.start
            size -= entry_size
            if entry_size > MAX_ENTRY_BYTES:
                raise EntryTooLong(MAX_ENTRY_BYTES)
            if entries and size < 0:
                break
            entries.append(entry)
        quotes = []
        for group in _group_adjacent(entries):
            start = group[0].start
            data = os.pread(self.files.open("lines"), group[-1].end - start, start)
            for entry in group:
                quotes.append(self._decode(entry, data, entry.offset - start))
        if not (before or after):
            self._check_ids(positions[: len(quotes)], quotes)
        return quotes

    def _decode(self, entry: _Entry, data: bytes, shift: int) -> Quote:
        """
        Return a quote with the quotes of its context.

        @param shift: is added to the offsets of spans for those in C{data}.
        """
        packed = entry.packed
        decode = self.part.pack.directory.formats[packed.format_number].decode
        parts = [data[x.start + shift : x.end + shift] for x in entry.spans]
        last_line = entry.spans[-1].line + parts[-1].count(b"\n")
        text = "\n\n".join(map(decode, parts))
        name = self.part.name or packed.name
        return Quote(name, entry.spans[0].line, last_line, text)

    def _check_ids(self, positions: Sequence[int], quotes: Sequence[Quote]) -> None:
        """Check that quotes are the ones that were written."""
        for first, last in _consecutive_ranges(positions):
            ids = self.files.read_ids(first, last)
            found = b"".join(bytes.fromhex(x.id) for x in quotes[: last - first])
            quotes = quotes[last - first :]
            if ids != found:
                raise PackDamaged("a quote is not the one that was written")

    def _entries(
        self, positions: Sequence[int], before: int, after: int
    ) -> Iterator[_Entry]:
        """
        Yield quotes, each with its context.

        @raise PackDamaged: a position has no record.
        """
        pack, current = self.part.pack, range(0)
        for first, last in _consecutive_ranges(positions):
            read_range = range(
                max(0, first - before), min(last + after, pack.quote_count)
            )
            spans = self.files.read_spans(read_range.start, read_range.stop)
            if len(spans) < len(read_range):
                raise PackDamaged("positions of quotes are missing")
            for position in range(first, last):
                if position not in current:
                    number = pack.dictionary_at(position)
                    part = PackPart(pack, range(number, number + 1))
                    current = part.quotes
                    offset = part.byte_range("lines").start
                start = max(current.start, position - before) - read_range.start
                stop = min(current.stop, position + after + 1) - read_range.start
                yield _Entry(pack.dictionaries[number], offset, spans[start:stop])


def _consecutive_ranges(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yield the start and the stop of each run of consecutive numbers."""
    start = stop = -1
    for number in numbers:
        if number != stop:
            if start >= 0:
                yield start, stop
            start = number
        stop = number + 1
    if start >= 0:
        yield start, stop


def _group_adjacent(entries: Sequence[_Entry]) -> Iterator[list[_Entry]]:
    """Group entries to read together: each read is a chance for a thread switch."""
    group: list[_Entry] = []
    for entry in entries:
        # With their context, entries may overlap.
        if group and entry.start - group[-1].end > _MAX_GAP:
            yield group
            group = []
        group.append(entry)
    if group:
        yield group
