"""
Parts of packs that are open for searches of quotes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from twisted_quotes.concurrency.closing import Closeable
from twisted_quotes.grep.arguments import any_term_arguments, match_arguments
from twisted_quotes.grep.output import find_terms
from twisted_quotes.grep.runner import GrepSession
from twisted_quotes.library.packs.columns import PackDamaged, ReadFailed, copy_range
from twisted_quotes.library.packs.parts import PackPart
from twisted_quotes.query.selection import Criterion, CriterionGroup, Pattern, Selection
from twisted_quotes.search.batching.batch_queue import MAX_SHARED_OUTPUT
from twisted_quotes.search.results import TooLargeToBuffer

from .cursor import (
    MAX_POSITIONS,
    AllQuotesCursor,
    Cursor,
    FlagsCursor,
    MatchCursor,
    Segment,
    normalize_pattern,
)
from .quote_reader import QuoteReader


@dataclass
class QuoteSource(QuoteReader, Closeable):
    """
    Searches the quotes of a part of a pack, which is open.

    The position of a quote is its number in the pack.
    """

    # The parts of columns that were copied to files of their own.
    _copies: dict[str, BinaryIO] = field(default_factory=dict)

    def close(self) -> None:
        """Close the copies; the pack stays open."""
        for copy in list(self._copies.values()):
            copy.close()

    async def open_cursor(
        self, grep_session: GrepSession, selection: Selection
    ) -> Cursor:
        """Find the selected quotes. This works once: it moves the file offsets."""
        groups, lengths = list(selection.groups), selection.lengths
        if selection.pattern is not None:
            groups.insert(0, (Criterion("text", selection.pattern),))
        if lengths is None:
            match groups:
                case []:
                    return AllQuotesCursor(self.part.quotes)
                case [(Criterion(target=target, excluded=False) as criterion,)]:
                    if target != "dictionary":
                        return await self._open_match_cursor(grep_session, criterion)
        flags = b"\1" * len(self.part.quotes)
        if lengths is not None:
            flags = await self.in_thread(self._flag_lengths, lengths)
        flags = await self._find_flags(grep_session, groups, flags)
        return FlagsCursor(flags, self.part.quotes.start)

    async def _open_match_cursor(
        self, grep_session: GrepSession, criterion: Criterion
    ) -> MatchCursor:
        """Find the quotes that a pattern matches, from the first one on."""
        segments = await self._open_segments(criterion.target == "author")
        pack = self.part.pack
        mean_size = pack.texts_size // max(1, pack.quote_count) + 1
        pattern = normalize_pattern(criterion.pattern)
        return MatchCursor(grep_session, segments, mean_size, pattern)

    async def find_each(
        self, grep_session: GrepSession, limits: Mapping[str, int], ignore_case: bool
    ) -> dict[str, tuple[list[int], int]]:
        """
        Find the quotes with each of some terms, with one grep for all of them.

        @param limits: for each term, how many positions to return. The terms are
            normalized, and L{matched as bytes
            <twisted_quotes.grep.arguments.is_matched_as_bytes>}.
        @return: for each term, its first positions, and the number of all.
        @raise TooLargeToBuffer: if the quotes are too large.
        """
        found: dict[str, tuple[list[int], int]] = {term: ([], 0) for term in limits}
        arguments = any_term_arguments(limits, ignore_case, numbered=True)
        for descriptor, offset, quotes in await self._open_segments(of_authors=False):
            os.lseek(descriptor, offset, os.SEEK_SET)
            outcome = await grep_session.run(
                arguments, None, descriptor, MAX_SHARED_OUTPUT
            )
            if not outcome.is_complete:
                raise TooLargeToBuffer()
            in_segment = await self.in_thread(
                find_terms, outcome.stdout, limits, ignore_case
            )
            for term, (lines, count) in in_segment.items():
                positions, total = found[term]
                positions += [quotes.start + line for line in lines]
                found[term] = positions[: limits[term]], total + count
        return found

    async def print_matches(
        self, grep_session: GrepSession, pattern: Pattern, max_output: int
    ) -> bytes:
        """
        Return what a pattern matches in the normalized texts, one match on each line.

        @param max_output: the size after which the matches in a file of texts are cut
            off, in bytes.
        """
        output = b""
        for descriptor, offset, _ in await self._open_segments(of_authors=False):
            os.lseek(descriptor, offset, os.SEEK_SET)
            outcome = await grep_session.run(
                match_arguments(pattern), pattern, descriptor, max_output
            )
            output += outcome.stdout[: outcome.stdout.rfind(b"\n") + 1]
        return output

    async def _open_segments(self, of_authors: bool) -> list[Segment]:
        """Return a column of the part."""
        if self.part.is_whole_pack():
            return self._whole_segments(of_authors)
        column = "authors" if of_authors else "texts-0"
        return [await self.in_thread(self._open_part, column)]

    def _whole_segments(self, of_authors: bool) -> list[Segment]:
        """Return all of a column of the pack."""
        if of_authors:
            return [Segment(self.files.open("authors"), 0, self.part.quotes)]
        segments, start = [], 0
        for number, end in enumerate(self.part.pack.directory.segments):
            descriptor = self.files.open(f"texts-{number}")
            segments.append(Segment(descriptor, 0, range(start, end)))
            start = end
        return segments

    def _open_part(self, column: str) -> Segment:
        """Return a part of a column as a file that ends with it."""
        byte_range = self.part.byte_range(column)
        descriptor = self.files.open(column)
        if byte_range.stop == self.part.pack.directory.sizes[column]:
            return Segment(descriptor, byte_range.start, self.part.quotes)
        if column not in self._copies:
            copy = open(os.memfd_create(column), "wb")  # noqa: SIM115
            self._copies[column] = copy
            try:
                copy_range(descriptor, byte_range, copy)
            except ReadFailed as error:
                raise PackDamaged(str(error)) from error
            copy.flush()
        return Segment(self._copies[column].fileno(), 0, self.part.quotes)

    async def _find_flags(
        self,
        grep_session: GrepSession,
        groups: Sequence[CriterionGroup],
        flags: bytes,
    ) -> bytes:
        """Keep the flags of the quotes that meet a criterion of each group."""
        ones, selected = int.from_bytes(b"\1" * len(flags)), int.from_bytes(flags)
        for group in groups:
            matched = 0
            for criterion in group:
                found = await self._flag_matches(grep_session, criterion)
                matched |= int.from_bytes(found) ^ (ones if criterion.excluded else 0)
            selected &= matched
            if not selected:
                break
        return selected.to_bytes(len(flags))

    async def _flag_matches(
        self, grep_session: GrepSession, criterion: Criterion
    ) -> bytearray:
        """Return a flag for each quote: 1 if a pattern matches."""
        quotes = self.part.quotes
        found = bytearray(len(quotes))
        if criterion.target == "dictionary":
            for quote_range in self._named_ranges(criterion.pattern.term):
                start = quote_range.start - quotes.start
                found[start : start + len(quote_range)] = b"\1" * len(quote_range)
            return found
        cursor = await self._open_match_cursor(grep_session, criterion)
        while positions := await cursor.fetch(MAX_POSITIONS):
            for position in positions:
                found[position - quotes.start] = 1
        return found

    def _named_ranges(self, name: str) -> Iterator[range]:
        """Yield the positions of the quotes of dictionaries with a name, or any."""
        for number in self.part.numbers:
            if name in (self._name(number), "*"):
                yield PackPart(self.part.pack, range(number, number + 1)).quotes

    def _name(self, number: int) -> str:
        return self.part.name or self.part.pack.dictionaries[number].name

    def _flag_lengths(self, lengths: range) -> bytes:
        """Return a flag for each quote: 1 if its length is one of some."""
        quotes = self.part.quotes
        found = self.files.read_lengths(quotes.start, quotes.stop)
        return bytes(map(lengths.__contains__, found))
