"""
Tests for L{twisted_quotes.search.match_positions}, with the real grep.
"""

from __future__ import annotations

from unittest.mock import patch

from twisted.trial.unittest import TestCase

from twisted_quotes.grep import matches
from twisted_quotes.query.selection import Pattern
from twisted_quotes.quotes.quote import Quote
from twisted_quotes.search import match_positions

from ..cases import acquire_real_session, letter_case_variants
from ..fakes import run_immediately


class MatchPositionsTests(TestCase):
    """Tests of match spans."""

    async def find_positions(
        self, patterns: Pattern | list[Pattern], *texts: str
    ) -> list[list[str]]:
        """Return the matching parts of some texts."""
        quotes = [
            Quote("book", number, number, text) for number, text in enumerate(texts)
        ]
        if isinstance(patterns, Pattern):
            patterns = [patterns]
        with await acquire_real_session() as session:
            positions = await match_positions.locate_matches(
                session, patterns, quotes, run_immediately
            )
        self.assertEqual([(q.line, q.text) for q in positions], list(enumerate(texts)))
        self.truncated = [q.match_spans_truncated for q in positions]
        return [[q.text[a:b] for a, b in q.match_spans] for q in positions]

    async def test_each_quote_has_its_own_spans(self) -> None:
        self.assertEqual(
            await self.find_positions(
                Pattern("a.", regex=True), "a\u00e9 ab", "", "b", "\n a  b\na\u00e9"
            ),
            [["a\u00e9", "ab"], [], [], ["a  ", "a\u00e9"]],
        )

    async def test_the_spans_of_several_patterns_are_in_order_and_merged(self) -> None:
        patterns = [Pattern("old"), Pattern("gold"), Pattern("is")]
        self.assertEqual(
            await self.find_positions(patterns, "This is gold, not old", "is", "none"),
            [["is", "is", "gold", "old"], ["is"], []],
        )

    async def test_letters_match_in_each_of_their_cases(self) -> None:
        for lines in letter_case_variants():
            texts = [f"\u0419 {line} {line}" for line in lines]
            for term in lines:
                found = await self.find_positions(
                    Pattern(term, ignore_case=True), *texts
                )
                self.assertEqual(found, [[line, line] for line in lines])

    async def test_combining_marks_belong_to_the_word(self) -> None:
        text = "\u0938\u0924 \u0938\u0924\u094d\u092f, \u0938\u0924\u094d \u0938\u0924"
        for regex, term in ((False, "\u0938\u0924"), (True, "\u0938.")):
            pattern = Pattern(term, whole_word=True, regex=regex)
            [found] = await self.find_positions(pattern, text)
            self.assertEqual(found, ["\u0938\u0924"] * 2)
        pattern = Pattern("\u0938\u0924\u094d", whole_word=True)
        [found] = await self.find_positions(pattern, text)
        self.assertEqual(found, ["\u0938\u0924\u094d"])

    async def test_a_quote_has_a_maximum_number_of_spans(self) -> None:
        limit = match_positions.MAX_SPANS
        texts = ["xx", "x" * (limit + 1), "x" * limit, "xx"]
        found = await self.find_positions(Pattern("x"), *texts)
        self.assertEqual([len(each) for each in found], [2, limit, limit, 2])
        self.assertEqual(self.truncated, [False, True, False, False])

    async def test_spans_do_not_depend_on_the_output_limit(self) -> None:
        texts = ["x" * n for n in (3, 0, 50, 1, 40, 7, 7, 100, 0, 2)]
        with patch.object(match_positions, "MAX_SPANS", 20):
            expected = await self.find_positions(Pattern("x"), *texts)
            for limit in (1, 30, 70, 200):
                with patch.object(matches, "_MAX_OUTPUT", limit):
                    self.assertEqual(
                        await self.find_positions(Pattern("x"), *texts), expected
                    )
        self.assertEqual(
            [len(each) for each in expected], [3, 0, 20, 1, 20, 7, 7, 20, 0, 2]
        )

    async def test_a_span_may_be_a_whole_long_quote(self) -> None:
        text = "to be " * 500_000
        [[found]] = await self.find_positions(Pattern("to.*be", regex=True), text)
        self.assertEqual(found, text.strip())
        self.assertEqual(self.truncated, [False])
