"""
Tests of text that is shown to people.
"""

from __future__ import annotations

from unicodedata import category

from hypothesis import given
from hypothesis.strategies import text
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.text.display import printable


class VisibleTests(SynchronousTestCase):
    """Tests of L{replace_control_characters}."""

    def test_controls_have_pictures(self) -> None:
        """One takes the place of one."""
        self.assertEqual(printable("\x00a\x1b[0m\x7f"), "\u2400a\u241b[0m\u2421")
        self.assertEqual(printable("\x80\x9b\x9f"), "\ufffd" * 3)

    def test_all_else_stays(self) -> None:
        """Letters, blanks and marks of any script do."""
        for each in ("", "a b", "\xa0\xad\u00e9", "\u4e2d\u6587", "<&>"):
            self.assertEqual(printable(each), each)

    @given(text())
    def test_no_control_is_left(self, each: str) -> None:
        """Whatever the text was."""
        shown = printable(each)
        self.assertEqual(len(shown), len(each))
        self.assertNotIn("Cc", map(category, shown))
