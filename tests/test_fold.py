"""
Tests for L{twisted_quotes.fold}.
"""

from __future__ import annotations

from unicodedata import normalize

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.fold import fold, fold_term, unfold

# Letters that compose, that decompose, that do neither, blanks and marks.
CHARACTERS = st.sampled_from(
    "ae\u0301\u0327\u0344\u1100\u1161\u11a8\uac00\u0958\u09c7\u09be\u212b\u2126"
    " \t\n\u00a0\u2003\u2028\u2019\u201c'\"\ufffd\U0001f408\u00e9\u0130\0"
)
TEXT = st.text(CHARACTERS, max_size=12) | st.text(max_size=8)


class FoldTests(SynchronousTestCase):
    """Tests of what is matched as the same."""

    def test_blanks_and_line_breaks_are_one_space(self) -> None:
        """Words stand one space apart, whatever stood between them."""
        self.assertEqual(
            fold("  to be,\n\tor\u00a0not \u2028 to be\n"), "to be, or not to be"
        )

    def test_equivalent_spellings_are_one(self) -> None:
        """A letter with its accent is the same, composed or not."""
        self.assertEqual(fold("e\u0301cole"), "\u00e9cole")
        self.assertEqual(fold("\u1112\u1161\u11ab"), "\ud55c")

    def test_curly_marks_are_straight(self) -> None:
        """Quotation marks and apostrophes of either shape are the same."""
        self.assertEqual(
            fold("\u2018\u2019\u201a\u201b \u201c\u201d\u201e\u201f"), "'''' \"\"\"\""
        )

    def test_a_term_keeps_a_blank_at_its_ends(self) -> None:
        """A term that starts with a blank asks for one, but for one only."""
        self.assertEqual(fold_term("  the\t \u00e9nd ", regex=False), " the \u00e9nd ")

    def test_a_pattern_keeps_its_blanks(self) -> None:
        """Blanks mean something in a regular expression."""
        self.assertEqual(fold_term("a  *\u2019e\u0301", regex=True), "a  *'\u00e9")

    def test_folding_twice_is_folding_once(self) -> None:
        """What is folded is its own folded form."""

        @given(TEXT)
        def check(text: str) -> None:
            self.assertEqual(fold(fold(text)), fold(text))

        check()


class UnfoldTests(SynchronousTestCase):
    """Tests of finding in a text what was found in its folded form."""

    def found(self, text: str, term: str) -> list[str]:
        """What a term finds in a text."""
        folded, places, start = fold(text), [], 0
        while (start := folded.find(term, start)) >= 0:
            places.append((start, start + len(term)))
            start += len(term)
        return [text[first:last] for first, last in unfold(text, places)]

    def test_a_phrase_is_found_across_a_line_break(self) -> None:
        """What is returned is as it stands in the text."""
        self.assertEqual(
            self.found(" My\n  love is, my love", "y love"), ["y\n  love", "y love"]
        )

    def test_what_was_folded_into_one_is_returned_whole(self) -> None:
        """A composed letter stands for the letter and all its marks."""
        self.assertEqual(
            self.found("l'e\u0301cole, e\u0301", "\u00e9"), ["e\u0301", "e\u0301"]
        )
        self.assertEqual(
            self.found("caf\u00e9 e\u0301\u0327", "\u0229\u0301"), ["e\u0301\u0327"]
        )

    def test_what_overlaps_is_one(self) -> None:
        """Two places in what was folded together are the same place."""
        text = "b\u0301\u0301 b\u0301"
        self.assertEqual(unfold(text, [(1, 2), (2, 3)]), [(1, 2), (2, 3)])
        text = "e\u0301\u0301\u0301 x"
        self.assertEqual(unfold(text, [(1, 2), (2, 3), (4, 5)]), [(0, 4), (5, 6)])

    def test_nothing_found_is_nothing(self) -> None:
        """Without places none are returned."""
        self.assertEqual(unfold("a", []), [])

    def test_every_place_leads_back_to_what_folds_to_it(self) -> None:
        """The pieces of a text fold to the pieces of its folded form."""

        @settings(max_examples=500)
        @example("\uac00\u11a8\u0301 \u1100\u1161\u11a8", 0, 9)
        @example("\u09c7\u09be\u0301", 0, 1)
        @given(TEXT, st.integers(0, 12), st.integers(1, 12))
        def check(text: str, start: int, length: int) -> None:
            folded = fold(text)
            start, end = (
                start % (len(folded) or 1),
                min(start % (len(folded) or 1) + length, len(folded)),
            )
            if not folded[start:end]:
                return
            [(first, last)] = unfold(text, [(start, end)])
            self.assertIn(fold(folded[start:end]), fold(text[first:last]))
            self.assertTrue(0 <= first < last <= len(text))
            # The whole leads to the whole, and each code point comes from somewhere.
            each = [unfold(text, [(n, n + 1)])[0] for n in range(len(folded))]
            pieces: list[tuple[int, int]] = []
            for place in each:
                if not pieces or pieces[-1] != place:
                    pieces.append(place)
            self.assertEqual("".join(text[a:b] for a, b in pieces), text.strip())

        check()

    def test_a_text_and_its_other_spelling_have_the_same_folded_form(self) -> None:
        """Whichever way a text is normalized, the same terms find it."""

        @given(TEXT)
        def check(text: str) -> None:
            for form in ("NFC", "NFD"):
                self.assertEqual(fold(normalize(form, text)), fold(text))

        check()
