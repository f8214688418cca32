"""
Finding lines, with the lines around them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from twisted_quotes.concurrency.limiter import SlotRequest
from twisted_quotes.errors import DictionaryChanging
from twisted_quotes.grep.arguments import is_bytewise_search
from twisted_quotes.grep.parallel import run_in_parallel
from twisted_quotes.grep.runner import MAX_BUFFERED, GrepSession
from twisted_quotes.library.stability import MAX_ATTEMPTS
from twisted_quotes.library.text_source import TextSource
from twisted_quotes.query.queries import (
    EVERY_DICTIONARY,
    All,
    DictionaryNames,
    Search,
)
from twisted_quotes.text.lines import Lines, approximate_size, concatenate_entries

from .batching.search_batcher import SearchBatcher
from .batching.shared_greps import SharedGreps
from .line_reader import SourceSearch
from .results import Entries, EntryResults, TooLargeToBuffer, split_into_chunks
from .sources.line_sources import (
    LineOrigin,
    find_line_origins,
    find_lines_of_each,
    open_lines,
    packs_among,
)
from .sources.searchable_library import SearchableLibrary
from .text_forms import prepare_query


@dataclass(frozen=True)
class LineSearch:
    """
    Finds entries that are lines, in dictionaries or in packs.

    @ivar shared_greps: runs one grep for several searches of a pack.
    @ivar batcher: runs one grep for several searches of a dictionary; L{None} for no
        batching.
    """

    library: SearchableLibrary
    shared_greps: SharedGreps
    batcher: SearchBatcher | None = None

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
        # Before a slot is acquired, because this may wait for an index.
        origins = await find_line_origins(self.library, requested)
        with self.library.packs.collection.in_use(packs_among(origins)):
            found = await self._acquire_session(requested, query, slot_request)
            if isinstance(found, Lines):
                await results.write_all(found[query.offset : query.end])
                return
            with found as grep_session:
                search = _Search(
                    self.library, self.shared_greps, requested, query, grep_session
                )
                await search.find_entries(origins, results)

    async def _acquire_session(
        self, requested: DictionaryNames, query: Search | All, slot_request: SlotRequest
    ) -> GrepSession | Lines:
        """Acquire a session, or get what the grep of another search has found."""
        if (
            self.batcher is not None
            and requested != EVERY_DICTIONARY
            and isinstance(query, Search)
            and is_bytewise_search(query)
        ):
            return await self.batcher.search(requested[0], query, slot_request)
        return await self.library.runner.acquire_session(slot_request)


@dataclass
class _Search:
    """The search of one or all dictionaries in one session."""

    library: SearchableLibrary
    shared_greps: SharedGreps
    requested: DictionaryNames
    query: Search | All
    grep_session: GrepSession

    async def find_entries(
        self, origins: Sequence[LineOrigin], results: EntryResults
    ) -> None:
        """Find entries; start again when a dictionary changes meanwhile."""
        for _ in range(MAX_ATTEMPTS):
            try:
                with self.library.packs.collection.in_use(packs_among(origins)):
                    await self._find_in(origins, results)
                return
            except DictionaryChanging:
                if not results.restart():
                    raise
            origins = await find_line_origins(self.library, self.requested)
        raise DictionaryChanging()

    async def _find_in(
        self, origins: Sequence[LineOrigin], results: EntryResults
    ) -> None:
        if not results.is_large:
            entries = await self._find_buffered(origins)
            if entries is not None:
                await results.write_all(entries)
                return
        if results.buffered:
            raise TooLargeToBuffer()
        await self._stream(origins, results)

    async def _find_buffered(self, origins: Sequence[LineOrigin]) -> Entries | None:
        """Find all entries at once; return L{None} if they are too large."""
        query = self.query
        packs = packs_among(origins)
        if (
            packs
            # Otherwise, a search of its own ends with the last line.
            and query.end is None
            and isinstance(query, Search)
            and is_bytewise_search(query)
        ):
            found = await self.shared_greps.find(
                self.grep_session,
                ("lines", *packs),
                sum(pack.directory.sizes["lines"] for pack in packs),
                query.term,
                lambda: self._find_alone(packs),
                partial(find_lines_of_each, self.library, self.grep_session, packs),
            )
        else:
            found = await self._find_alone(origins)
        return None if found is None else found[query.offset : query.end]

    async def _find_alone(self, origins: Sequence[LineOrigin]) -> Entries | None:
        limit, max_characters = self.query.end, MAX_BUFFERED

        async def find(grep_session: GrepSession, origin: LineOrigin) -> Entries:
            nonlocal limit, max_characters
            if limit is not None and limit <= 0:
                return []
            found = await self._find_at_once(
                grep_session, origin, limit, max_characters
            )
            if found is not None:
                max_characters -= approximate_size(found)
            if found is None or max_characters < 0:
                raise TooLargeToBuffer()
            limit = None if limit is None else limit - len(found)
            return found

        try:
            groups = await run_in_parallel(self.grep_session, find, origins)
        except TooLargeToBuffer:
            return None
        return concatenate_entries(groups)

    async def _find_at_once(
        self,
        grep_session: GrepSession,
        origin: LineOrigin,
        limit: int | None,
        max_characters: int,
    ) -> Entries | None:
        """Find all entries in one place, in one state of it."""
        source = open_lines(self.library, origin, self.requested)
        if source is None:
            return []
        with source:
            search = await self._start_search(grep_session, source)
            found = await search.find(limit, max_characters)
            if found is None or source.is_unchanged():
                return found
        raise DictionaryChanging()

    async def _start_search(
        self, grep_session: GrepSession, source: TextSource
    ) -> SourceSearch:
        query, text_form = await prepare_query(self.query, grep_session, source)
        return SourceSearch(
            source, query, grep_session, self.library.in_thread, text_form
        )

    async def _stream(
        self, origins: Sequence[LineOrigin], results: EntryResults
    ) -> None:
        """Count the entries in each place, then read them chunk after chunk."""

        async def count_entries(
            grep_session: GrepSession, origin: LineOrigin
        ) -> tuple[LineOrigin, object, int]:
            source = open_lines(self.library, origin, self.requested)
            if source is None:
                return origin, None, 0
            with source:
                search = await self._start_search(grep_session, source)
                return origin, source.state, await search.count()

        counted = await run_in_parallel(self.grep_session, count_entries, origins)
        total = sum(count for _, _, count in counted)
        results.start_page(total, self.query.offset, self.query.limit)
        skip = self.query.offset
        for origin, state, count in counted:
            if skip < count and results.remaining:
                source = open_lines(self.library, origin, self.requested)
                if source is None:
                    raise DictionaryChanging()
                with source:
                    if source.state != state:
                        raise DictionaryChanging()
                    await self._stream_source(source, skip, results)
            skip = max(0, skip - count)

    async def _stream_source(
        self, source: TextSource, skip: int, results: EntryResults
    ) -> None:
        """Read the entries of one text, as fast as the results accept them."""
        search = await self._start_search(self.grep_session, source)
        reader = search.open_reader(skip)
        while results.remaining and not reader.at_end:
            entries = await reader.read()
            # A client that reads slowly must not hold a slot.
            self.grep_session.release_slot()
            if not source.is_unchanged():
                raise DictionaryChanging()
            for chunk in split_into_chunks(entries, results.remaining):
                await results.write(chunk)
