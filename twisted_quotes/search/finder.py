"""
The entry point of all searches: each method finds the results of one kind of query.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from msgspec import UNSET, UnsetType
from twisted.internet.defer import Deferred

from twisted_quotes.concurrency.limiter import SlotRequest
from twisted_quotes.concurrency.outstanding import Outstanding
from twisted_quotes.concurrency.threads import DeferToThread
from twisted_quotes.grep.runner import GrepRunner, GrepSession
from twisted_quotes.library.dictionary import FileState
from twisted_quotes.library.library import Library
from twisted_quotes.library.monitor import LibraryMonitor
from twisted_quotes.library.packs.parts import PackPart
from twisted_quotes.library.packs.provider import PackProvider
from twisted_quotes.query.queries import (
    ALL_DICTIONARIES,
    EVERY_DICTIONARY,
    All,
    DictionaryNames,
    List,
    Query,
    QuoteQuery,
    Random,
    SampleQuotes,
    Search,
)
from twisted_quotes.query.selection import Selection
from twisted_quotes.quotes.quote import Quote

from .batching.grep_pool import MAX_PRESTARTED, GrepPool
from .batching.search_batcher import SearchBatcher
from .batching.shared_greps import SharedGreps
from .line_search import LineSearch
from .quote_search import DictionaryInfo, QuoteSearch
from .results import EntryResults, QuoteEntriesAdapter, QuoteResults
from .sampling import RandomSampler
from .sources.searchable_library import (
    INDEX_TIME_LIMIT,
    SearchableLibrary,
    Versions,
)

T = TypeVar("T")

_MAX_QUICK_GREPS = 10


@dataclass(frozen=True)
class Finder:
    """
    Finds the results of queries.

    The L{Deferred}s fail with a L{QuotesError<twisted_quotes.errors.QuotesError>}
    that the client is told, or with L{GrepFailed
    <twisted_quotes.grep.arguments.GrepFailed>} or L{OSError}. Cancelling one ends
    the wait for a slot, or kills the grep.

    A C{dictionary_name} is the name of a dictionary, or C{"*"} for all dictionaries
    that may be read. A C{client_key} identifies the client, for fair queueing; it is
    L{None} if clients cannot be distinguished.

    @ivar outstanding: keeps track of all searches, for the shutdown.
    """

    library: Library
    searchable_library: SearchableLibrary
    line_search: LineSearch
    quote_search: QuoteSearch
    sampler: RandomSampler
    grep_pool: GrepPool
    outstanding: Outstanding

    def find_entries(
        self, query: Query, results: EntryResults, client_key: str | None = None
    ) -> Deferred[None]:
        """
        Find the entries that a query of API v1 selects.

        @param results: what receives them. It is of no use if this fails.
        """
        return self._track(self._find_entries(query, results, client_key))

    async def _find_entries(
        self, query: Query, results: EntryResults, client_key: str | None
    ) -> None:
        if isinstance(query, List):
            names = (await self.searchable_library.list_names())[query.offset :]
            limit = query.nresults if query.nresults > 0 else None
            await results.write_all(names[:limit])
            return
        if isinstance(query, Random):
            adapter = QuoteEntriesAdapter(query.limit, query.offset, results)
            await self._find_quotes(query, adapter, client_key, None)
            results.is_complete = adapter.is_complete
            return
        requested = self.resolve_names(query)
        slot_request = self._slot_request(requested, query.selection, client_key)
        search = self.quote_search if query.unit == "quote" else self.line_search
        await search.find_entries(requested, query, results, slot_request)

    def find_quotes(
        self, query: QuoteQuery, results: QuoteResults, client_key: str | None = None
    ) -> Deferred[None]:
        """
        Find the quotes that a query of API v2 selects.

        @param results: what receives them. What it has accepted stays valid if this
            fails.
        """
        return self._track(self._find_quotes(query, results, client_key))

    async def _find_quotes(
        self,
        query: QuoteQuery | Random,
        results: QuoteResults,
        client_key: str | None,
        index_time_limit: float | None = INDEX_TIME_LIMIT,
    ) -> None:
        async def write_quotes(
            grep_session: GrepSession, parts: Sequence[PackPart]
        ) -> None:
            if isinstance(query, Random | SampleQuotes):
                await self.sampler.write_quotes(grep_session, parts, query, results)
            else:
                await self.quote_search.write_quotes(
                    grep_session, parts, query, results
                )

        requested = self.resolve_names(query)
        slot_request = self._slot_request(requested, query.selection, client_key)
        await self.searchable_library.search(
            requested, slot_request, write_quotes, results, index_time_limit
        )

    def find_quote(
        self, quote_id: str, client_key: str | None = None
    ) -> Deferred[tuple[Quote, bool]]:
        """Find a quote, and tell whether all dictionaries have an index."""
        return self._track(
            self.quote_search.find_quote(quote_id, SlotRequest(client_key))
        )

    def list_dictionaries(self) -> Deferred[tuple[AsyncIterator[DictionaryInfo], bool]]:
        """See L{QuoteSearch.list_dictionaries}."""
        return self._track(self.quote_search.list_dictionaries())

    def read_states(
        self, requested: DictionaryNames
    ) -> Deferred[Mapping[str, FileState] | str]:
        """See L{SearchableLibrary.read_states}."""
        return self._track(self.searchable_library.read_states(requested))

    def list_dictionary_names(self) -> Deferred[list[str]]:
        """List the names of the dictionaries that may be read, in order."""
        return self._track(self.searchable_library.list_names())

    def warnings(self) -> dict[str, Sequence[str]]:
        """Return the known warnings about dictionaries, by name."""
        return self.searchable_library.packs.warnings()

    def versions(self, requested: DictionaryNames, of_quotes: bool) -> Versions:
        """See L{SearchableLibrary.versions}."""
        return self.searchable_library.versions(requested, of_quotes)

    def read_versions(
        self, requested: DictionaryNames, of_quotes: bool
    ) -> Deferred[Versions]:
        """See L{SearchableLibrary.read_versions}."""
        return self._track(self.searchable_library.read_versions(requested, of_quotes))

    def resolve_dictionary_name(self, dictionary: str | UnsetType) -> str:
        """Return the name in a query, or the default for a query without one."""
        return self.library.default if dictionary is UNSET else str(dictionary)

    def resolve_names(
        self, query: Search | All | Random | QuoteQuery
    ) -> DictionaryNames:
        """Return the names of the dictionaries to search for a query, in order."""
        if isinstance(query, QuoteQuery):
            names = query.selection.restrict_names(query.dictionary)
            for name in {*query.dictionary} - {*names, ALL_DICTIONARIES}:
                self.library.open(name).close()
            return names
        return (self.resolve_dictionary_name(query.dictionary),)

    def _slot_request(
        self, requested: DictionaryNames, selection: Selection, client_key: str | None
    ) -> SlotRequest:
        """Return what to request a slot with: a slow one for a regex or much text."""
        pattern = selection.pattern
        slow = (
            (pattern is not None and pattern.regex)
            or requested == EVERY_DICTIONARY
            or len(requested) * selection.criterion_count > _MAX_QUICK_GREPS
            or any(map(self.library.is_large, requested))
        )
        return SlotRequest(client_key, slow)

    def _track(self, coroutine: Coroutine[Deferred[Any], Any, T]) -> Deferred[T]:
        deferred = Deferred.fromCoroutine(coroutine)
        return self.outstanding.add(deferred, cancellable=True)


def make_finder(
    runner: GrepRunner,
    library: Library,
    monitor: LibraryMonitor,
    packs: PackProvider,
    in_thread: DeferToThread,
    now: Callable[[], float],
    batch_threshold: int = 1,
    max_prestarted: int = MAX_PRESTARTED,
) -> Finder:
    """
    Return a finder with all its parts.

    @param in_thread: runs what may block.
    @param now: returns the time, in seconds since 1970.
    @param batch_threshold: the number of greps on a dictionary or a pack from which on
        searches are batched; 0 for no batching.
    @param max_prestarted: the maximum number of prestarted greps.
    """
    grep_pool = GrepPool(runner, library, max_prestarted, now)
    batcher = None
    if batch_threshold:
        batcher = SearchBatcher(runner, library, batch_threshold, grep_pool)
    shared_greps = SharedGreps(runner, batch_threshold)
    searchable_library = SearchableLibrary(
        runner, library, monitor, packs, in_thread, now
    )
    return Finder(
        library,
        searchable_library,
        LineSearch(searchable_library, shared_greps, batcher),
        QuoteSearch(searchable_library, shared_greps),
        RandomSampler(searchable_library),
        grep_pool,
        runner.outstanding,
    )
