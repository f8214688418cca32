"""
Tests for L{twisted_quotes.search.sources.searchable_library}.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred

from twisted_quotes.concurrency.limiter import SlotRequest
from twisted_quotes.errors import DictionaryChanging, IndexNotReady
from twisted_quotes.grep.runner import GrepSession
from twisted_quotes.library.library import Library
from twisted_quotes.library.packs.parts import PackPart
from twisted_quotes.library.packs.provider import IndexedParts, PackProvider
from twisted_quotes.query.queries import EVERY_DICTIONARY, All, Search
from twisted_quotes.query.quote_queries import FindQuotes
from twisted_quotes.search.results import Results
from twisted_quotes.search.sources.searchable_library import INDEX_TIME_LIMIT

from ...cases import CollectedQuotes, RealGrepTestCase
from ...fakes import FakeReactor, find_entries, make_test_finder


class SearchTests(RealGrepTestCase):
    """Tests of the attempts of a search."""

    async def test_all_attempts_share_the_time_limit(self) -> None:
        library = self.make_finder().searchable_library
        limits: list[float] = []

        async def operation(session: GrepSession, _: Sequence[PackPart]) -> int:
            limits.append(session.time_left)
            session.time_left -= 4
            if len(limits) < 3:
                raise DictionaryChanging()
            return 5

        found = await library.search(
            EVERY_DICTIONARY, SlotRequest(), operation, Results()
        )
        self.assertEqual((found, limits), (5, [10, 6, 2]))

    async def test_packs_are_kept_during_a_search(self) -> None:
        """Also if the search fails."""
        library = self.make_finder().searchable_library
        collection = library.packs.collection

        async def operation(_: GrepSession, parts: Sequence[PackPart]) -> None:
            self.assertEqual(dict(collection._users), {x.pack: 1 for x in parts})
            raise ValueError

        with self.assertRaises(ValueError):
            await library.search(EVERY_DICTIONARY, SlotRequest(), operation, Results())
        self.assertEqual(dict(collection._users), {})


class WaitTests(RealGrepTestCase):
    """Tests of searches that wait for an index."""

    def setUp(self) -> None:
        super().setUp()

        async def find_nothing(provider: PackProvider) -> IndexedParts:
            return await Deferred[IndexedParts]()

        self.patch(PackProvider, "find_all", find_nothing)
        self.reactor = FakeReactor()
        library = Library(self.folder)
        self.finder = make_test_finder(self.reactor, library, self.cache)
        self.addCleanup(self.finder.searchable_library.monitor.stop)

    def test_quotes_of_api_v2_wait_for_two_seconds(self) -> None:
        """Then the error says how much is done."""
        found = self.finder.find_quotes(FindQuotes(), CollectedQuotes())
        self.reactor.advance(INDEX_TIME_LIMIT - 0.1)
        self.assertNoResult(found)
        self.reactor.advance(0.2)
        error = self.failureResultOf(found, IndexNotReady).value
        self.assertIn("The library is being indexed", error.message)

    def test_quotes_of_api_v1_wait_as_long_as_it_takes(self) -> None:
        found = find_entries(self.finder, All(unit="quote", dictionary="*"))
        self.reactor.advance(100)
        self.assertNoResult(found)
        found.cancel()
        self.failureResultOf(found)

    def test_lines_are_then_found_without_an_index(self) -> None:
        found = find_entries(self.finder, Search(term="love", dictionary="*"))
        self.assertEqual(self.reactor.processes, [])
        self.reactor.advance(INDEX_TIME_LIMIT)
        for _ in range(3):
            [process] = [each for each in self.reactor.processes if each.pid]
            process.print(b"love\n")
            process.end()
        self.assertEqual(self.successResultOf(found), ["love"] * 3)
