"""
Tests for L{twisted_quotes.text.display}.
"""

from __future__ import annotations

from unicodedata import category

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.text.display import list_names, printable


class PrintableTests(SynchronousTestCase):
    """Tests of L{printable}."""

    def test_control_characters_are_replaced(self) -> None:
        """All other characters stay."""
        for text, expected in (
            ("\x00a\x1b[0m\x7f", "\u2400a\u241b[0m\u2421"),
            ("\x80\x9b\x9f", "\ufffd" * 3),
            *((text, text) for text in ("", "a b", "\xa0\xad\u00e9", "\u4e2d", "<&>")),
        ):
            self.assertEqual(printable(text), expected)

    @given(st.text())
    def test_no_control_character_remains(self, text: str) -> None:
        shown = printable(text)
        self.assertEqual(len(shown), len(text))
        self.assertNotIn("Cc", map(category, shown))


class ListTests(SynchronousTestCase):
    """Tests of L{list_names}."""

    def test_only_the_first_of_many_names_are_listed(self) -> None:
        for names, expected in (
            (["a\n"], "'a\\n' is"),
            (["a", "b"], "'a', 'b' are"),
            (list("abcdefg"), "'a', 'b', 'c', 'd', 'e', 2 others are"),
        ):
            self.assertEqual(list_names(names), expected)
