"""
The use cases: what is done to answer a query.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from msgspec import UNSET, UnsetType
from twisted.internet.defer import Deferred

from twisted_quotes.concurrency.limiter import Claim
from twisted_quotes.concurrency.outstanding import Outstanding
from twisted_quotes.grep.batching import Together
from twisted_quotes.grep.prestart import MOST_SPARES, SpareGreps
from twisted_quotes.grep.runner import GrepRunner
from twisted_quotes.library.dictionary import State, Steps
from twisted_quotes.library.indexes import Indexes, InThread
from twisted_quotes.library.library import Library
from twisted_quotes.query.queries import (
    EVERY_DICTIONARY,
    DrawQuotes,
    FindQuotes,
    List,
    Query,
    Random,
    Selection,
    StreamQuotes,
)
from twisted_quotes.text.quotes import Quote

from .indexed_library import Volumes
from .line_search import LineFinder
from .quote_search import Facts, QuoteFinder
from .results import EntryResults, QuotesAsEntries, Results
from .sampling import QuoteDrawer

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
    @ivar volumes: both together.
    @ivar lines: finds lines.
    @ivar quotes: finds whole quotes.
    @ivar drawer: draws them.
    @ivar spares: greps that were started ahead.
    @ivar outstanding: is told of each query.
    """

    library: Library
    indexes: Indexes
    volumes: Volumes
    lines: LineFinder
    quotes: QuoteFinder
    drawer: QuoteDrawer
    spares: SpareGreps
    outstanding: Outstanding

    def entries(
        self, query: Query, results: EntryResults, client: str | None = None
    ) -> Deferred[None]:
        """
        Find the entries that API v1 is asked for.

        @param results: where they go. If this fails, nothing of it is valid.
        """
        return self._answer(self._entries(query, results, client))

    async def _entries(
        self, query: Query, results: EntryResults, client: str | None
    ) -> None:
        if isinstance(query, List):
            names = (await self.volumes.names())[query.offset :]
            names = names[: query.nresults] if query.nresults > 0 else names
            results.begin(len(names))
            results.add(names)
            return
        asked = self.asked(query.dictionary)
        claim = self._claim(client, asked, query.selection)
        if isinstance(query, Random):
            quotes = QuotesAsEntries(query.most, query.offset, results)
            draw = query.selection, _seed(query.seed), query.offset
            await self.drawer.draw(asked, *draw, quotes, claim)
        elif query.unit == "quote":
            await self.quotes.entries(asked, query, results, claim)
        else:
            await self.lines.find(asked, query, results, claim)

    def find(
        self,
        query: FindQuotes | StreamQuotes,
        results: Results,
        client: str | None = None,
    ) -> Deferred[None]:
        """
        Find quotes in order.

        @param results: where they go. What it has taken stays valid if this
            fails.
        """
        asked = self.asked(query.dictionary)
        claim = self._claim(client, asked, query.selection)
        return self._answer(
            self.quotes.find(asked, query.selection, query.offset, results, claim)
        )

    def draw(
        self, query: DrawQuotes, results: Results, client: str | None = None
    ) -> Deferred[None]:
        """
        Draw quotes by chance.

        @param results: where they go, as for L{find}.
        """
        asked, seed = self.asked(query.dictionary), _seed(query.seed)
        draw = query.selection, seed, query.offset
        claim = self._claim(client, asked, query.selection)
        return self._answer(self.drawer.draw(asked, *draw, results, claim))

    def quote(self, identity: str, client: str | None = None) -> Deferred[Quote]:
        """Find a quote by its id."""
        return self._answer(self.quotes.quote(identity, Claim(client)))

    def dictionaries(self, client: str | None = None) -> Deferred[list[Facts]]:
        """What is known of every dictionary."""
        return self._answer(self.quotes.dictionaries(Claim(client)))

    def states(self, asked: str) -> Deferred[dict[str, State]]:
        """
        The states of dictionaries, by name.

        @param asked: the name of one, or C{"*"} for every one that may be read.
        """
        return self._answer(self.volumes.states(asked))

    def names(self) -> Deferred[list[str]]:
        """The names of the dictionaries that may be read, in order."""
        return self._answer(self.volumes.names())

    def versions(self, name: str) -> tuple[Steps, ...] | None:
        """
        What tells whether anything has changed that an answer depends on.

        @param name: the name of one dictionary.
        @return: as for L{Volumes.versions}.
        """
        return self.volumes.versions(name)

    def all_versions(self) -> Deferred[tuple[Steps, ...] | None]:
        """The same of every dictionary that may be read."""
        return self._answer(self.volumes.all_versions())

    @property
    def left_out(self) -> int:
        """
        How often a dictionary was left out of an answer about every one.

        An answer that was found while this grew is not to be kept.
        """
        return self.volumes.left_out

    def asked(self, dictionary: str | UnsetType) -> str:
        """What a query asks for that names a dictionary, or none."""
        return self.library.default if dictionary is UNSET else str(dictionary)

    def _claim(self, client: str | None, asked: str, selection: Selection) -> Claim:
        """
        The place that a client needs for a search.

        A regular expression may take as long as it is allowed to, whatever it is
        looked for in, and so may a search of much text.
        """
        pattern = selection.pattern
        slow = pattern is not None and pattern.regex
        slow = slow or asked == EVERY_DICTIONARY or self.library.is_large(asked)
        return Claim(client, slow)

    def _answer(self, answer: Coroutine[Deferred[Any], Any, T]) -> Deferred[T]:
        answered = Deferred.fromCoroutine(answer)
        return self.outstanding.add(answered, answered.cancel)


def make_finder(
    runner: GrepRunner,
    library: Library,
    indexes: Indexes,
    in_thread: InThread,
    now: Callable[[], float],
    together: int = 1,
    most_spares: int = MOST_SPARES,
) -> Finder:
    """
    Put a finder together.

    @param runner: runs grep.
    @param library: the dictionaries.
    @param indexes: their indexes.
    @param in_thread: runs what may block.
    @param now: tells the time, in seconds since 1970.
    @param together: how many greps may look through a dictionary before further
        searches wait to be answered by one; 0 to search for each alone.
    @param most_spares: how many greps may have been started ahead.
    """
    spares = SpareGreps(runner, library, most_spares, now)
    volumes = Volumes(runner, library, indexes, in_thread, now)
    return Finder(
        library,
        indexes,
        volumes,
        LineFinder(
            *(runner, library, in_thread),
            Together(runner, library, together, spares) if together else None,
        ),
        QuoteFinder(volumes, in_thread),
        QuoteDrawer(volumes, in_thread),
        spares,
        runner.outstanding,
    )


def _seed(seed: int | UnsetType) -> int | None:
    return None if isinstance(seed, UnsetType) else seed
