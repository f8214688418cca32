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

from twisted_quotes.text.normalization import (
    normalize_for_search,
    normalize_term,
    original_spans,
)

# Letters that compose, that decompose, that do neither, blanks and marks.
CHARACTERS = st.sampled_from(
    "ae\u0301\u0327\u0344\u1100\u1161\u11a8\uac00\u0958\u09c7\u09be\u212b\u2126"
    " \t\n\u00a0\u2003\u2028\u2019\u201c'\"\ufffd\U0001f408\u00e9\u0130\0"
)
TEXT = st.text(CHARACTERS, max_size=12) | st.text(max_size=8)
# Among them the Tibetan ones that are decomposed, yet are no non-starters.
MARKS = st.text("\u0301\u0327\u0344\u0f71\u0f73\u0f81\u0334\u2014q\u0308", min_size=28)


def normalize_simply(text: str) -> str:
    """Fold a text without a bound on the time that it takes."""
    text = normalize("NFC", text)
    for straight, curly in (("'", "\u2018-\u201b"), ('"', "\u201c-\u201f")):
        text = sub(f"[{curly}]", straight, text)
    return " ".join(text.split())


def measure_cpu_time(call: Callable[[], object]) -> float:
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
            self.assertEqual(normalize_term(f"a{blank}b", regex=True), "a b")
            self.assertIn(
                normalize_term(f"a{blank}b", regex=True),
                normalize_for_search(f"xa{blank}bx"),
            )
        self.assertEqual(normalize_term("a  *[ \u00a0]", regex=True), "a  *[  ]")


