"""
Tests of the layout of quotes.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.web.pages.quote_layout import lay_out

WRAPPED = """\
It is a truth universally acknowledged, that a single man in
possession of a good fortune, must be in want of a wife."""

SONNET = """\
Let me not to the marriage of true minds
Admit impediments. Love is not love
Which alters when it alteration finds,
Or bends with the remover to remove."""


class LayoutTests(SynchronousTestCase):
    """Tests of what is prose, verse, or a table."""

    def lay_out(self, text: str) -> list[tuple[str, list[str]]]:
        """Return the kind and the texts of each block."""
        return [
            (block.kind, [text[start:end] for start, end in block.spans])
            for block in lay_out(text)
        ]

    def assert_kinds(self, text: str, *kinds: str) -> None:
        self.assertEqual([block.kind for block in lay_out(text)], [*kinds])

    def test_a_line_is_a_paragraph(self) -> None:
        self.assertEqual(self.lay_out("One."), [("prose", ["One."])])

    def test_a_text_without_letters_has_no_blocks(self) -> None:
        for text in ("", " ", "\n \n"):
            self.assertEqual(self.lay_out(text), [])

    def test_wrapped_lines_are_one_paragraph(self) -> None:
        self.assertEqual(self.lay_out(WRAPPED), [("prose", [WRAPPED])])

    def test_lines_that_end_early_are_verse(self) -> None:
        self.assertEqual(self.lay_out(SONNET), [("verse", SONNET.split("\n"))])

    def test_short_lines_that_continue_in_lower_case_are_wrapped(self) -> None:
        self.assert_kinds(
            "The fool doth think he is wise, but the\n"
            "wise man knows himself to be a fool.",
            "prose",
        )

    def test_two_lines_that_start_with_capitals_are_verse(self) -> None:
        self.assert_kinds(
            "Love looks not with the eyes, but with the mind;\n"
            "And therefore is wing'd Cupid painted blind.",
            "verse",
        )

    def test_two_very_long_lines_are_wrapped(self) -> None:
        line = "A line that is about as long as lines in files of quotes get, really"
        self.assert_kinds(f"{line}\nReally.", "prose")

    def test_a_blank_line_ends_a_block(self) -> None:
        self.assert_kinds(f"{WRAPPED}\n\n \n{SONNET}\n", "prose", "verse")

    def test_a_deeper_line_starts_a_paragraph(self) -> None:
        text = f"Viking, n.:\n\t{WRAPPED}"
        self.assertEqual(
            self.lay_out(text),
            [("prose", ["Viking, n.:"]), ("prose", [f"\t{WRAPPED}"])],
        )

    def test_the_indentation_of_all_lines_is_left_out(self) -> None:
        self.assertEqual(
            self.lay_out("\tRoses are red,\n\t  Violets\n\tAre not."),
            [("verse", ["Roses are red,", "  Violets", "Are not."])],
        )

    def test_blanks_at_the_end_of_a_line_are_left_out(self) -> None:
        self.assertEqual(self.lay_out("So it\nGoes. "), [("verse", ["So it", "Goes."])])

    def test_lines_with_columns_are_a_table(self) -> None:
        text = "Engineering:    How?\nScience:        Why?"
        self.assertEqual(self.lay_out(text), [("table", [text])])

    def test_labels_are_no_columns(self) -> None:
        self.assert_kinds("Q:\tWhat is it?\nA:\tA dialogue.", "verse")

    def test_a_picture_of_characters_is_a_table(self) -> None:
        self.assert_kinds("/\\_/\\\n( o.o )\n> ^ <", "table")

    def test_very_many_lines_are_not_laid_out(self) -> None:
        self.assert_kinds("So.\n" * 400, "verse")
        self.assert_kinds("So.\n" * 401, "table")

    def test_positions_are_in_code_points(self) -> None:
        text = "\U0001d4b3 one\n\nTwo \U0001f600"
        self.assertEqual([each.spans for each in lay_out(text)], [[(0, 5)], [(7, 12)]])
