"""
Tests for drawing by chance.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from msgspec import UNSET

from twisted_quotes.query.queries import Random, SampleQuotes
from twisted_quotes.search import sampling
from twisted_quotes.search.sampling import RandomSampler

from ..cases import LOVE_TEXT, CollectedQuotes, RealGrepTestCase
from ..fakes import find_entries


class RandomSamplerTests(RealGrepTestCase):
    """Tests of drawing quotes, with the real grep."""

    async def sample_quotes(self, **fields: object) -> list[str]:
        """Draw some quotes."""
        return await find_entries(self.make_finder(), Random(**fields))  # type: ignore[arg-type]

    async def test_one_whole_quote_is_drawn(self) -> None:
        """Who says nothing gets one of the default dictionary."""
        [quote] = await self.sample_quotes()
        self.assertIn(quote, LOVE_TEXT.removesuffix("\n").split("\n\n"))

    async def test_none_is_drawn_twice(self) -> None:
        """As many as are wanted, and no more than there are."""
        every = {*LOVE_TEXT.removesuffix("\n").split("\n\n")}
        for nresults in (3, 9, 0, -1):
            sampled = await self.sample_quotes(nresults=nresults)
            self.assertEqual((len(sampled), set(sampled)), (3, every))
        self.assertEqual(await self.sample_quotes(dictionary="empty", nresults=5), [])

    async def test_a_seed_repeats_what_was_drawn(self) -> None:
        """Page after page, if asked for."""
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

    async def test_only_what_matches_is_drawn(self) -> None:
        """In every dictionary, and in each of them only what matches there."""
        sampled = await self.sample_quotes(
            dictionary="*", term="love", ignore_case=True, nresults=0
        )
        self.assertEqual(
            [len(sampled), len(set(sampled)), *("love" in d.lower() for d in sampled)],
            [4, 4, *[True] * 4],
        )
        query = SampleQuotes(dictionary="*", term="Love", author="h", limit=9, seed=1)
        drawn_ones = CollectedQuotes(query.limit)
        await self.make_finder().find_quotes(query, drawn_ones)
        [quote] = drawn_ones.quotes
        self.assertEqual((drawn_ones.total, quote.author), (1, "Helena"))
        self.assertEqual(quote.match_spans, [(0, 4)])

    async def test_a_hundred_thousand_are_drawn_evenly(self) -> None:
        """A thousand of two thousand, a hundred times: each has its part."""
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
        # Each is drawn or not, as by a coin: with 1999 degrees of freedom, more
        # than 200 away from that many comes once in a thousand times.
        square = sum((each - times / 2) ** 2 / (times / 4) for each in sampled.values())
        self.assertLess(abs(square - count), 210)

    async def test_no_more_is_drawn_than_there_is_room_for(self) -> None:
        """The first ones drawn come, one in any case; all are counted."""
        finder = self.make_finder()
        query = SampleQuotes(dictionary="*", limit=5, seed=3)
        all_quotes = CollectedQuotes(query.limit)
        await finder.find_quotes(query, all_quotes)
        self.assertEqual((len(all_quotes.quotes), all_quotes.total), (5, 5))
        for max_quotes in range(1, 7):
            some = CollectedQuotes(query.limit, max_quotes)
            await finder.find_quotes(query, some)
            self.assertEqual(
                (some.texts, some.total), (all_quotes.texts[:max_quotes], 5)
            )

    async def test_many_are_read_a_piece_at_a_time(self) -> None:
        """They come in the order of drawing all the same, and none is missed."""
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

    async def test_a_dictionary_that_changes_meanwhile_is_drawn_from_anew(self) -> None:
        """What was counted in one state is not looked for in another."""
        self.write("dreams", "one\n\ntwo\n\nthree\n\nfour")
        finder = self.make_finder()
        read = RandomSampler._read_batch
        changed: list[bool] = []

        async def read_after_a_change(*how: Any) -> Any:
            if not changed:
                changed.append(True)
                self.write("dreams", "five\n\nsix")
            return await read(*how)

        self.patch(RandomSampler, "_read_batch", read_after_a_change)
        sampled = await find_entries(finder, Random(nresults=0))
        self.assertEqual(sorted(sampled), ["five", "six"])
