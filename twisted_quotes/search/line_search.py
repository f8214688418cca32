"""
Finding lines, with the lines around them.
"""

from __future__ import annotations

from dataclasses import dataclass

from msgspec.structs import replace

from twisted_quotes.concurrency.limiter import SlotRequest
from twisted_quotes.errors import DictionaryChanging
from twisted_quotes.grep.arguments import (
    UNNORMALIZED_LINE_ARGUMENTS,
    is_bytewise_search,
    marked_line_arguments,
    needs_normalized_text,
)
from twisted_quotes.grep.runner import MAX_BUFFERED, GrepSession
from twisted_quotes.library.dictionary import Dictionary, FileState
from twisted_quotes.library.stability import MAX_ATTEMPTS
from twisted_quotes.query.queries import (
    EVERY_DICTIONARY,
    All,
    DictionaryNames,
    Search,
)
from twisted_quotes.text.combining_marks import exchange_marks
from twisted_quotes.text.lines import (
    Lines,
    TextForm,
    approximate_size,
    concatenate_entries,
)

from .batching.search_batcher import SearchBatcher
from .indexed_library import IndexedLibrary
from .line_reader import DictionarySearch
from .results import Entries, EntryResults, TooLargeToBuffer, split_into_chunks


@dataclass(frozen=True)
class LineSearch:
    """
    Finds entries that are lines with grep on the dictionaries themselves.

    @ivar batcher: runs one grep for several searches; L{None} for no batching.
    """

    indexed_library: IndexedLibrary
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
        if (
            self.batcher is not None
            and requested != EVERY_DICTIONARY
            and isinstance(query, Search)
            and is_bytewise_search(query)
        ):
            found = await self.batcher.search(requested[0], query, slot_request)
        else:
            found = await self.indexed_library.runner.acquire_session(slot_request)
        if isinstance(found, Lines):
            await results.write_all(found[query.offset : query.end])
            return
        with found as grep_session:
            search = _Search(self.indexed_library, requested, query, grep_session)
            await search.find_entries(results)


@dataclass
class _Search:
    """The search of one or all dictionaries in one session."""

    indexed_library: IndexedLibrary
    requested: DictionaryNames
    query: Search | All
    grep_session: GrepSession

    async def find_entries(self, results: EntryResults) -> None:
        """Find entries; start again when a dictionary changes meanwhile."""
        for _ in range(MAX_ATTEMPTS):
            if not results.is_large:
                entries = await self._find_buffered()
                if entries is not None:
                    await results.write_all(entries)
                    return
            if results.buffered:
                raise TooLargeToBuffer()
            try:
                await self._stream(results)
                return
            except DictionaryChanging:
                if not results.restart():
                    raise
        raise DictionaryChanging()

    async def _find_buffered(self) -> Entries | None:
        """Find all entries at once; return L{None} if they are too large."""
        groups: list[Entries] = []
        limit, max_characters = self.query.end, MAX_BUFFERED
        for name in await self.indexed_library.resolve_names(self.requested):
            if limit == 0:
                break
            found = await self._find_in_dictionary(name, limit, max_characters)
            if found is None:
                return None
            groups.append(found)
            limit = None if limit is None else limit - len(found)
            max_characters -= approximate_size(found)
        return concatenate_entries(groups)[self.query.offset : self.query.end]

    def _open(self, name: str) -> Dictionary | None:
        return self.indexed_library.open_requested(name, self.requested)

    async def _find_in_dictionary(
        self, name: str, limit: int | None, max_characters: int
    ) -> Entries | None:
        """Find all entries of one dictionary, in one state of it."""
        for _ in range(MAX_ATTEMPTS):
            dictionary = self._open(name)
            if dictionary is None:
                return []
            with dictionary:
                search = await self._start_search(dictionary)
                found = await search.find(limit, max_characters)
                if found is None or dictionary.is_unchanged():
                    return found
        raise DictionaryChanging()

    async def _start_search(self, dictionary: Dictionary) -> DictionarySearch:
        text_form = await self._choose_text_form(dictionary)
        query = self.query
        if text_form is TextForm.MARKS_EXCHANGED and isinstance(query, Search):
            query = replace(query, term=exchange_marks(query.term))
        return DictionarySearch(
            dictionary,
            query,
            self.grep_session,
            self.indexed_library.in_thread,
            text_form,
        )

    async def _choose_text_form(self, dictionary: Dictionary) -> TextForm:
        """Find out which form of the text of a dictionary grep must read."""

        async def has_line(arguments: tuple[str | bytes, ...]) -> bool:
            dictionary.rewind()
            descriptor = dictionary.fileno()
            outcome = await self.grep_session.run(arguments, None, descriptor)
            return outcome.exit_code == 0

        pattern = self.query.selection.pattern
        if pattern is None:
            return TextForm.FILE
        if pattern.whole_word and await has_line(marked_line_arguments()):
            return TextForm.MARKS_EXCHANGED
        if needs_normalized_text(pattern) and await has_line(
            UNNORMALIZED_LINE_ARGUMENTS
        ):
            return TextForm.NORMALIZED
        return TextForm.FILE

    async def _stream(self, results: EntryResults) -> None:
        """Count the entries of each dictionary, then read them chunk after chunk."""
        counts: list[tuple[str, FileState, int]] = []
        for name in await self.indexed_library.resolve_names(self.requested):
            dictionary = self._open(name)
            if dictionary is None:
                continue
            with dictionary:
                search = await self._start_search(dictionary)
                counts.append((name, dictionary.state, await search.count()))
        total = sum(count for _, _, count in counts)
        results.start_page(total, self.query.offset, self.query.limit)
        skip = self.query.offset
        for name, state, count in counts:
            if skip < count and results.remaining:
                await self._stream_dictionary(name, state, skip, results)
            skip = max(0, skip - count)

    async def _stream_dictionary(
        self, name: str, state: FileState, skip: int, results: EntryResults
    ) -> None:
        """Read the entries of one dictionary, as fast as the results accept them."""
        with self.indexed_library.reopen(name, state) as dictionary:
            search = await self._start_search(dictionary)
            reader = search.open_reader(skip)
            while results.remaining and not reader.at_end:
                entries = await reader.read()
                # A client that reads slowly must not hold a slot.
                self.grep_session.release_slot()
                if not dictionary.is_unchanged():
                    raise DictionaryChanging()
                for chunk in split_into_chunks(entries, results.remaining):
                    await results.write(chunk)
