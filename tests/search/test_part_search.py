"""
Tests for L{twisted_quotes.search.part_search}, with the real grep.
"""

from __future__ import annotations

import random

from twisted.internet.defer import Deferred, gatherResults

from twisted_quotes.library.packs import plan as plan_module
from twisted_quotes.query.queries import Search
from twisted_quotes.query.quote_queries import FindQuotes
from twisted_quotes.search.batching import shared_greps
from twisted_quotes.search.finder import Finder

from ..cases import CollectedQuotes, RealGrepTestCase
from ..fakes import find_entries
from ..metrics import metric_values

# Some match as bytes in either case, and some do not.
TERMS = ("love", "Love", "night", "moon", "sea", "\u00e9t\u00e9", "of the", "none", "1")


class SharingTests(RealGrepTestCase):
    """Tests of many searches at the same time."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(plan_module, "LARGE_SIZE", 0)
        # Also on a busy machine, searches wait until another one ends.
        for name in ("BATCHING_DELAY", "_MAX_DELAY"):
            self.patch(shared_greps, name, 60.0)
        source = random.Random(4)
        words = [*TERMS[:-2], "LOVE", "\u00c9T\u00c9", "a", "b"]
        for name in ("one", "two"):
            quotes = (" ".join(source.choices(words, k=5)) for _ in range(200))
            self.write(name, "\n\n".join(f"{n} {x}" for n, x in enumerate(quotes)))

    async def find_page(
        self, finder: Finder, query: FindQuotes
    ) -> tuple[int, list[tuple[str, object]]]:
        """Return the total of a page, and its quotes with their spans."""
        results = CollectedQuotes(query.limit)
        await finder.find_quotes(query, results)
        return results.total, [(x.text, x.match_spans) for x in results.quotes]

    async def test_pages_are_the_same_as_those_of_single_searches(self) -> None:
        queries = [
            FindQuotes(term=term, limit=limit, offset=offset, dictionary=(dictionary,))
            for term in TERMS
            for limit, offset in ((1, 0), (20, 5))
            for dictionary in ("*", "one")
        ]
        finder = self.make_finder()
        expected = [await self.find_page(finder, query) for query in queries]
        finder = self.make_finder(slots=8, batch_threshold=1)
        pages = (self.find_page(finder, query) for query in queries)
        found = await gatherResults(map(Deferred.fromCoroutine, pages))
        self.assertEqual(found, expected)
        self.assert_shared(finder)

    async def test_lines_are_the_same_as_those_of_single_searches(self) -> None:
        queries = [
            Search(term=term, dictionary="*", nresults=nresults, offset=offset)
            for term in TERMS
            for nresults, offset in ((0, 0), (1, 0), (20, 5))
        ]
        finder = self.make_finder()
        expected = [await find_entries(finder, query) for query in queries]
        finder = self.make_finder(slots=8, batch_threshold=1)
        found = await gatherResults(find_entries(finder, query) for query in queries)
        self.assertEqual(found, expected)
        self.assert_shared(finder)

    def assert_shared(self, finder: Finder) -> None:
        """Check that at least one search was answered by the grep of another one."""
        metrics = finder.searchable_library.runner.metrics
        values = metric_values(metrics)
        self.assertGreater(values["quotes_searches_together_total"], 0)
