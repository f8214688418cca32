"""
Tests for L{twisted_quotes.text.combining_marks}.
"""

from __future__ import annotations

from subprocess import run
from unicodedata import category

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.text.combining_marks import exchange_marks, mark_characters


class ExchangeTests(SynchronousTestCase):
    """Tests of L{exchange_marks}."""

    @given(st.text(st.characters(codec="utf-8")))
    def test_exchanging_twice_restores_the_text(self, text: str) -> None:
        """The length stays the same."""
        exchanged = exchange_marks(text)
        self.assertEqual(len(exchanged), len(text))
        self.assertEqual(exchange_marks(exchanged), text)

    def test_letters_are_in_the_place_of_all_marks(self) -> None:
        """They are in the same order, so that ranges stay ranges."""
        marks = mark_characters()
        exchanged = exchange_marks(marks)
        self.assertEqual({category(each) for each in exchanged}, {"Lo"})
        self.assertEqual(sorted(exchanged), list(exchanged))
        characters = map(chr, range(0x110000))
        remaining = {x for x in characters if category(x).startswith("M")} - {*marks}
        self.assertEqual(remaining, {"\u0345"})

    def test_the_letters_are_parts_of_words_for_grep(self) -> None:
        letters = exchange_marks(mark_characters())
        counted = run(
            ["grep", "-c", "-E", "^[[:alnum:]]$"],
            input="".join(f"{each}\n" for each in (*letters, "\u0345")),
            env={"LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            check=True,
        )
        self.assertEqual(int(counted.stdout), len(letters) + 1)

    def test_ascii_text_stays_the_same(self) -> None:
        self.assertEqual(exchange_marks("it's\n"), "it's\n")
