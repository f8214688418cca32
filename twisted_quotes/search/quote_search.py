"""
Finding whole quotes, in order.
"""

from __future__ import annotations

from dataclasses import dataclass

from twisted_quotes.concurrency.limiter import SlotRequest
from twisted_quotes.errors import QuoteNotFound, ServiceNotReady
from twisted_quotes.grep.runner import GrepSession
from twisted_quotes.library.dictionary import FileState
from twisted_quotes.library.indexes.format import Index
from twisted_quotes.query.queries import (
    EVERY_DICTIONARY,
    All,
    DictionaryNames,
    FindQuotes,
    Search,
    StreamQuotes,
)
from twisted_quotes.quotes.encodings import Encoding
from twisted_quotes.quotes.quote import Quote

from .cursor import Cursor
from .indexed_dictionary import IndexedDictionary
from .indexed_library import IndexedLibrary
from .match_positions import locate_matches
from .results import (
    BufferedQuotes,
    EntryResults,
    QuoteEntriesAdapter,
    QuoteResults,
    Results,
    TooLargeToBuffer,
)

_BATCH_SIZE = 1000
"""The maximum number of matches to find before the first of them is written."""


@dataclass(frozen=True)
class DictionaryInfo:
    """A dictionary, its state, its encoding and its index."""

    name: str
    state: FileState
    encoding: Encoding
    index: Index


@dataclass(frozen=True)
class QuoteSearch:
    """Finds whole quotes, in order."""

    indexed_library: IndexedLibrary

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

        async def search_dictionaries(
            grep_session: GrepSession, names: list[str]
        ) -> None:
            states: dict[str, FileState | None] = dict.fromkeys(names)
            if not results.is_large:
                buffered = BufferedQuotes(query.limit)
                await self.write_quotes(grep_session, states, query, buffered)
                if not buffered.limit_reached:
                    await results.write_all(buffered.texts)
                    return
            if results.buffered:
                raise TooLargeToBuffer()
            total = 0
            async for name in self.indexed_library.iterate(names):
                with self.indexed_library.open(name) as dictionary:
                    cursor = await dictionary.open_cursor(grep_session, query.selection)
                    total += await cursor.count_remaining()
                    states[name] = dictionary.dictionary.state
            streamed = QuoteEntriesAdapter(query.limit, query.offset, results)
            streamed.start(total)
            await self.write_quotes(grep_session, states, query, streamed)

        await self.indexed_library.search(
            requested, slot_request, search_dictionaries, results
        )

    async def write_quotes(
        self,
        grep_session: GrepSession,
        states: dict[str, FileState | None],
        query: Search | All | FindQuotes | StreamQuotes,
        results: QuoteResults,
    ) -> None:
        """
        Find quotes in one dictionary after another, and count all that match.

        @param states: the dictionaries, each with the state that it must have; L{None}
            for any.
        @param results: what receives them. What it has accepted stays valid if the
            search fails.
        """
        offset = query.offset
        async for name, state in self.indexed_library.iterate(states.items()):
            with self.indexed_library.open(name, state) as dictionary:
                cursor = await dictionary.open_cursor(grep_session, query.selection)
                skipped = await cursor.skip(offset)
                offset -= skipped
                results.total += skipped
                await self._write_matches(
                    grep_session, dictionary, cursor, query, results
                )
                if not results.texts_only:
                    results.total += await cursor.count_remaining()
                elif not results.remaining:
                    return

    async def _write_matches(
        self,
        grep_session: GrepSession,
        dictionary: IndexedDictionary,
        cursor: Cursor,
        query: Search | All | FindQuotes | StreamQuotes,
        results: QuoteResults,
    ) -> None:
        """Read the quotes that a cursor finds until the results accept no more."""
        patterns = () if results.texts_only else query.selection.text_patterns
        context = (0, 0)
        if isinstance(query, Search):
            context = query.n_before, query.n_after
        while positions := await cursor.fetch(min(results.remaining, _BATCH_SIZE)):
            results.total += len(positions)
            while positions and results.remaining:
                if results.slow:
                    grep_session.release_slot()
                quotes = await dictionary.read(positions, results.batch_bytes, *context)
                positions = positions[len(quotes) :]
                if patterns:
                    quotes = await locate_matches(
                        grep_session, patterns, quotes, self.indexed_library.in_thread
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

        async def search_dictionaries(
            grep_session: GrepSession, names: list[str]
        ) -> tuple[Quote, bool]:
            async for name in self.indexed_library.iterate(names):
                with self.indexed_library.open(name) as dictionary:
                    position = await dictionary.position_of(grep_session, quote_id)
                    if position is not None:
                        [quote] = await dictionary.read([position], 1)
                        return quote, results.is_complete
            if not results.is_complete:
                raise ServiceNotReady("an index of every dictionary")
            raise QuoteNotFound()

        return await self.indexed_library.search(
            EVERY_DICTIONARY, slot_request, search_dictionaries, results
        )

    async def list_dictionaries(
        self, slot_request: SlotRequest
    ) -> tuple[list[DictionaryInfo], bool]:
        """
        Describe all dictionaries with an index, in the order of their names.

        @return: these, and whether all dictionaries have an index.
        """
        results = Results()

        async def search_dictionaries(
            _: GrepSession, names: list[str]
        ) -> tuple[list[DictionaryInfo], bool]:
            infos = []
            async for name in self.indexed_library.iterate(names):
                with self.indexed_library.open(name) as opened:
                    state, encoding = (
                        opened.dictionary.state,
                        opened.dictionary.encoding,
                    )
                    infos.append(DictionaryInfo(name, state, encoding, opened.index))
            return infos, results.is_complete

        return await self.indexed_library.search(
            EVERY_DICTIONARY, slot_request, search_dictionaries, results
        )
