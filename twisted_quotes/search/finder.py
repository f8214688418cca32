"""
The entry point of all searches: each method finds the results of one kind of query.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar

from msgspec import UNSET, UnsetType
from twisted.internet.defer import Deferred

from twisted_quotes.concurrency.limiter import SlotRequest
from twisted_quotes.concurrency.outstanding import Outstanding
from twisted_quotes.grep.runner import GrepSession
from twisted_quotes.library.dictionary import FileState
from twisted_quotes.library.library import Library
from twisted_quotes.library.packs.parts import PackPart
from twisted_quotes.query.queries import (
    ALL_DICTIONARIES,
    EVERY_DICTIONARY,
    All,
    DictionaryNames,
    List,
    Query,
    Random,
    Search,
)
from twisted_quotes.query.quote_queries import (
    LibraryQuery,
    QuoteQuery,
    SampleQuotes,
    SuggestWords,
)
from twisted_quotes.query.selection import Selection

from .batching.grep_pool import GrepPool
from .line_search import LineSearch
from .lookups.authors import Author, AuthorList
from .lookups.quotes import DictionaryInfo, QuoteInDictionary, QuoteLookup
from .lookups.words import Suggestion, WordSuggester
from .quote_search import QuoteSearch
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
    quote_lookup: QuoteLookup
    author_list: AuthorList
    word_suggester: WordSuggester
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
    ) -> Deferred[QuoteInDictionary]:
        """See L{QuoteLookup.find_quote}."""
        slot_request = SlotRequest(client_key)
        return self._track(self.quote_lookup.find_quote(quote_id, slot_request))

    def find_today(
        self, day: date, requested: DictionaryNames, client_key: str | None = None
    ) -> Deferred[QuoteInDictionary]:
        """See L{QuoteLookup.find_daily_quote}."""
        slot_request = SlotRequest(client_key)
        return self._track(
            self.quote_lookup.find_daily_quote(day, requested, slot_request)
        )

    def find_authors(
        self, requested: DictionaryNames, client_key: str | None = None
    ) -> Deferred[tuple[Sequence[Author], bool]]:
        """See L{AuthorList.find_authors}."""
        slot_request = SlotRequest(client_key)
        return self._track(self.author_list.find_authors(requested, slot_request))

    def suggest_words(
        self, query: SuggestWords, client_key: str | None = None
    ) -> Deferred[tuple[Sequence[Suggestion], bool]]:
        """See L{WordSuggester.suggest}."""
        requested, selection = self.resolve_names(query), query.selection
        slot_request = self._slot_request(requested, selection, client_key)
        return self._track(
            self.word_suggester.suggest(
                selection.text_patterns, requested, slot_request
            )
        )

    def list_dictionaries(self) -> Deferred[tuple[AsyncIterator[DictionaryInfo], bool]]:
        """See L{QuoteLookup.list_dictionaries}."""
        return self._track(self.quote_lookup.list_dictionaries())

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
        self, query: Search | All | Random | LibraryQuery
    ) -> DictionaryNames:
        """Return the names of the dictionaries to search for a query, in order."""
        if isinstance(query, LibraryQuery):
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
