"""
The use cases: what is done to answer a query.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from msgspec import UNSET, UnsetType
from twisted.internet.defer import Deferred

from .dictionary import State
from .draw import QuoteDrawer
from .greps import GrepRunner
from .indexes import Indexes, InThread
from .library import Library
from .line_finder import LineFinder
from .outstanding import Outstanding
from .query import DrawQuotes, FindQuotes, List, Query, Random, StreamQuotes
from .quote_finder import Facts, QuoteFinder, Results
from .quotes import Quote
from .volumes import Volumes

T = TypeVar("T")


@dataclass(frozen=True)
class Finder:
    """
    Answers queries.

    Each answer is a L{Deferred}. It fails with a L{QuotesError
    <twisted_quotes.errors.QuotesError>} that says why there is none, or with
    what is wrong here: L{GrepFailed<twisted_quotes.grep.GrepFailed>},
    L{BuildFailed<twisted_quotes.indexes.BuildFailed>} or L{OSError}. Cancelling
    it gives up the wait, or kills the grep.

    @ivar library: the dictionaries.
    @ivar indexes: their indexes.
    @ivar volumes: both together.
    @ivar lines: finds lines.
    @ivar quotes: finds whole quotes.
    @ivar drawer: draws them.
    @ivar outstanding: is told of each query.
    """

    library: Library
    indexes: Indexes
    volumes: Volumes
    lines: LineFinder
    quotes: QuoteFinder
    drawer: QuoteDrawer
    outstanding: Outstanding

    def entries(self, query: Query) -> Deferred[list[str]]:
        """Find the entries that API v1 is asked for."""
        return self._answer(self._entries(query))

    async def _entries(self, query: Query) -> list[str]:
        if isinstance(query, List):
            names = self.library.names()[query.offset :]
            return names[: query.nresults] if query.nresults > 0 else names
        asked = self.asked(query.dictionary)
        if isinstance(query, Random):
            drawn, _ = await self.drawer.draw(
                asked, query.selection, _seed(query.seed), query.offset, query.most
            )
            return [quote.text for quote in drawn]
        if query.unit == "quote":
            return await self.quotes.entries(asked, query)
        return await self.lines.entries(asked, query)

    def find(
        self, query: FindQuotes | StreamQuotes, results: Results
    ) -> Deferred[None]:
        """
        Find quotes in order.

        @param results: where they go. What it has taken stays valid if this
            fails.
        """
        asked = self.asked(query.dictionary)
        return self._answer(
            self.quotes.find(asked, query.selection, query.offset, results)
        )

    def draw(
        self, query: DrawQuotes, most_bytes: int
    ) -> Deferred[tuple[list[Quote], int]]:
        """
        Draw quotes by chance; fires with them and how many there were.

        @param most_bytes: about how many bytes they may have together.
        """
        asked, seed = self.asked(query.dictionary), _seed(query.seed)
        part = query.offset, query.limit, most_bytes
        return self._answer(self.drawer.draw(asked, query.selection, seed, *part))

    def quote(self, identity: str) -> Deferred[Quote]:
        """Find a quote by its id."""
        return self._answer(self.quotes.quote(identity))

    def dictionaries(self) -> Deferred[list[Facts]]:
        """What is known of every dictionary."""
        return self._answer(self.quotes.dictionaries())

    def states(self, asked: str) -> Deferred[dict[str, State]]:
        """
        The states of dictionaries, by name.

        @param asked: the name of one, or C{"*"} for every one that may be read.
        """
        return self._answer(self.volumes.states(asked))

    def asked(self, dictionary: str | UnsetType) -> str:
        """What a query asks for that names a dictionary, or none."""
        return self.library.default if dictionary is UNSET else str(dictionary)

    def _answer(self, answer: Coroutine[Deferred[Any], Any, T]) -> Deferred[T]:
        answered = Deferred.fromCoroutine(answer)
        return self.outstanding.add(answered, answered.cancel)


def make_finder(
    runner: GrepRunner,
    library: Library,
    indexes: Indexes,
    in_thread: InThread,
    now: Callable[[], float],
) -> Finder:
    """
    Put a finder together.

    @param runner: runs grep.
    @param library: the dictionaries.
    @param indexes: their indexes.
    @param in_thread: runs what may block.
    @param now: tells the time, in seconds since 1970.
    """
    volumes = Volumes(runner, library, indexes, in_thread, now)
    return Finder(
        library,
        indexes,
        volumes,
        LineFinder(runner, library),
        QuoteFinder(volumes, in_thread),
        QuoteDrawer(volumes, in_thread),
        runner.outstanding,
    )


def _seed(seed: int | UnsetType) -> int | None:
    return None if isinstance(seed, UnsetType) else seed
