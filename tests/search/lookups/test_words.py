"""
Tests for L{twisted_quotes.search.lookups.words}, with the real grep.
"""

from __future__ import annotations

import re
from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.query.quote_queries import SuggestWords
from twisted_quotes.search.lookups import words
from twisted_quotes.search.lookups.words import rank_words, similar_words_expression

from ...cases import RealGrepTestCase

TEXT = """Happiness is a butterfly, and happiness
is rare.

The caf\u00e9 was open. H\u00f6lle und Himmel.

Wisdom begins in wonder.
-- Socrates
"""


class SuggestTests(RealGrepTestCase):
    """Tests of suggestions for words that do not occur."""

    async def suggest(self, q: str, **fields: object) -> dict[str, list[str]]:
        """Return the suggestions for a search, by word."""
        self.write("words", TEXT)
        query = SuggestWords(q=q, **fields)  # type: ignore[arg-type]
        found, is_complete = await self.make_finder().suggest_words(query)
        self.assertTrue(is_complete)
        return {word: list(similar) for word, similar in found}

    async def test_words_at_one_edit_are_suggested(self) -> None:
        """They are inserted, deleted, replaced and exchanged letters."""
        for word, similar in (
            *(("hapiness", "happiness"), ("happinness", "happiness")),
            *(("buttarfly", "butterfly"), ("wosdom", "wisdom"), ("wodner", "wonder")),
            *(("Sokrates", "socrates"), ("holle", "h\u00f6lle")),
        ):
            found = await self.suggest(word)
            self.assertEqual(found, {word: [similar]})

    async def test_words_that_occur_have_no_suggestions(self) -> None:
        """Also as parts of words, which a search finds."""
        self.assertEqual(await self.suggest("happiness"), {})
        self.assertEqual(await self.suggest("butter wisd"), {})

    async def test_only_the_words_of_the_text_count(self) -> None:
        found = await self.suggest(
            'wosdom -hapiness author:sokrates "wodner zzz" 12 ab'
        )
        self.assertEqual(found, {"wosdom": ["wisdom"], "wodner": ["wonder"], "zzz": []})

    async def test_dictionaries_may_be_named(self) -> None:
        self.assertEqual(
            await self.suggest("wosdom", dictionary=("fortunes",)), {"wosdom": []}
        )
        self.assertEqual(await self.suggest("wosdom in:fortunes"), {"wosdom": []})

    async def test_the_number_of_words_is_limited(self) -> None:
        found = await self.suggest("qqa qqb qqc qqd qqe qqf")
        self.assertEqual(len(found), words.MAX_WORDS)


class ExpressionTests(SynchronousTestCase):
    """Tests of the expression for similar words."""

    def test_it_matches_exactly_the_words_at_one_edit(self) -> None:
        pattern = re.compile(
            similar_words_expression("love").replace("[[:alpha:]]", "[a-z]")
        )
        for word in (
            "loves",
            "glove",
            "lve",
            "lov",
            "lovr",
            "dove",
            "olve",
            "loev",
            "love",
        ):
            self.assertTrue(pattern.fullmatch(word), word)
        for word in ("lo", "gloves", "evol", "hate", "l0ve"):
            self.assertFalse(pattern.fullmatch(word), word)


class RankTests(SynchronousTestCase):
    """Tests of the order of suggestions."""

    def test_frequent_words_come_first(self) -> None:
        """Most people get the first letter right."""
        counts = Counter({"lover": 2, "love": 50, "clovr": 90, "lour": 1})
        self.assertEqual(rank_words("lovr", counts), ["love", "lover", "lour"])
        self.assertEqual(words.MAX_SIMILAR, 3)