class NormalizeForSearchTests(SynchronousTestCase):
    """Tests of what is matched as the same."""

    def test_blanks_and_line_breaks_are_one_space(self) -> None:
        """Words stand one space apart, whatever stood between them."""
        self.assertEqual(
            normalize_for_search("  to be,\n\tor\u00a0not \u2028 to be\n"),
            "to be, or not to be",
        )

    def test_equivalent_spellings_are_one(self) -> None:
        """A letter with its accent is the same, composed or not."""
        self.assertEqual(normalize_for_search("e\u0301cole"), "\u00e9cole")
        self.assertEqual(normalize_for_search("\u1112\u1161\u11ab"), "\ud55c")

    def test_curly_marks_are_straight(self) -> None:
        """Quotation marks and apostrophes of either shape are the same."""
        self.assertEqual(
            normalize_for_search("\u2018\u2019\u201a\u201b \u201c\u201d\u201e\u201f"),
            "'''' \"\"\"\"",
        )

    def test_a_term_keeps_a_blank_at_its_ends(self) -> None:
        """A term that starts with a blank asks for one, but for one only."""
        self.assertEqual(
            normalize_term("  the\t \u00e9nd ", regex=False), " the \u00e9nd "
        )

    def test_a_pattern_keeps_its_blanks(self) -> None:
        """Blanks mean something in a regular expression."""
        self.assertEqual(normalize_term("a  *\u2019e\u0301", regex=True), "a  *'\u00e9")

    def test_folding_twice_is_folding_once(self) -> None:
        """What is folded is its own folded form."""

        @given(TEXT)
        def check(text: str) -> None:
            self.assertEqual(
                normalize_for_search(normalize_for_search(text)),
                normalize_for_search(text),
            )

        check()

    def test_a_text_is_normalized_whatever_it_holds(self) -> None:
        """Long runs of marks make no difference."""

        @settings(max_examples=500)
        @given(TEXT, MARKS, TEXT)
        def check(before: str, marks: str, after: str) -> None:
            for text in (before, before + marks + after):
                self.assertEqual(normalize_for_search(text), normalize_simply(text))
                term = normalize_term(text, regex=True)
                self.assertEqual(" ".join(term.split()), normalize_simply(text))

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
            self.assertEqual(normalize_for_search(text), normalize_simply(text))
        self.assertGreater(len(marks), 800)

    def test_the_time_grows_with_the_length_alone(self) -> None:
        """Whatever marks follow each other."""
        for marks in ("\u0301\u0327", "\u0344\u0f73", "\u0301" * 40 + "\u0327" * 40):
            text = "e" + marks * (16000 // len(marks))
            once = measure_cpu_time(partial(normalize_for_search, text))
            more = measure_cpu_time(partial(normalize_for_search, text * 8))
            self.assertLess(more, 24 * once)


class OriginalSpansTests(SynchronousTestCase):
    """Tests of finding in a text what was found in its folded form."""

    def find_matches(self, text: str, term: str) -> list[str]:
        """What a term finds in a text."""
        normalized, spans, start = normalize_for_search(text), [], 0
        while (start := normalized.find(term, start)) >= 0:
            spans.append((start, start + len(term)))
            start += len(term)
        return [text[first:last] for first, last in original_spans(text, spans)]

    def test_a_phrase_is_found_across_a_line_break(self) -> None:
        """What is returned is as it stands in the text."""
        self.assertEqual(
            self.find_matches(" My\n  love is, my love", "y love"),
            ["y\n  love", "y love"],
        )

    def test_what_was_folded_into_one_is_returned_whole(self) -> None:
        """A composed letter stands for the letter and all its marks."""
        self.assertEqual(
            self.find_matches("l'e\u0301cole, e\u0301", "\u00e9"),
            ["e\u0301", "e\u0301"],
        )
        self.assertEqual(
            self.find_matches("caf\u00e9 e\u0301\u0327", "\u0229\u0301"),
            ["e\u0301\u0327"],
        )

    def test_what_was_not_composed_is_returned_by_itself(self) -> None:
        """Each code point that stayed what it was comes from one alone."""
        text = "q\u0301e\u0301"
        self.assertEqual(original_spans(text, [(0, 1)]), [(0, 1)])
        self.assertEqual(original_spans(text, [(1, 2), (2, 3)]), [(1, 2), (2, 4)])
        text = "e\u0301\u0301\u0301 x"
        self.assertEqual(
            original_spans(text, [(1, 2), (2, 3), (4, 5)]), [(2, 3), (3, 4), (5, 6)]
        )

    def test_what_was_put_in_another_order_is_found_where_it_stands(self) -> None:
        """Places come in the order of the text."""
        text = "q\u0301\u0327e\u0301"
        self.assertEqual(original_spans(text, [(1, 2), (2, 3)]), [(1, 2), (2, 3)])
        self.assertEqual(original_spans(text, [(0, 2), (3, 4)]), [(0, 3), (3, 5)])

    def test_what_overlaps_is_one(self) -> None:
        """Two places in what was folded together are the same place."""
        text = "q\u0301\u0327"
        self.assertEqual(original_spans(text, [(0, 2), (2, 3)]), [(0, 3)])
        self.assertEqual(
            original_spans("\u0344x", [(0, 1), (1, 2), (2, 3)]), [(0, 1), (1, 2)]
        )

    def test_the_time_grows_with_the_length_alone(self) -> None:
        """However many marks and places there are."""

        def texts(count: int) -> list[str]:
            marks = "\u0301\u0327" * count
            return [f"e{marks}", f"e {marks}", "e\u0301" * count, "e\u0301 " * count]

        for short_text, long_text in zip(texts(2000), texts(16000), strict=True):
            times = []
            for text in (short_text, long_text):
                spans = [(at, at + 1) for at in range(len(normalize_for_search(text)))]
                times.append(measure_cpu_time(partial(original_spans, text, spans)))
            self.assertLess(times[1], 24 * times[0])

    def test_nothing_found_is_nothing(self) -> None:
        """Without places none are returned."""
        self.assertEqual(original_spans("a", []), [])

    def test_every_place_leads_back_to_what_folds_to_it(self) -> None:
        """The pieces of a text fold to the pieces of its folded form."""

        @settings(max_examples=500)
        @example("\uac00\u11a8\u0301 \u1100\u1161\u11a8", 0, 9)
        @example("\u09c7\u09be\u0301", 0, 1)
        @example("aaa\u00e9\u0327", 4, 1)
        @given(TEXT | MARKS, st.integers(0, 12), st.integers(1, 12))
        def check(text: str, start: int, length: int) -> None:
            normalized = normalize_for_search(text)
            start, end = (
                start % (len(normalized) or 1),
                min(start % (len(normalized) or 1) + length, len(normalized)),
            )
            if not normalized[start:end]:
                return
            [(first, last)] = original_spans(text, [(start, end)])
            # The text may compose its marks otherwise, and in another order.
            wanted = Counter(
                normalize("NFD", normalize_for_search(normalized[start:end]))
            )
            self.assertLessEqual(
                wanted,
                Counter(normalize("NFD", normalize_for_search(text[first:last]))),
            )
            self.assertTrue(0 <= first < last <= len(text))
            # All of the text comes back, and each code point from somewhere.
            each = [
                original_spans(text, [(n, n + 1)])[0] for n in range(len(normalized))
            ]
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
                self.assertEqual(
                    normalize_for_search(normalize(form, text)),
                    normalize_for_search(text),
                )

        check()
