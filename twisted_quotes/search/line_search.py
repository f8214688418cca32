"""
Finding lines, with the lines around them.
"""

from __future__ import annotations

from dataclasses import dataclass

from twisted_quotes.concurrency.limiter import SlotRequest
from twisted_quotes.concurrency.threads import DeferToThread
from twisted_quotes.errors import (
    DictionaryChanging,
    DictionaryForbidden,
    DictionaryNotFound,
)
from twisted_quotes.grep import arguments as grep
from twisted_quotes.grep.batching import SearchBatcher
from twisted_quotes.grep.runner import MAX_BUFFERED, GrepRunner, GrepSession
from twisted_quotes.library.dictionary import FileState
from twisted_quotes.library.library import Library
from twisted_quotes.library.stability import MAX_ATTEMPTS
from twisted_quotes.query.queries import ALL_DICTIONARIES, All, Search
from twisted_quotes.text.lines import Lines, approximate_size, concatenate_entries

from .indexed_library import open_requested
from .line_reader import AllLinesReader, MatchReader, start_search
from .results import Entries, EntryResults, TooLargeToBuffer, split_into_chunks


@dataclass(frozen=True)
class LineSearch:
    """
    Finds entries that are lines with grep on the dictionaries themselves.

    @ivar in_thread: runs what may block.
    @ivar batcher: runs one grep for several searches; L{None} for none of this.
    """

    runner: GrepRunner
    library: Library
    in_thread: DeferToThread
    batcher: SearchBatcher | None = None

    async def find_entries(
        self,
        dictionary_name: str,
        query: Search | All,
        results: EntryResults,
        slot_request: SlotRequest,
    ) -> None:
        """
        Find entries: at once where they are few, else counted first and streamed.

        @param dictionary_name: the name of a dictionary, or C{"*"} for all.
        @raise TooLargeToBuffer: if the results must be buffered and are too many.
        """
        acquired = await self._acquire_session_or_lines(
            dictionary_name, query, slot_request
        )
        if isinstance(acquired, Lines):
            await results.write_all(acquired[query.offset : query.end])
            return
        with acquired as grep_session:
            for _ in range(MAX_ATTEMPTS):
                if not results.is_large:
                    entries = await self._find_buffered(
                        dictionary_name, query, grep_session
                    )
                    if entries is not None:
                        await results.write_all(entries)
                        return
                if results.buffered:
                    raise TooLargeToBuffer()
                try:
                    await self._find_streamed(
                        dictionary_name, query, grep_session, results
                    )
                    return
                except DictionaryChanging:
                    if not results.restart():
                        raise
        raise DictionaryChanging()

    async def _acquire_session_or_lines(
        self, dictionary_name: str, query: Search | All, slot_request: SlotRequest
    ) -> GrepSession | Lines:
        """Wait for a slot, or for the lines that another search finds meanwhile."""
        if (
            self.batcher is None
            or dictionary_name == ALL_DICTIONARIES
            or not isinstance(query, Search)
            or not grep.is_bytewise_search(query)
        ):
            return await self.runner.acquire_session(slot_request)
        return await self.batcher.search(dictionary_name, query, slot_request)

    async def _find_buffered(
        self, dictionary_name: str, query: Search | All, grep_session: GrepSession
    ) -> Entries | None:
        """Find all entries at once; return L{None} if they are too large."""
        groups: list[Entries] = []
        limit, max_characters = query.end, MAX_BUFFERED
        for name in await self.library.resolve_names(dictionary_name, self.in_thread):
            if limit == 0:
                break
            found = await self._find_in_dictionary(
                name, dictionary_name, query, limit, max_characters, grep_session
            )
            if found is None:
                return None
            groups.append(found)
            limit = None if limit is None else limit - len(found)
            max_characters -= approximate_size(found)
        return concatenate_entries(groups)[query.offset : query.end]

    async def _find_in_dictionary(
        self,
        name: str,
        dictionary_name: str,
        query: Search | All,
        limit: int | None,
        max_characters: int,
        grep_session: GrepSession,
    ) -> Entries | None:
        """Find all entries of one dictionary, in one state of it."""
        for _ in range(MAX_ATTEMPTS):
            dictionary = open_requested(self.library, name, dictionary_name)
            if dictionary is None:
                return []
            with dictionary:
                search = await start_search(
                    dictionary, query, grep_session, self.in_thread
                )
                found = await search.find(limit, max_characters)
                if found is None or dictionary.is_unchanged():
                    return found
        raise DictionaryChanging()

    async def _find_streamed(
        self,
        dictionary_name: str,
        query: Search | All,
        grep_session: GrepSession,
        results: EntryResults,
    ) -> None:
        """Count the entries of each dictionary, then read them chunk after chunk."""
        counts: list[tuple[str, FileState, int]] = []
        for name in await self.library.resolve_names(dictionary_name, self.in_thread):
            dictionary = open_requested(self.library, name, dictionary_name)
            if dictionary is None:
                continue
            with dictionary:
                search = await start_search(
                    dictionary, query, grep_session, self.in_thread
                )
                counts.append((name, dictionary.state, await search.count()))
        total = sum(count for _, _, count in counts)
        results.start_page(total, query.offset, query.limit)
        skip = query.offset
        for name, state, count in counts:
            if skip < count and results.remaining:
                await self._stream_dictionary(
                    name, state, query, skip, grep_session, results
                )
            skip = max(0, skip - count)

    async def _stream_dictionary(
        self,
        name: str,
        state: FileState,
        query: Search | All,
        skip: int,
        grep_session: GrepSession,
        results: EntryResults,
    ) -> None:
        """Read the entries of one dictionary, as fast as the results accept them."""
        try:
            opened = self.library.open(name)
        except (DictionaryForbidden, DictionaryNotFound):
            raise DictionaryChanging() from None
        with opened as dictionary:
            if dictionary.state != state:
                raise DictionaryChanging()
            search = await start_search(dictionary, query, grep_session, self.in_thread)
            make_reader = MatchReader if query.selection.pattern else AllLinesReader
            reader = make_reader(search, skip)
            while results.remaining and not reader.at_end:
                entries = await reader.read()
                # A client that reads slowly must not hold a slot.
                grep_session.release_slot()
                if not dictionary.is_unchanged():
                    raise DictionaryChanging()
                for chunk in split_into_chunks(entries, results.remaining):
                    await results.write(chunk)
