"""
Tests for drawing by chance.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from msgspec import UNSET

from twisted_quotes.query.queries import DrawQuotes, Random
from twisted_quotes.search import sampling as draw
from twisted_quotes.search.sampling import QuoteDrawer

from ..cases import LOVE, Collected, RealGrepTestCase
from ..fakes import entries


class DrawTests(RealGrepTestCase):
    """Tests of drawing quotes, with the real grep."""

    async def draw(self, **fields: object) -> list[str]:
        """Draw some quotes."""
        return await entries(self.make_finder(), Random(**fields))  # type: ignore[arg-type]

    async def test_one_whole_quote_is_drawn(self) -> None:
        """Who says nothing gets one of the default dictionary."""
        [quote] = await self.draw()
        self.assertIn(quote, LOVE.removesuffix("\n").split("\n\n"))

    async def test_none_is_drawn_twice(self) -> None:
        """As many as are wanted, and no more than there are."""
        every = {*LOVE.removesuffix("\n").split("\n\n")}
        for nresults in (3, 9, 0, -1):
            drawn = await self.draw(nresults=nresults)
            self.assertEqual((len(drawn), set(drawn)), (3, every))
        self.assertEqual(await self.draw(dictionary="empty", nresults=5), [])

    async def test_a_seed_repeats_what_was_drawn(self) -> None:
        """Page after page, if asked for."""
        drawn = await self.draw(nresults=0, seed=5, dictionary="*")
        self.assertEqual(await self.draw(nresults=0, seed=5, dictionary="*"), drawn)
        for number, quote in enumerate(drawn):
            [one] = await self.draw(seed=5, dictionary="*", offset=number)
            self.assertEqual(one, quote)
        orders = {
            tuple(await self.draw(nresults=0, seed=seed, dictionary="*"))
            for seed in range(9)
        }
        self.assertGreater(len(orders), 5)

    async def test_only_what_matches_is_drawn(self) -> None:
        """In every dictionary, and in each of them only what matches there."""
        drawn = await self.draw(
            dictionary="*", term="love", ignore_case=True, nresults=0
        )
        self.assertEqual(
            [len(drawn), len(set(drawn)), *("love" in d.lower() for d in drawn)],
            [4, 4, *[True] * 4],
        )
        query = DrawQuotes(dictionary="*", term="Love", author="h", limit=9, seed=1)
        drawn_ones = Collected(query.limit)
        await self.make_finder().draw(query, drawn_ones)
        [quote] = drawn_ones.quotes
        self.assertEqual((drawn_ones.total, quote.author), (1, "Helena"))
        self.assertEqual(quote.places, [(0, 4)])

    async def test_a_hundred_thousand_are_drawn_evenly(self) -> None:
        """A thousand of two thousand, a hundred times: each has its part."""
        count, times = 2000, 100
        self.write("many", "\n\n".join(str(number) for number in range(count)))
        finder = self.make_finder()
        drawn = Counter[str]()
        for seed in range(times):
            some = await entries(
                finder, Random(dictionary="many", nresults=count // 2, seed=seed)
            )
            self.assertEqual(len(set(some)), count // 2)
            drawn.update(some)
        self.assertEqual(drawn.total(), 100_000)
        # Each is drawn or not, as by a coin: with 1999 degrees of freedom, more
        # than 200 away from that many comes once in a thousand times.
        square = sum((each - times / 2) ** 2 / (times / 4) for each in drawn.values())
        self.assertLess(abs(square - count), 210)

    async def test_no_more_is_drawn_than_there_is_room_for(self) -> None:
        """The first ones drawn come, one in any case; all are counted."""
        finder = self.make_finder()
        query = DrawQuotes(dictionary="*", limit=5, seed=3)
        whole = Collected(query.limit)
        await finder.draw(query, whole)
        self.assertEqual((len(whole.quotes), whole.total), (5, 5))
        for room in range(1, 7):
            some = Collected(query.limit, room)
            await finder.draw(query, some)
            self.assertEqual((some.texts, some.total), (whole.texts[:room], 5))

    async def test_many_are_read_a_piece_at_a_time(self) -> None:
        """They come in the order of drawing all the same, and none is missed."""
        self.write("many", "\n\n".join(f"{n} of many" for n in range(300)))
        finder = self.make_finder()
        for term in (UNSET, "1", "f lo"):
            query = Random(dictionary="*", nresults=0, seed=3, term=term)
            whole = await entries(finder, query)
            with self.subTest(term=term):
                for room in (1, 100):
                    self.patch(draw, "PIECE", room)
                    self.patch(draw, "_MOST_AT_ONCE", 70)
                    self.assertEqual(await entries(finder, query), whole)

    async def test_a_dictionary_that_changes_meanwhile_is_drawn_from_anew(self) -> None:
        """What was counted in one state is not looked for in another."""
        self.write("dreams", "one\n\ntwo\n\nthree\n\nfour")
        finder = self.make_finder()
        read = QuoteDrawer._read_some
        changed: list[bool] = []

        async def read_after_a_change(*how: Any) -> Any:
            if not changed:
                changed.append(True)
                self.write("dreams", "five\n\nsix")
            return await read(*how)

        self.patch(QuoteDrawer, "_read_some", read_after_a_change)
        drawn = await entries(finder, Random(nresults=0))
        self.assertEqual(sorted(drawn), ["five", "six"])
