"""
Tests for L{twisted_quotes.search.sampling}, with the real grep.
"""

from __future__ import annotations

from collections import Counter

from msgspec import UNSET

from twisted_quotes.query.queries import Random
from twisted_quotes.query.quote_queries import SampleQuotes
from twisted_quotes.search import sampling

from ..cases import LOVE_TEXT, CollectedQuotes, RealGrepTestCase
from ..fakes import find_entries


class RandomSamplerTests(RealGrepTestCase):
    """Tests of samples of quotes."""

    async def sample_quotes(self, **fields: object) -> list[str]:
        """Sample quotes."""
        return await find_entries(self.make_finder(), Random(**fields))  # type: ignore[arg-type]

    async def test_one_quote_of_the_default_dictionary_is_the_default(self) -> None:
        [quote] = await self.sample_quotes()
        self.assertIn(quote, LOVE_TEXT.removesuffix("\n").split("\n\n"))

    async def test_samples_are_without_replacement(self) -> None:
        quotes = {*LOVE_TEXT.removesuffix("\n").split("\n\n")}
        for nresults in (3, 9, 0, -1):
            sampled = await self.sample_quotes(nresults=nresults)
            self.assertEqual((len(sampled), set(sampled)), (3, quotes))
        self.assertEqual(await self.sample_quotes(dictionary="empty", nresults=5), [])

    async def test_a_text_that_stands_several_times_is_one_quote(self) -> None:
        """In one dictionary or several; each text has the same probability."""
        self.write("many", "one\n\n" * 50 + "two\n\nthree\n\ntwo")
        self.write("more", "four\n\none\n\nthree")
        finder = self.make_finder()
        for fields, texts in (
            ({"dictionary": "many"}, {"one", "two", "three"}),
            ({"dictionary": "more", "term": "o"}, {"four", "one"}),
        ):
            query = Random(nresults=0, **fields)  # type: ignore[arg-type]
            sampled = await find_entries(finder, query)
            self.assertEqual((len(sampled), set(sampled)), (len(texts), texts))
        query = Random(dictionary="*", nresults=0, term="one")
        self.assertEqual(await find_entries(finder, query), ["one"])
        firsts = Counter[str]()
        for seed in range(300):
            query = Random(dictionary="many", seed=seed)
            firsts.update(await find_entries(finder, query))
        # The probability of fewer than 60 of 300 is less than one in a million.
        self.assertGreater(min(firsts["one"], firsts["two"], firsts["three"]), 60)

    async def test_repeated_texts_are_found_again_after_a_change(self) -> None:
        finder = self.make_finder()
        for text, count in (("one\n\none", 1), ("one\n\ntwo", 2), ("one", 1)):
            self.write("many", text)
            query = Random(dictionary="many", nresults=0)
            self.assertEqual(len(await find_entries(finder, query)), count)
        for _ in range(2 * sampling._MAX_CACHED):
            self.write("many", "one\n\none")
            self.assertEqual(len(await find_entries(finder, query)), 1)

    async def test_the_same_seed_gives_the_same_order(self) -> None:
        """Also page by page."""
        sampled = await self.sample_quotes(nresults=0, seed=5, dictionary="*")
        self.assertEqual(
            await self.sample_quotes(nresults=0, seed=5, dictionary="*"), sampled
        )
        for number, quote in enumerate(sampled):
            [one] = await self.sample_quotes(seed=5, dictionary="*", offset=number)
            self.assertEqual(one, quote)
        orders = {
            tuple(await self.sample_quotes(nresults=0, seed=seed, dictionary="*"))
            for seed in range(9)
        }
        self.assertGreater(len(orders), 5)

    async def test_only_matches_are_sampled(self) -> None:
        sampled = await self.sample_quotes(
            dictionary="*", term="love", ignore_case=True, nresults=0
        )
        self.assertEqual((len(sampled), len(set(sampled))), (4, 4))
        self.assertTrue(all("love" in quote.lower() for quote in sampled))
        query = SampleQuotes(term="Love", author="h", limit=9, seed=1)
        results = CollectedQuotes(query.limit)
        await self.make_finder().find_quotes(query, results)
        [quote] = results.quotes
        self.assertEqual((results.total, quote.author), (1, "Helena"))
        self.assertEqual(quote.match_spans, [(0, 4)])

    async def test_samples_are_uniform(self) -> None:
        """A hundred times, a thousand of two thousand quotes are sampled."""
        count, times = 2000, 100
        self.write("many", "\n\n".join(str(number) for number in range(count)))
        finder = self.make_finder()
        sampled = Counter[str]()
        for seed in range(times):
            some = await find_entries(
                finder, Random(dictionary="many", nresults=count // 2, seed=seed)
            )
            self.assertEqual(len(set(some)), count // 2)
            sampled.update(some)
        self.assertEqual(sampled.total(), 100_000)
        # Chi-squared with 1999 degrees of freedom: a distance of more than 200 from
        # the mean has a probability of one in a thousand.
        square = sum((each - times / 2) ** 2 / (times / 4) for each in sampled.values())
        self.assertLess(abs(square - count), 210)

    async def test_results_accept_the_first_samples_and_the_total(self) -> None:
        finder = self.make_finder()
        query = SampleQuotes(limit=5, seed=3)
        all_quotes = CollectedQuotes(query.limit)
        await finder.find_quotes(query, all_quotes)
        self.assertEqual((len(all_quotes.quotes), all_quotes.total), (5, 5))
        for max_quotes in range(1, 7):
            some = CollectedQuotes(query.limit, max_quotes)
            await finder.find_quotes(query, some)
            self.assertEqual(
                (some.texts, some.total), (all_quotes.texts[:max_quotes], 5)
            )

    async def test_samples_do_not_depend_on_the_batches(self) -> None:
        self.write("many", "\n\n".join(f"{n} of many" for n in range(300)))
        finder = self.make_finder()
        for term in (UNSET, "1", "f lo"):
            query = Random(dictionary="*", nresults=0, seed=3, term=term)
            all_quotes = await find_entries(finder, query)
            with self.subTest(term=term):
                for chunk_size in (1, 100):
                    self.patch(sampling, "CHUNK_SIZE", chunk_size)
                    self.patch(sampling, "_MAX_BATCH_SIZE", 70)
                    self.assertEqual(await find_entries(finder, query), all_quotes)
