"""
Tests for L{twisted_quotes.query.selection}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.query.quote_queries import FindQuotes
from twisted_quotes.query.selection import Criterion, Pattern, has_capital


def text(term: str, ignore_case: bool = True, excluded: bool = False) -> Criterion:
    return Criterion("text", Pattern(term, ignore_case), excluded)


class HasCapitalTests(SynchronousTestCase):
    """Tests for L{has_capital}."""

    def test_an_upper_case_letter_of_any_script_is_a_capital(self) -> None:
        for term in ("A", "aB", "\u00e9\u00c9", "\u0414"):
            self.assertTrue(has_capital(term), term)
        for term in ("a", "\u00e9", "1-2", "\u6797", "\u0b85"):
            self.assertFalse(has_capital(term), term)

    def test_a_class_of_letters_of_one_case_is_a_capital(self) -> None:
        for term in ("^[[:upper:]]a", "[[:lower:]]"):
            self.assertTrue(has_capital(term, regex=True), term)
            self.assertFalse(has_capital(term), term)

    def test_an_escape_of_a_regular_expression_is_no_capital(self) -> None:
        self.assertFalse(has_capital(r"a\W\\\Sb", regex=True))
        self.assertTrue(has_capital(r"a\W\\\SB", regex=True))
        self.assertTrue(has_capital(r"a\W"))


class SelectionTests(SynchronousTestCase):
    """Tests for L{Selection}."""

    def test_each_word_without_a_capital_ignores_case(self) -> None:
        for ignore_case, expected in (("auto", (True, False)), (True, (True, True))):
            query = FindQuotes(q="a B", ignore_case=ignore_case)  # type: ignore[arg-type]
            flags = [each.ignore_case for each in query.selection.text_patterns]
            self.assertEqual(tuple(flags), expected)
        self.assertEqual(FindQuotes(term="a").selection.pattern, Pattern("a", True))
        self.assertEqual(FindQuotes(term="A").selection.pattern, Pattern("A"))

    def test_the_words_to_show_are_those_that_may_be_in_the_text(self) -> None:
        query = FindQuotes(q='b a OR "c d" -e author:f in:g b', author="h")
        terms = [each.term for each in query.selection.text_patterns]
        self.assertEqual(terms, ["b", "a", "c d"])

    def test_the_flags_apply_to_the_words(self) -> None:
        query = FindQuotes(q="a author:b", whole_word=True, ignore_case=False)
        [[word], [author]] = query.selection.groups
        self.assertEqual(word, Criterion("text", Pattern("a", whole_word=True)))
        self.assertEqual(author, Criterion("author", Pattern("b", ignore_case=True)))
