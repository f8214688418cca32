"""
Finding whole quotes, in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from twisted_quotes.concurrency.limiter import SlotRequest
from twisted_quotes.errors import QuoteNotFound, ServiceNotReady
from twisted_quotes.grep.parallel import run_in_parallel
from twisted_quotes.grep.runner import GrepSession
from twisted_quotes.library.packs.pack import PackedDictionary
from twisted_quotes.library.packs.parts import PackPart
from twisted_quotes.query.queries import (
    EVERY_DICTIONARY,
    All,
    DictionaryNames,
    FindQuotes,
    Search,
    StreamQuotes,
)
from twisted_quotes.query.selection import Selection
from twisted_quotes.quotes.formats import QuoteFormat
from twisted_quotes.quotes.quote import Quote

from .match_positions import locate_matches
from .results import (
    BufferedQuotes,
    EntryResults,
    QuoteEntriesAdapter,
    QuoteResults,
    Results,
    TooLargeToBuffer,
)
from .sources.cursor import Cursor
from .sources.quote_source import QuoteSource
from .sources.searchable_library import SearchableLibrary

_BATCH_SIZE = 1000
"""The maximum number of matches to find before the first of them is written."""


class DictionaryInfo(NamedTuple):
    """A dictionary, and its format."""

    packed: PackedDictionary
    quote_format: QuoteFormat


@dataclass(frozen=True)
class QuoteSearch:
    """Finds whole quotes, in order."""

    library: SearchableLibrary

    async def find_entries(
        self,
        requested: DictionaryNames,
        query: Search | All,
        results: EntryResults,
        slot_request: SlotRequest,
    ) -> None:
        """
        Find entries: at once where they are few, else counted first and streamed.

        @raise TooLargeToBuffer: if the results must be buffered and are too many.
        """

        async def search_parts(
            grep_session: GrepSession, parts: Sequence[PackPart]
        ) -> None:
            if not results.is_large:
                buffered = BufferedQuotes(query.limit)
                await self.write_quotes(grep_session, parts, query, buffered)
                if not buffered.limit_reached:
                    await results.write_all(buffered.texts)
                    return
            if results.buffered:
                raise TooLargeToBuffer()
            total = await self._count(grep_session, parts, query.selection)
            streamed = QuoteEntriesAdapter(query.limit, query.offset, results)
            streamed.start(total)
            await self.write_quotes(grep_session, parts, query, streamed)

        await self.library.search(
            requested, slot_request, search_parts, results, index_time_limit=None
        )

    async def write_quotes(
        self,
        grep_session: GrepSession,
        parts: Sequence[PackPart],
        query: Search | All | FindQuotes | StreamQuotes,
        results: QuoteResults,
    ) -> None:
        """
        Find quotes in one part after another, and count all that match.

        @param results: what receives them. What it has accepted stays valid if the
            search fails.
        """
        offset = query.offset
        if len(parts) > 1 and offset + results.remaining <= _BATCH_SIZE:
            await self._write_page(grep_session, parts, query, results)
            return
        for number, part in enumerate(parts):
            if not (offset or results.remaining):
                if not results.texts_only:
                    rest = parts[number:]
                    selection = query.selection
                    results.total += await self._count(grep_session, rest, selection)
                return
            with self.library.open_quotes(part) as source:
                cursor = await source.open_cursor(grep_session, query.selection)
                skipped = await cursor.skip(offset)
                offset -= skipped
                results.total += skipped
                await self._write_matches(grep_session, source, cursor, query, results)
                if not results.texts_only:
                    results.total += await cursor.count_remaining()

    async def _write_page(
        self,
        grep_session: GrepSession,
        parts: Sequence[PackPart],
        query: Search | All | FindQuotes | StreamQuotes,
        results: QuoteResults,
    ) -> None:
        """Find a few quotes in several parts at the same time, then write them."""
        limit, selection = query.offset + results.remaining, query.selection

        async def find(
            grep_session: GrepSession, part: PackPart
        ) -> tuple[Sequence[int], int]:
            """Return the first positions of a part, and the number of others."""
            nonlocal limit
            if limit <= 0 and (results.texts_only or selection == Selection()):
                return (), 0 if results.texts_only else len(part.quotes)
            with self.library.open_quotes(part) as source:
                cursor = await source.open_cursor(grep_session, selection)
                positions = await cursor.fetch(max(0, limit))
                limit -= len(positions)
                if results.texts_only:
                    return positions, 0
                return positions, await cursor.count_remaining()

        found = await run_in_parallel(grep_session, find, parts)
        skip = query.offset
        for part, (positions, other_count) in zip(parts, found, strict=True):
            skipped, positions = len(positions[:skip]), positions[skip:]
            skip -= skipped
            results.total += skipped + other_count
            if positions:
                with self.library.open_quotes(part) as source:
                    await self._write_positions(
                        grep_session, source, positions, query, results
                    )

    async def _count(
        self,
        grep_session: GrepSession,
        parts: Sequence[PackPart],
        selection: Selection,
    ) -> int:
        """Count the quotes that are selected."""

        async def count(grep_session: GrepSession, part: PackPart) -> int:
            with self.library.open_quotes(part) as source:
                cursor = await source.open_cursor(grep_session, selection)
                return await cursor.count_remaining()

        if selection == Selection():
            return sum(len(part.quotes) for part in parts)
        return sum(await run_in_parallel(grep_session, count, parts))

    async def _write_matches(
        self,
        grep_session: GrepSession,
        source: QuoteSource,
        cursor: Cursor,
        query: Search | All | FindQuotes | StreamQuotes,
        results: QuoteResults,
    ) -> None:
        """Read the quotes that a cursor finds until the results accept no more."""
        while positions := await cursor.fetch(min(results.remaining, _BATCH_SIZE)):
            await self._write_positions(grep_session, source, positions, query, results)

    async def _write_positions(
        self,
        grep_session: GrepSession,
        source: QuoteSource,
        positions: Sequence[int],
        query: Search | All | FindQuotes | StreamQuotes,
        results: QuoteResults,
    ) -> None:
        """Read the quotes at some positions until the results accept no more."""
        patterns = () if results.texts_only else query.selection.text_patterns
        context = (0, 0)
        if isinstance(query, Search):
            context = query.n_before, query.n_after
        results.total += len(positions)
        while positions and results.remaining:
            if results.slow:
                grep_session.release_slot()
            quotes = await source.read(positions, results.batch_bytes, *context)
            positions = positions[len(quotes) :]
            if patterns:
                quotes = await locate_matches(
                    grep_session, patterns, quotes, self.library.in_thread
                )
                if results.slow:
                    grep_session.release_slot()
            await results.write(quotes)

    async def find_quote(
        self, quote_id: str, slot_request: SlotRequest
    ) -> tuple[Quote, bool]:
        """
        Find a quote by its id, in the first dictionary that has it.

        @return: the quote, and whether all dictionaries have an index.
        @raise QuoteNotFound: if no dictionary has it.
        @raise ServiceNotReady: if no dictionary with an index has it, and some have
            no index.
        """
        results = Results()

        async def search_parts(
            _: GrepSession, parts: Sequence[PackPart]
        ) -> tuple[Quote, bool]:
            found = await self.library.find_id(quote_id, parts)
            if found is not None:
                part, position = found
                with self.library.open_quotes(part) as source:
                    [quote] = await source.read([position], 1)
                    return quote, results.is_complete
            if not results.is_complete:
                raise ServiceNotReady("an index of every dictionary")
            raise QuoteNotFound()

        return await self.library.search(
            EVERY_DICTIONARY, slot_request, search_parts, results
        )

    async def list_dictionaries(self) -> tuple[list[DictionaryInfo], bool]:
        """
        Describe all dictionaries with an index, in the order of their names.

        @return: these, and whether all dictionaries have an index.
        """
        parts, is_complete = await self.library.find_parts(EVERY_DICTIONARY)
        infos = [
            DictionaryInfo(packed, directory.formats[packed.format_number])
            for directory, numbers in ((x.pack.directory, x.numbers) for x in parts)
            for packed in map(directory.dictionaries.__getitem__, numbers)
        ]
        return infos, is_complete
