"""
Tests for L{twisted_quotes.search.match_positions}, with the real grep.
"""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from twisted.trial.unittest import TestCase

from twisted_quotes.concurrency.limiter import Places
from twisted_quotes.concurrency.outstanding import Outstanding
from twisted_quotes.grep import matches
from twisted_quotes.grep.runner import GrepRunner
from twisted_quotes.query.queries import Pattern
from twisted_quotes.search import match_positions as locate
from twisted_quotes.text.quotes import Quote

from ..cases import case_lines
from ..fakes import at_once, unrestrained


class LocateTests(TestCase):
    """Tests of where quotes hold what they were found by."""

    async def locate(self, pattern: Pattern, *texts: str) -> list[list[str]]:
        """What is found in each of some texts."""
        from twisted.internet import reactor

        given: Any = reactor
        runner = GrepRunner(
            given, "/bin/grep", Places(1, 0), 30.0, Outstanding(), unrestrained
        )
        quotes = [Quote("book", number, text) for number, text in enumerate(texts)]
        with await runner.take_place() as greps:
            located = await locate.locate(greps, pattern, quotes, at_once)
        self.assertEqual([(q.line, q.text) for q in located], list(enumerate(texts)))
        self.truncated = [q.places_truncated for q in located]
        return [[q.text[a:b] for a, b in q.places] for q in located]

    async def test_each_quote_has_its_own_places(self) -> None:
        """In order, wherever the one before it ended."""
        self.assertEqual(
            await self.locate(
                Pattern("a.", regex=True), "a\u00e9 ab", "", "b", "\n a  b\na\u00e9"
            ),
            [["a\u00e9", "ab"], [], [], ["a  ", "a\u00e9"]],
        )

    async def test_letters_are_found_in_each_of_their_cases(self) -> None:
        """Wherever they stand, and as they stand in the text."""
        for lines in case_lines():
            texts = [f"\u0419 {line} {line}" for line in lines]
            for term in lines:
                found = await self.locate(Pattern(term, ignore_case=True), *texts)
                self.assertEqual(found, [[line, line] for line in lines])

    async def test_so_many_places_are_enough(self) -> None:
        """The first ones of each quote; it is said where there are more."""
        most = locate.MOST_PLACES
        texts = ["xx", "x" * (most + 1), "x" * most, "xx"]
        found = await self.locate(Pattern("x"), *texts)
        self.assertEqual([len(each) for each in found], [2, most, most, 2])
        self.assertEqual(self.truncated, [False, True, False, False])

    async def test_grep_is_asked_again_where_it_said_too_much(self) -> None:
        """Whatever it may print at a time, the answer is the same."""
        texts = ["x" * n for n in (3, 0, 50, 1, 40, 7, 7, 100, 0, 2)]
        with patch.object(locate, "MOST_PLACES", 20):
            whole = await self.locate(Pattern("x"), *texts)
            for most in (1, 30, 70, 200):
                with patch.object(matches, "_MAX_OUTPUT", most):
                    self.assertEqual(await self.locate(Pattern("x"), *texts), whole)
        self.assertEqual(
            [len(each) for each in whole], [3, 0, 20, 1, 20, 7, 7, 20, 0, 2]
        )

    async def test_a_place_may_be_the_whole_of_a_long_quote(self) -> None:
        """However much grep prints for it."""
        text = "to be " * 500_000
        [[found]] = await self.locate(Pattern("to.*be", regex=True), text)
        self.assertEqual(found, text.strip())
        self.assertEqual(self.truncated, [False])
