"""
Finding whole quotes, in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from twisted_quotes.concurrency.limiter import SlotRequest
from twisted_quotes.grep.runner import GrepSession
from twisted_quotes.library.packs.parts import PackPart
from twisted_quotes.query.queries import All, DictionaryNames, Search
from twisted_quotes.query.quote_queries import FindQuotes, StreamQuotes

from .batching.shared_greps import SharedGreps
from .match_positions import locate_matches
from .part_search import MAX_FOUND, PartSearch
from .results import (
    BufferedQuotes,
    EntryResults,
    QuoteEntriesAdapter,
    QuoteResults,
    TooLargeToBuffer,
)
from .sources.cursor import Cursor
from .sources.quote_source import QuoteSource
from .sources.searchable_library import SearchableLibrary

_BATCH_SIZE = MAX_FOUND
"""The maximum number of matches to find before the first of them is written."""


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
