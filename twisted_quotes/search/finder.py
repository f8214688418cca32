"""
The use cases: what is done to answer a query.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from msgspec import UNSET, UnsetType
from twisted.internet.defer import Deferred

from twisted_quotes.concurrency.limiter import SlotRequest
from twisted_quotes.concurrency.outstanding import Outstanding
from twisted_quotes.concurrency.threads import DeferToThread
from twisted_quotes.grep.batching import SearchBatcher
from twisted_quotes.grep.prestart import MAX_PRESTARTED, GrepPool
from twisted_quotes.grep.runner import GrepRunner
from twisted_quotes.library.dictionary import FileState, PathState
from twisted_quotes.library.indexes import Indexes
from twisted_quotes.library.library import Library
from twisted_quotes.query.queries import (
    ALL_DICTIONARIES,
    FindQuotes,
    List,
    Query,
    Random,
    SampleQuotes,
    Selection,
    StreamQuotes,
)
from twisted_quotes.text.quotes import Quote

from .indexed_library import IndexedLibrary
from .line_search import LineSearch
from .quote_search import DictionaryInfo, QuoteSearch
from .results import EntryResults, QuoteEntriesAdapter, QuoteResults
from .sampling import RandomSampler

T = TypeVar("T")


@dataclass(frozen=True)
class Finder:
    """
    Answers queries.

    Each answer is a L{Deferred}. It fails with a L{QuotesError
    <twisted_quotes.errors.QuotesError>} that says why there is none, or with
    what is wrong here: L{GrepFailed<twisted_quotes.grep.arguments.GrepFailed>} or
    L{OSError}. Cancelling it gives up the wait, or kills the grep.

    Each takes a C{client}, which tells one client from another; L{None} where they
    cannot be told apart. Clients have their answers in turn.

    @ivar library: the dictionaries.
    @ivar indexes: their indexes.
    @ivar indexed_library: both together.
    @ivar line_search: finds lines.
    @ivar quote_search: finds whole quotes.
    @ivar sampler: draws them.
    @ivar grep_pool: greps that were started ahead.
    @ivar outstanding: is told of each query.
    """

    library: Library
    indexes: Indexes
    indexed_library: IndexedLibrary
    line_search: LineSearch
    quote_search: QuoteSearch
    sampler: RandomSampler
    grep_pool: GrepPool
    outstanding: Outstanding

    def find_entries(
        self, query: Query, results: EntryResults, client_key: str | None = None
    ) -> Deferred[None]:
        """
        Find the entries that API v1 is asked for.

        @param results: where they go. If this fails, nothing of it is valid.
        """
        return self._track(self._find_entries(query, results, client_key))

    async def _find_entries(
        self, query: Query, results: EntryResults, client_key: str | None
    ) -> None:
        if isinstance(query, List):
            names = (await self.indexed_library.list_names())[query.offset :]
            names = names[: query.nresults] if query.nresults > 0 else names
            results.start(len(names))
            results.write(names)
            return
        dictionary_name = self.resolve_dictionary_name(query.dictionary)
        slot_request = self._make_slot_request(
            client_key, dictionary_name, query.selection
        )
        if isinstance(query, Random):
            adapter = QuoteEntriesAdapter(query.limit, query.offset, results)
            sample_arguments = query.selection, _seed(query.seed), query.offset
            await self.sampler.sample(
                dictionary_name, *sample_arguments, adapter, slot_request
            )
        elif query.unit == "quote":
            await self.quote_search.find_entries(
                dictionary_name, query, results, slot_request
            )
        else:
            await self.line_search.find_entries(
                dictionary_name, query, results, slot_request
            )

    def find_quotes(
        self,
        query: FindQuotes | StreamQuotes,
        results: QuoteResults,
        client_key: str | None = None,
    ) -> Deferred[None]:
        """
        Find quotes in order.

        @param results: where they go. What it has taken stays valid if this
            fails.
        """
        dictionary_name = self.resolve_dictionary_name(query.dictionary)
        slot_request = self._make_slot_request(
            client_key, dictionary_name, query.selection
        )
        return self._track(
            self.quote_search.find_quotes(
                dictionary_name, query.selection, query.offset, results, slot_request
            )
        )

    def sample_quotes(
        self, query: SampleQuotes, results: QuoteResults, client_key: str | None = None
    ) -> Deferred[None]:
        """
        Draw quotes by chance.

        @param results: where they go, as for L{find_quotes}.
        """
        dictionary_name, seed = (
            self.resolve_dictionary_name(query.dictionary),
            _seed(query.seed),
        )
        sample_arguments = query.selection, seed, query.offset
        slot_request = self._make_slot_request(
            client_key, dictionary_name, query.selection
        )
        return self._track(
            self.sampler.sample(
                dictionary_name, *sample_arguments, results, slot_request
            )
        )

    def find_quote(
        self, quote_id: str, client_key: str | None = None
    ) -> Deferred[tuple[Quote, bool]]:
        """Find a quote by its id; tell whether all dictionaries could be searched."""
        return self._track(
            self.quote_search.find_quote(quote_id, SlotRequest(client_key))
        )

    def list_dictionaries(
        self, client_key: str | None = None
    ) -> Deferred[tuple[list[DictionaryInfo], bool]]:
        """Describe the dictionaries with an index; tell whether these are all."""
        return self._track(self.quote_search.list_dictionaries(SlotRequest(client_key)))

    def read_states(self, dictionary_name: str) -> Deferred[dict[str, FileState]]:
        """
        The states of dictionaries, by name.

        @param dictionary_name: the name of one, or C{"*"} for every one that may be
            read.
        """
        return self._track(self.indexed_library.read_states(dictionary_name))

    def list_dictionary_names(self) -> Deferred[list[str]]:
        """The names of the dictionaries that may be read, in order."""
        return self._track(self.indexed_library.list_names())

    def versions(self, dictionary_name: str) -> tuple[PathState, ...] | None:
        """
        What tells whether anything has changed that an answer depends on.

        @param dictionary_name: the name of one dictionary.
        @return: as for L{IndexedLibrary.versions}.
        """
        return self.indexed_library.versions(dictionary_name)

    def read_all_versions(self) -> Deferred[tuple[PathState, ...] | None]:
        """The same of every dictionary that may be read."""
        return self._track(self.indexed_library.read_all_versions())

    def resolve_dictionary_name(self, dictionary: str | UnsetType) -> str:
        """What a query asks for that names a dictionary, or none."""
        return self.library.default if dictionary is UNSET else str(dictionary)

    def _make_slot_request(
        self, client_key: str | None, dictionary_name: str, selection: Selection
    ) -> SlotRequest:
        """
        The place that a client needs for a search.

        A regular expression may take as long as it is allowed to, whatever it is
        looked for in, and so may a search of much text.
        """
        pattern = selection.pattern
        slow = pattern is not None and pattern.regex
        slow = (
            slow
            or dictionary_name == ALL_DICTIONARIES
            or self.library.is_large(dictionary_name)
        )
        return SlotRequest(client_key, slow)

    def _track(self, coroutine: Coroutine[Deferred[Any], Any, T]) -> Deferred[T]:
        deferred = Deferred.fromCoroutine(coroutine)
        return self.outstanding.add(deferred, deferred.cancel)


def make_finder(
    runner: GrepRunner,
    library: Library,
    indexes: Indexes,
    in_thread: DeferToThread,
    now: Callable[[], float],
    batch_threshold: int = 1,
    max_prestarted: int = MAX_PRESTARTED,
) -> Finder:
    """
    Put a finder together.

    @param runner: runs grep.
    @param library: the dictionaries.
    @param indexes: their indexes.
    @param in_thread: runs what may block.
    @param now: tells the time, in seconds since 1970.
    @param batch_threshold: how many greps may look through a dictionary before further
        searches wait to be answered by one; 0 to search for each alone.
    @param max_prestarted: how many greps may have been started ahead.
    """
    grep_pool = GrepPool(runner, library, max_prestarted, now)
    indexed_library = IndexedLibrary(runner, library, indexes, in_thread, now)
    return Finder(
        library,
        indexes,
        indexed_library,
        LineSearch(
            *(runner, library, in_thread),
            SearchBatcher(runner, library, batch_threshold, grep_pool)
            if batch_threshold
            else None,
        ),
        QuoteSearch(indexed_library, in_thread),
        RandomSampler(indexed_library, in_thread),
        grep_pool,
        runner.outstanding,
    )


def _seed(seed: int | UnsetType) -> int | None:
    return None if isinstance(seed, UnsetType) else seed
