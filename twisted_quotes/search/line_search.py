"""
Finding lines, with the lines around them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from twisted_quotes.concurrency.limiter import SlotRequest
from twisted_quotes.concurrency.threads import DeferToThread
from twisted_quotes.errors import (
    DictionaryChanging,
    DictionaryForbidden,
    DictionaryNotFound,
)
from twisted_quotes.grep import arguments as grep
from twisted_quotes.grep import output as grep_output
from twisted_quotes.grep.batching import SearchBatcher
from twisted_quotes.grep.runner import MAX_BUFFERED, GrepRunner, GrepSession
from twisted_quotes.library.dictionary import Dictionary, FileState
from twisted_quotes.library.library import Library
from twisted_quotes.library.stability import MAX_ATTEMPTS
from twisted_quotes.query.queries import ALL_DICTIONARIES, All, Search
from twisted_quotes.text.lines import (
    Lines,
    NormalizedFile,
    add_context,
    approximate_size,
    concatenate_entries,
    parse_lines,
)

from .line_reader import make_reader
from .results import EntryResults, TooLargeToBuffer, collect_if_small, split_into_chunks


class LineSearch:
    """
    Finds entries that are lines by running grep on the dictionaries themselves.

    @param runner: runs grep.
    @param library: the dictionaries.
    @param in_thread: runs what may take a while.
    @param batcher: has searches that wait answered by one grep; L{None} to have
        each searched alone.
    """

    def __init__(
        self,
        runner: GrepRunner,
        library: Library,
        in_thread: DeferToThread,
        batcher: SearchBatcher | None = None,
    ) -> None:
        self._batcher = batcher
        self._runner = runner
        self._library = library
        self._in_thread = in_thread

    async def find_entries(
        self,
        dictionary_name: str,
        query: Search | All,
        results: EntryResults,
        slot_request: SlotRequest,
    ) -> None:
        """
        Find entries.

        @param dictionary_name: the name of a dictionary, or C{"*"} for every one.
        """
        acquired = await self._acquire_session_or_lines(
            dictionary_name, query, slot_request
        )
        if isinstance(acquired, Lines):
            lines = acquired[query.offset : query.end]
            results.start(len(lines))
            results.write(lines)
            return
        with acquired as grep_session:
            for _ in range(MAX_ATTEMPTS):
                is_large = results.is_large
                entries = (
                    None
                    if is_large
                    else await self._find_buffered(dictionary_name, query, grep_session)
                )
                if entries is not None:
                    results.start(len(entries))
                    results.write(entries)
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
        """Wait for a place, or for the lines that another search has found."""
        if (
            self._batcher is None
            or dictionary_name == ALL_DICTIONARIES
            or not isinstance(query, Search)
            or not grep.is_bytewise_search(query)
        ):
            return await self._runner.acquire_session(slot_request)
        return await self._batcher.search(dictionary_name, query, slot_request)

    # All at once

    async def _find_buffered(
        self, dictionary_name: str, query: Search | All, grep_session: GrepSession
    ) -> Sequence[str] | None:
        """Find all entries, unless they are many: then there are L{None}."""
        entry_groups: list[Sequence[str]] = []
        count, remaining_characters = 0, MAX_BUFFERED
        end = query.end
        for name in await self._library.resolve_names(dictionary_name, self._in_thread):
            limit = None if end is None else end - count
            if limit == 0:
                break
            try:
                found = await self._find_in_dictionary(
                    name, query, limit, remaining_characters, grep_session
                )
            except (DictionaryForbidden, DictionaryNotFound):
                # Of every dictionary, none that is gone by now is missed.
                if dictionary_name != ALL_DICTIONARIES:
                    raise
                continue
            if found is None:
                return None
            entry_groups.append(found)
            count += len(found)
            remaining_characters -= approximate_size(found)
        return concatenate_entries(entry_groups)[query.offset : end]

    async def _find_in_dictionary(
        self,
        dictionary_name: str,
        query: Search | All,
        limit: int | None,
        max_characters: int,
        grep_session: GrepSession,
    ) -> Sequence[str] | None:
        """Find entries in one dictionary, in one state of it, unless they are many."""
        for _ in range(MAX_ATTEMPTS):
            with self._library.open(dictionary_name) as dictionary:
                lines = await self._run_grep(
                    dictionary, query, limit, max_characters, grep_session
                )
                if lines is None or dictionary.is_unchanged():
                    break
        else:
            raise DictionaryChanging()
        if lines is not None and (query.n_before or query.n_after):
            lines, matches = grep_output.parse_numbered_lines(lines)
            entries = add_context(lines, matches, query.n_before, query.n_after)
            return collect_if_small(islice(entries, limit), max_characters)
        return lines and lines[:limit]

    async def _run_grep(
        self,
        dictionary: Dictionary,
        query: Search | All,
        limit: int | None,
        max_characters: int,
        grep_session: GrepSession,
    ) -> Sequence[str] | None:
        """Have grep print lines of a dictionary, unless they are many."""
        pattern = query.selection.pattern
        if pattern is None and limit is None and dictionary.state.size > max_characters:
            return None
        stdin: int | NormalizedFile = dictionary.fileno()
        if await self._needs_normalization(dictionary, query, grep_session):
            stdin = NormalizedFile(dictionary.open_reader())
        outcome = await grep_session.run(
            grep.line_arguments(query, limit),
            pattern,
            stdin,
            max(1, max_characters),
        )
        if not outcome.is_complete:
            return None
        return parse_lines(outcome.stdout, isinstance(stdin, NormalizedFile))

    async def _needs_normalization(
        self, dictionary: Dictionary, query: Search | All, grep_session: GrepSession
    ) -> bool:
        """Whether grep must be fed the text of a dictionary instead of its bytes."""
        if not grep.needs_normalized_text(query.selection.pattern):
            return False
        outcome = await grep_session.run(
            grep.UNNORMALIZED_LINE_ARGUMENTS, None, dictionary.fileno()
        )
        dictionary.rewind()
        return outcome.exit_code == 0

    # A piece at a time

    async def _find_streamed(
        self,
        dictionary_name: str,
        query: Search | All,
        grep_session: GrepSession,
        results: EntryResults,
    ) -> None:
        """Count the entries, then find them a piece at a time."""
        counts = await self._count_entries(dictionary_name, query, grep_session)
        entry_count = max(0, sum(count for _, _, count in counts) - query.offset)
        results.start(
            entry_count if query.limit is None else min(entry_count, query.limit)
        )
        skip = query.offset
        for name, state, count in counts:
            if skip < count and results.remaining:
                await self._stream_dictionary(
                    name, state, query, skip, grep_session, results
                )
            skip = max(0, skip - count)

    async def _count_entries(
        self, dictionary_name: str, query: Search | All, grep_session: GrepSession
    ) -> list[tuple[str, FileState, int]]:
        """Count the entries in each dictionary, and tell the state it is in."""
        counts, pattern = [], query.selection.pattern
        for name in await self._library.resolve_names(dictionary_name, self._in_thread):
            try:
                dictionary = self._library.open(name)
            except (DictionaryForbidden, DictionaryNotFound):
                if dictionary_name != ALL_DICTIONARIES:
                    raise
                continue
            with dictionary:
                normalized = await self._needs_normalization(
                    dictionary, query, grep_session
                )
                outcome = await grep_session.run(
                    grep.count_arguments(pattern),
                    pattern,
                    NormalizedFile(dictionary.open_reader())
                    if normalized
                    else dictionary.fileno(),
                )
                count = grep_output.parse_count(outcome.stdout)
                counts.append((name, dictionary.state, count))
        return counts

    async def _stream_dictionary(
        self,
        dictionary_name: str,
        state: FileState,
        query: Search | All,
        skip: int,
        grep_session: GrepSession,
        results: EntryResults,
    ) -> None:
        """Find entries in one dictionary, as fast as they are taken."""
        try:
            opened = self._library.open(dictionary_name)
        except (DictionaryForbidden, DictionaryNotFound):
            raise DictionaryChanging() from None
        with opened as dictionary:
            if dictionary.state != state:
                raise DictionaryChanging()
            normalized = await self._needs_normalization(
                dictionary, query, grep_session
            )
            reader = make_reader(dictionary, query, normalized, skip, self._in_thread)
            while results.remaining and not reader.at_end:
                chunks = split_into_chunks(
                    await reader.read(grep_session), results.remaining
                )
                # Who takes a while to take them must not hold a place.
                grep_session.release_slot()
                if not dictionary.is_unchanged():
                    raise DictionaryChanging()
                for chunk in chunks:
                    results.write(chunk)
                    chunk.clear()
                    await results.wait_until_ready()
