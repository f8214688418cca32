"""
Finding whole quotes in the order in which they stand.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from twisted_quotes.concurrency.limiter import SlotRequest
from twisted_quotes.concurrency.threads import DeferToThread
from twisted_quotes.errors import QuoteNotFound, ServiceNotReady
from twisted_quotes.grep.runner import GrepSession
from twisted_quotes.library.dictionary import FileState
from twisted_quotes.query.queries import (
    ALL_DICTIONARIES,
    All,
    Pattern,
    Search,
    Selection,
)
from twisted_quotes.text.quotes import Quote

from .cursor import Cursor
from .indexed_dictionary import READ_SIZE, IndexedDictionary
from .indexed_library import IndexedLibrary
from .match_positions import locate_matches
from .results import CHUNK_SIZE, EntryResults, QuoteResults, TooLargeToBuffer

SLOW_READ_SIZE = 64 * 1024
"""About how many bytes of quotes are read for a client that may be slow."""

_BATCH_SIZE = 1000
"""How many matches are looked for before the first of them is handed over."""


@dataclass(frozen=True)
class DictionaryInfo:
    """
    What is known of a dictionary.

    @ivar quote_count: how many quotes it has.
    """

    name: str
    state: FileState
    quote_count: int


class QuoteSearch:
    """
    Finds whole quotes, in the order in which they stand.

    @param indexed_library: the dictionaries with their indexes.
    @param in_thread: runs what may take a while.
    """

    def __init__(
        self, indexed_library: IndexedLibrary, in_thread: DeferToThread
    ) -> None:
        self._indexed_library = indexed_library
        self._in_thread = in_thread

    async def find_entries(
        self,
        dictionary_name: str,
        query: Search | All,
        results: EntryResults,
        slot_request: SlotRequest,
    ) -> None:
        """
        Find entries that are whole quotes, with other quotes around them.

        @param dictionary_name: the name of a dictionary, or C{"*"} for every one.
        @param slot_request: whose place it takes.
        """

        async def search_dictionaries(
            grep_session: GrepSession, names: list[str], is_complete: bool
        ) -> None:
            results.is_complete = is_complete
            is_large = results.is_large
            entries = (
                None
                if is_large
                else await self._find_buffered(grep_session, names, query)
            )
            if entries is not None:
                results.start(len(entries))
                results.write(entries)
            elif results.buffered:
                raise TooLargeToBuffer()
            else:
                await self._find_streamed(grep_session, names, query, results)

        await self._indexed_library.search(
            dictionary_name, slot_request, search_dictionaries, results.restart
        )

    async def _find_buffered(
        self, grep_session: GrepSession, names: list[str], query: Search | All
    ) -> list[str] | None:
        """Find all entries, unless they are many: then there are L{None}."""
        entries: list[str] = []
        remaining_characters = CHUNK_SIZE

        async def buffer_entries(texts: list[str]) -> bool:
            nonlocal remaining_characters
            remaining_characters -= sum(map(len, texts)) + len(texts)
            entries.extend(texts)
            return remaining_characters >= 0 and len(entries) != query.limit

        await self._find_batches(
            grep_session, [(name, None) for name in names], query, buffer_entries
        )
        return None if remaining_characters < 0 else entries

    async def _find_streamed(
        self,
        grep_session: GrepSession,
        names: list[str],
        query: Search | All,
        results: EntryResults,
    ) -> None:
        """Count the entries, then find them as fast as they are taken."""
        dictionary_states: list[tuple[str, FileState]] = []
        entry_count = -query.offset
        async for name in self._indexed_library.iterate_cooperatively(names):
            with self._indexed_library.open(name) as dictionary:
                cursor = await dictionary.open_cursor(grep_session, query.selection)
                entry_count += await cursor.count_remaining()
                dictionary_states.append((name, dictionary.state))
        entry_count = max(0, entry_count)
        results.start(
            entry_count if query.limit is None else min(entry_count, query.limit)
        )

        async def write_entries(texts: list[str]) -> bool:
            results.write(texts)
            texts.clear()
            await results.wait_until_ready()
            return results.remaining > 0

        await self._find_batches(grep_session, dictionary_states, query, write_entries)

    async def _find_batches(
        self,
        grep_session: GrepSession,
        dictionaries: Iterable[tuple[str, FileState | None]],
        query: Search | All,
        write_batch: Callable[[list[str]], Awaitable[bool]],
    ) -> None:
        """
        Find entries, one dictionary after another.

        @param dictionaries: their names, each with the state it must be in.
        @param write_batch: is given the next ones, and says whether to go on.
        """
        offset = query.offset
        remaining = sys.maxsize if query.limit is None else query.limit
        context = query.n_before, query.n_after
        async for name, state in self._indexed_library.iterate_cooperatively(
            dictionaries
        ):
            with self._indexed_library.open(name, state) as dictionary:
                cursor = await dictionary.open_cursor(grep_session, query.selection)
                offset -= await cursor.skip(offset)
                while positions := await cursor.fetch(min(remaining, _BATCH_SIZE)):
                    remaining -= len(positions)
                    grep_session.release_slot()
                    while positions:
                        quotes = await dictionary.read(positions, *context)
                        positions = positions[len(quotes) :]
                        if not await write_batch([quote.text for quote in quotes]):
                            return

    async def find_quotes(
        self,
        dictionary_name: str,
        selection: Selection,
        offset: int,
        results: QuoteResults,
        slot_request: SlotRequest,
    ) -> None:
        """
        Find quotes in order, and count all that match.

        @param dictionary_name: the name of a dictionary, or C{"*"} for every one.
        @param offset: how many to pass over first, 0 or more.
        @param results: where they go. What it has taken stays valid when this
            fails.
        @param slot_request: whose place it takes.
        """

        async def search_dictionaries(
            grep_session: GrepSession, names: list[str], is_complete: bool
        ) -> None:
            results.is_complete = is_complete
            remaining = offset
            async for name in self._indexed_library.iterate_cooperatively(names):
                with self._indexed_library.open(name) as dictionary:
                    cursor = await dictionary.open_cursor(grep_session, selection)
                    skipped = await cursor.skip(remaining)
                    results.total += skipped
                    remaining -= skipped
                    await self._write_quotes(
                        dictionary, cursor, grep_session, selection.pattern, results
                    )
                    results.total += await cursor.count_remaining()

        await self._indexed_library.search(
            dictionary_name, slot_request, search_dictionaries, results.restart
        )

    async def _write_quotes(
        self,
        dictionary: IndexedDictionary,
        cursor: Cursor,
        grep_session: GrepSession,
        pattern: Pattern | None,
        results: QuoteResults,
    ) -> None:
        """Hand over what a cursor finds, until no more is wanted."""
        while batch_size := min(results.remaining, _BATCH_SIZE):
            positions = await cursor.fetch(batch_size)
            results.total += len(positions)
            at_end = len(positions) < batch_size
            while positions:
                if results.slow:
                    grep_session.release_slot()
                size = SLOW_READ_SIZE if results.slow else READ_SIZE
                quotes = await dictionary.read(positions, size=size)
                if pattern is not None and results.spans_needed:
                    quotes = await locate_matches(
                        grep_session, pattern, quotes, self._in_thread
                    )
                positions = positions[len(quotes) :]
                if results.slow:
                    grep_session.release_slot()
                await results.write(quotes)
                if results.limit_reached:
                    return
            if at_end:
                return

    async def find_quote(
        self, quote_id: str, slot_request: SlotRequest
    ) -> tuple[Quote, bool]:
        """
        Find a quote by its id, in the first dictionary that has it.

        @param slot_request: whose place it takes.
        @raise QuoteNotFound: none has.
        @raise ServiceNotReady: none has of those that could be looked through.
        """

        async def search_dictionaries(
            grep_session: GrepSession, names: list[str], is_complete: bool
        ) -> tuple[Quote, bool]:
            async for name in self._indexed_library.iterate_cooperatively(names):
                with self._indexed_library.open(name) as dictionary:
                    position = await dictionary.position_of(grep_session, quote_id)
                    if position is not None:
                        [quote] = await dictionary.read([position])
                        return quote, is_complete
            if not is_complete:
                raise ServiceNotReady("an index of every dictionary")
            raise QuoteNotFound()

        return await self._indexed_library.search(
            ALL_DICTIONARIES, slot_request, search_dictionaries
        )

    async def list_dictionaries(
        self, slot_request: SlotRequest
    ) -> tuple[list[DictionaryInfo], bool]:
        """What is known of every dictionary, in the order of their names."""

        async def search_dictionaries(
            _: GrepSession, names: list[str], is_complete: bool
        ) -> tuple[list[DictionaryInfo], bool]:
            infos = []
            async for name in self._indexed_library.iterate_cooperatively(names):
                with self._indexed_library.open(name) as dictionary:
                    infos.append(
                        DictionaryInfo(name, dictionary.state, dictionary.quote_count)
                    )
            return infos, is_complete

        return await self._indexed_library.search(
            ALL_DICTIONARIES, slot_request, search_dictionaries
        )
