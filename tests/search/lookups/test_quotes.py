"""
Tests for L{twisted_quotes.search.lookups.quotes}.
"""

from __future__ import annotations

from datetime import date, timedelta
from unittest.mock import patch

from twisted_quotes.errors import QuoteNotFound
from twisted_quotes.query.queries import EVERY_DICTIONARY
from twisted_quotes.quotes.quote import quote_id
from twisted_quotes.search.lookups import quotes

from ...cases import LOVE_TEXT, RealGrepTestCase

HELENA, LYSANDER, POLONIUS = LOVE_TEXT.removesuffix("\n").split("\n\n")
LOST, BLIND = "No love\n\nlost.", "Love\nis blind."


class FindQuoteTests(RealGrepTestCase):
    """Tests of quotes by their ids, and of the list of dictionaries."""

    async def test_a_quote_is_found_by_its_id(self) -> None:
        finder = self.make_finder()
        quote = (await finder.find_quote(quote_id(POLONIUS))).quote
        self.assertEqual((quote.text, quote.line), (POLONIUS, 9))
        self.write("dreams", f"Something new.\n\n{POLONIUS}\n\nAnd more.\n")
        quote = (await finder.find_quote(quote_id(POLONIUS))).quote
        self.assertEqual((quote.text, quote.line), (POLONIUS, 3))
        quote = (await finder.find_quote(quote_id("Love\nis blind."))).quote
        self.assertEqual(quote.dictionary_name, "fortunes")

    async def test_a_quote_that_changed_is_not_found(self) -> None:
        finder = self.make_finder()
        self.write("dreams", LOVE_TEXT.replace("soul", "heart"))
        with self.assertRaises(QuoteNotFound):
            await finder.find_quote(quote_id(POLONIUS))

    async def test_an_id_finds_the_first_dictionary_with_the_quote(self) -> None:
        self.write("a copy", POLONIUS)
        quote = (await self.make_finder().find_quote(quote_id(POLONIUS))).quote
        self.assertEqual(quote.dictionary_name, "a copy")

    async def test_dictionaries_are_described_in_order(self) -> None:
        infos, is_complete = await self.make_finder().list_dictionaries()
        self.assertTrue(is_complete)
        self.assertEqual(
            [(x.name, x.quote_count, x.state.size) async for x, _ in infos],
            [("dreams", 3, len(LOVE_TEXT)), ("empty", 0, 0), ("fortunes", 2, 36)],
        )

    async def test_a_quote_has_the_ids_of_its_neighbors_in_its_dictionary(self) -> None:
        finder = self.make_finder()
        for text, previous, following in (
            (HELENA, None, LYSANDER),
            (LYSANDER, HELENA, POLONIUS),
            (POLONIUS, LYSANDER, None),
            (LOST, None, BLIND),
        ):
            found = await finder.find_quote(quote_id(text))
            expected = [each and quote_id(each) for each in (previous, following)]
            self.assertEqual([found.previous_id, found.next_id], expected)


class DailyQuoteTests(RealGrepTestCase):
    """Tests of the quote of a day."""

    async def find_texts(self, *names: str) -> list[str]:
        """Return the quotes of a hundred days."""
        finder, first = self.make_finder(), date(2026, 11, 28)
        days = [first + timedelta(days=number) for number in range(100)]
        requested = names or EVERY_DICTIONARY
        return [(await finder.find_today(day, requested)).quote.text for day in days]

    async def test_each_day_has_its_quote(self) -> None:
        """In a hundred days each of five quotes has its day."""
        texts = await self.find_texts()
        self.assertEqual(set(texts), {HELENA, LYSANDER, POLONIUS, LOST, BLIND})
        self.assertEqual(await self.find_texts(), texts)

    async def test_another_quote_does_not_change_most_days(self) -> None:
        """A day changes only if it is the day of the new quote."""
        before = await self.find_texts()
        self.write("new", "A new one.")
        after = await self.find_texts()
        self.assertIn("A new one.", after)
        self.assertEqual(
            [old for old, new in zip(before, after, strict=True) if new == old],
            [
                old
                for old, new in zip(before, after, strict=True)
                if new != "A new one."
            ],
        )

    async def test_dictionaries_may_be_named(self) -> None:
        self.assertEqual(set(await self.find_texts("fortunes")), {LOST, BLIND})

    async def test_a_short_quote_is_preferred(self) -> None:
        """If there is none, a long one is found."""
        with patch.object(quotes, "MAX_DAILY_LENGTH", len(LOST)):
            self.assertEqual(set(await self.find_texts()), {LOST, BLIND})
        with patch.object(quotes, "MAX_DAILY_LENGTH", 0):
            self.assertEqual(len(set(await self.find_texts())), 5)

    async def test_no_quotes_are_an_error(self) -> None:
        with self.assertRaises(QuoteNotFound):
            await self.find_texts("empty")
