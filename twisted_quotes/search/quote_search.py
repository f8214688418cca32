"""
Finding whole quotes, in order.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from twisted_quotes.concurrency.limiter import SlotRequest
from twisted_quotes.errors import QuoteNotFound, ServiceNotReady
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
from twisted_quotes.quotes.formats import QuoteFormat
from twisted_quotes.quotes.quote import Quote

from .batching.shared_greps import SharedGreps
from .match_positions import locate_matches
from .part_search import MAX_FOUND, PartSearch
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

_BATCH_SIZE = MAX_FOUND
"""The maximum number of matches to find before the first of them is written."""


class DictionaryInfo(NamedTuple):
    """A dictionary, and its format."""

    packed: PackedDictionary
    quote_format: QuoteFormat


@dataclass(frozen=True)
class QuoteSearch:
    """Finds whole quotes, in order."""

    library: SearchableLibrary
    shared_greps: SharedGreps

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
            search = PartSearch(self.library, self.shared_greps, query.selection)
            total = await search.count(grep_session, parts)
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
        Find quotes in the order of the parts, and count all that match.

        @param results: what receives them. What it has accepted stays valid if the
            search fails.
        """
        offset = query.offset
        is_page = offset + results.remaining <= _BATCH_SIZE
        if is_page and not isinstance(query, StreamQuotes):
            await self._write_page(grep_session, parts, query, results)
            return
        search = PartSearch(self.library, self.shared_greps, query.selection)
        for number, part in enumerate(parts):
            if not (offset or results.remaining):
                if not results.texts_only:
                    results.total += await search.count(grep_session, parts[number:])
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
        query: Search | All | FindQuotes,
        results: QuoteResults,
    ) -> None:
        """Find a few quotes in several parts at the same time."""
        skip = query.offset
        search = PartSearch(self.library, self.shared_greps, query.selection)
        # Without a total, a search of its own ends with the last quote of the page.
        find = search.find_first if results.texts_only else search.find_first_or_share
        found, timeout = await find(grep_session, parts, skip + results.remaining)
        for part, (positions, _) in zip(parts, found, strict=False):
            skipped, positions = len(positions[:skip]), positions[skip:]
            skip -= skipped
            # Several parts may each have found as many as the page lacked.
            surplus = len(positions[results.remaining :])
            positions = positions[: results.remaining]
            results.total += skipped + surplus
            if positions:
                with self.library.open_quotes(part) as source:
                    await self._write_positions(
                        grep_session, source, positions, query, results
                    )
        if timeout is not None:
            raise timeout
        if not results.texts_only:
            results.total += await search.count_others(grep_session, parts, found)

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

    async def list_dictionaries(self) -> tuple[AsyncIterator[DictionaryInfo], bool]:
        """
        Describe all dictionaries with an index, in the order of their names.

        @return: an iterator that lets the reactor run from time to time, and whether
            all dictionaries have an index.
        """
        parts, is_complete = await self.library.find_parts(EVERY_DICTIONARY)
        infos = (
            DictionaryInfo(packed, directory.formats[packed.format_number])
            for directory, numbers in ((x.pack.directory, x.numbers) for x in parts)
            for packed in map(directory.dictionaries.__getitem__, numbers)
        )
        return self.library.iterate(infos), is_complete
