"""
Tests for L{twisted_quotes.quotes.terminal}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.quotes.terminal import remove_terminal_marks


class TerminalMarksTests(SynchronousTestCase):
    """Tests of L{remove_terminal_marks}."""

    def check(self, cases: dict[str, str]) -> None:
        """Check the result for each text."""
        for text, expected in cases.items():
            with self.subTest(text=text):
                self.assertEqual(remove_terminal_marks(text), expected)

    def test_underlined_and_bold_text_becomes_plain(self) -> None:
        self.check(
            {
                "Nobody _\bk_\be_\be_\bp_\bs it.": "Nobody keeps it.",
                "N\bNo\bo\bo one": "No one",
                "keep\b\b\b\b____ it": "keep it",
                "____\b\b\b\bkeep it": "keep it",
                "k\b_ and \bkeep": "k andkeep",
                "_\bl\u0301_\bx": "l\u0301x",
                "one\n_\bt_\bw_\bo": "one\ntwo",
                "a_b": "a_b",
            }
        )

    def test_an_accent_becomes_part_of_its_letter(self) -> None:
        self.check(
            {
                "Ren'\be": "Ren\xe9",
                "Rene\b'": "Ren\xe9",
                "Gar,\bcon": "Gar\xe7on",
                'No"\bel': "No\xebl",
                "a\b'b": "\xe1b",
                "x\b'": "'",
            }
        )

    def test_backspaces_at_the_start_of_a_line_do_nothing(self) -> None:
        self.check({"\b\bone\n\btwo": "one\ntwo", "\b": ""})

    def test_escape_sequences_are_removed(self) -> None:
        self.check(
            {
                "The \x1b[1;33mred\x1b[m fox.": "The red fox.",
                "\x1b[38;2;1;2;3mred\x1b[0K": "red",
                "\x1b]0;title\x07one": "one",
                "\x1b]8;;link\x1b\\one\x1b]8;;\x1b\\": "one",
                "\x1b(Bone\x1b7 two\x1b": "one two",
                "\x1b]one\ntwo": "\ntwo",
                "\x1b[one": "ne",
            }
        )
