"""
Tests for L{twisted_quotes.text.normalization}.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from re import sub
from time import process_time
from unicodedata import combining, normalize

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.text.normalization import fold, fold_term, unfold

# Letters that compose, that decompose, that do neither, blanks and marks.
CHARACTERS = st.sampled_from(
    "ae\u0301\u0327\u0344\u1100\u1161\u11a8\uac00\u0958\u09c7\u09be\u212b\u2126"
    " \t\n\u00a0\u2003\u2028\u2019\u201c'\"\ufffd\U0001f408\u00e9\u0130\0"
)
TEXT = st.text(CHARACTERS, max_size=12) | st.text(max_size=8)
# Among them the Tibetan ones that are decomposed, yet are no non-starters.
MARKS = st.text("\u0301\u0327\u0344\u0f71\u0f73\u0f81\u0334\u2014q\u0308", min_size=28)


def fold_simply(text: str) -> str:
    """Fold a text without a bound on the time that it takes."""
    text = normalize("NFC", text)
    for straight, curly in (("'", "\u2018-\u201b"), ('"', "\u201c-\u201f")):
        text = sub(f"[{curly}]", straight, text)
    return " ".join(text.split())


def seconds(call: Callable[[], object]) -> float:
    """How much CPU time a call takes, at best."""
    times = []
    for _ in range(3):
        start = process_time()
        call()
        times.append(process_time() - start)
    return min(times)


class RegexTests(SynchronousTestCase):
    """Tests of regular expressions, which are folded as far as that is safe."""

    def test_every_blank_is_a_space(self) -> None:
        """In a text it is one, too; but those of an expression are not merged."""
        for blank in "\t\u00a0\u2009\u3000":
            self.assertEqual(fold_term(f"a{blank}b", regex=True), "a b")
            self.assertIn(fold_term(f"a{blank}b", regex=True), fold(f"xa{blank}bx"))
        self.assertEqual(fold_term("a  *[ \u00a0]", regex=True), "a  *[  ]")


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

    def test_a_text_is_normalized_whatever_it_holds(self) -> None:
        """Long runs of marks make no difference."""

        @settings(max_examples=500)
        @given(TEXT, MARKS, TEXT)
        def check(before: str, marks: str, after: str) -> None:
            for text in (before, before + marks + after):
                self.assertEqual(fold(text), fold_simply(text))
                term = fold_term(text, regex=True)
                self.assertEqual(" ".join(term.split()), fold_simply(text))

        check()

    def test_every_mark_counts(self) -> None:
        """Whatever is decomposed to marks is put in order, if it is one of many."""
        marks = [
            each
            for each in map(chr, range(0x110000))
            if combining(normalize("NFD", each)[0])
        ]
        for mark in marks:
            text = f"e{mark}\u0301{mark}" * 20 + f"{mark}\u0301\u0327" * 20
            self.assertEqual(fold(text), fold_simply(text))
        self.assertGreater(len(marks), 800)

    def test_the_time_grows_with_the_length_alone(self) -> None:
        """Whatever marks follow each other."""
        for marks in ("\u0301\u0327", "\u0344\u0f73", "\u0301" * 40 + "\u0327" * 40):
            text = "e" + marks * (16000 // len(marks))
            once = seconds(partial(fold, text))
            more = seconds(partial(fold, text * 8))
            self.assertLess(more, 24 * once)


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

    def test_what_was_not_composed_is_returned_by_itself(self) -> None:
        """Each code point that stayed what it was comes from one alone."""
        text = "q\u0301e\u0301"
        self.assertEqual(unfold(text, [(0, 1)]), [(0, 1)])
        self.assertEqual(unfold(text, [(1, 2), (2, 3)]), [(1, 2), (2, 4)])
        text = "e\u0301\u0301\u0301 x"
        self.assertEqual(
            unfold(text, [(1, 2), (2, 3), (4, 5)]), [(2, 3), (3, 4), (5, 6)]
        )

    def test_what_was_put_in_another_order_is_found_where_it_stands(self) -> None:
        """Places come in the order of the text."""
        text = "q\u0301\u0327e\u0301"
        self.assertEqual(unfold(text, [(1, 2), (2, 3)]), [(1, 2), (2, 3)])
        self.assertEqual(unfold(text, [(0, 2), (3, 4)]), [(0, 3), (3, 5)])

    def test_what_overlaps_is_one(self) -> None:
        """Two places in what was folded together are the same place."""
        text = "q\u0301\u0327"
        self.assertEqual(unfold(text, [(0, 2), (2, 3)]), [(0, 3)])
        self.assertEqual(unfold("\u0344x", [(0, 1), (1, 2), (2, 3)]), [(0, 1), (1, 2)])

    def test_the_time_grows_with_the_length_alone(self) -> None:
        """However many marks and places there are."""

        def texts(count: int) -> list[str]:
            marks = "\u0301\u0327" * count
            return [f"e{marks}", f"e {marks}", "e\u0301" * count, "e\u0301 " * count]

        for once, more in zip(texts(2000), texts(16000), strict=True):
            times = []
            for text in (once, more):
                places = [(at, at + 1) for at in range(len(fold(text)))]
                times.append(seconds(partial(unfold, text, places)))
            self.assertLess(times[1], 24 * times[0])

    def test_nothing_found_is_nothing(self) -> None:
        """Without places none are returned."""
        self.assertEqual(unfold("a", []), [])

    def test_every_place_leads_back_to_what_folds_to_it(self) -> None:
        """The pieces of a text fold to the pieces of its folded form."""

        @settings(max_examples=500)
        @example("\uac00\u11a8\u0301 \u1100\u1161\u11a8", 0, 9)
        @example("\u09c7\u09be\u0301", 0, 1)
        @example("aaa\u00e9\u0327", 4, 1)
        @given(TEXT | MARKS, st.integers(0, 12), st.integers(1, 12))
        def check(text: str, start: int, length: int) -> None:
            folded = fold(text)
            start, end = (
                start % (len(folded) or 1),
                min(start % (len(folded) or 1) + length, len(folded)),
            )
            if not folded[start:end]:
                return
            [(first, last)] = unfold(text, [(start, end)])
            # The text may compose its marks otherwise, and in another order.
            wanted = Counter(normalize("NFD", fold(folded[start:end])))
            self.assertLessEqual(
                wanted, Counter(normalize("NFD", fold(text[first:last])))
            )
            self.assertTrue(0 <= first < last <= len(text))
            # All of the text comes back, and each code point from somewhere.
            each = [unfold(text, [(n, n + 1)])[0] for n in range(len(folded))]
            stripped = text.strip()
            began = text.index(stripped)
            self.assertEqual(
                {n for a, b in each for n in range(a, b)},
                set(range(began, began + len(stripped))),
            )

        check()

    def test_a_text_and_its_other_spelling_have_the_same_folded_form(self) -> None:
        """Whichever way a text is normalized, the same terms find it."""

        @given(TEXT)
        def check(text: str) -> None:
            for form in ("NFC", "NFD"):
                self.assertEqual(fold(normalize(form, text)), fold(text))

        check()
