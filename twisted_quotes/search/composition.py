"""
The composition of the searches.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted_quotes.concurrency.threads import DeferToThread
from twisted_quotes.grep.runner import GrepRunner
from twisted_quotes.library.library import Library
from twisted_quotes.library.monitor import LibraryMonitor
from twisted_quotes.library.packs.provider import PackProvider

from .batching.grep_pool import MAX_PRESTARTED, GrepPool
from .batching.search_batcher import SearchBatcher
from .batching.shared_greps import SharedGreps
from .finder import Finder
from .line_search import LineSearch
from .lookups.authors import AuthorList
from .lookups.quotes import QuoteLookup
from .lookups.words import WordSuggester
from .quote_search import QuoteSearch
from .sampling import RandomSampler
from .sources.searchable_library import SearchableLibrary


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
        QuoteLookup(searchable_library),
        AuthorList(searchable_library),
        WordSuggester(searchable_library, shared_greps),
        grep_pool,
        runner.outstanding,
    )
