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

from twisted_quotes.text import normalization
from twisted_quotes.text.normalization import (
    normalize_for_search,
    normalize_term,
    original_spans,
)

# Letters that compose, letters that decompose, other letters, whitespace and marks.
CHARACTERS = st.sampled_from(
    "ae-\xad\u200b\u6a39\u0301\u0327\u0344\u1100\u1161\u11a8\uac00\u0958\u09c7\u09be\u212b\u2126"
    " \t\n\u00a0\u2003\u2028\u2019\u201c'\"\ufffd\U0001f408\u00e9\u0130\0"
)
TEXT = st.text(CHARACTERS, max_size=12) | st.text(max_size=8)
# They include the Tibetan ones that are decomposed, but are no non-starters.
MARKS = st.text("\u0301\u0327\u0344\u0f71\u0f73\u0f81\u0334\u2014q\u0308", min_size=28)


def normalize_simply(text: str) -> str:
    """Normalize text in a time that may be quadratic."""
    for removed in normalization._REMOVED:
        text = removed.sub("", text)
    text = normalize("NFC", text)
    for straight, curly in (
        ("'", "\u2018-\u201b"),
        ('"', "\u201c-\u201f"),
        ("-", "\u2010\u2011"),
    ):
        text = sub(f"[{curly}]", straight, text)
    return " ".join(text.split())


def measure_cpu_time(call: Callable[[], object]) -> float:
    """Return the CPU time of a call, the best of three."""
    times = []
    for _ in range(3):
        start = process_time()
        call()
        times.append(process_time() - start)
    return min(times)


class NormalizeTests(SynchronousTestCase):
    """Tests of L{normalize_for_search} and L{normalize_term}."""

    def test_equivalent_spellings_of_a_text_become_equal(self) -> None:
        for text, normalized in (
            ("  to be,\n\tor\u00a0not \u2028 to be\n", "to be, or not to be"),
            ("e\u0301cole", "\u00e9cole"),
            ("\u1112\u1161\u11ab", "\ud55c"),
            (
                "\u2018\u2019\u201a\u201b \u201c\u201d\u201e\u201f",
                "'''' \"\"\"\"",
            ),
        ):
            self.assertEqual(normalize_for_search(text), normalized)

    def test_a_line_break_in_a_script_without_blanks_is_removed(self) -> None:
        """With the indentation after it; Korean and Latin keep a blank."""
        for text, normalized in (
            ("\u5c0f\u9ce5\u5728\u6a39\n\u4e0a", "\u5c0f\u9ce5\u5728\u6a39\u4e0a"),
            ("\u6a39 \n\t \u4e0a\u3002\n\n\u5531", "\u6a39\u4e0a\u3002\u5531"),
            ("\u304b\n\u30ab\uff0c\n\u0e01\n\u0e02", "\u304b\u30ab\uff0c\u0e01\u0e02"),
            ("\u6a39 \u4e0a", "\u6a39 \u4e0a"),
            ("\u6a39\ntree\n\u4e0a", "\u6a39 tree \u4e0a"),
            ("\ud55c\n\uae00", "\ud55c \uae00"),
        ):
            self.assertEqual(normalize_for_search(text), normalized, ascii(text))

    def test_a_line_break_after_the_hyphen_of_a_word_is_removed(self) -> None:
        for text, normalized in (
            ("well-\nknown", "well-known"),
            ("well- \n  known", "well-known"),
            ("e\u0301-\n\u00e9", "\u00e9-\u00e9"),
            ("well\u2010\nknown\u2011ly", "well-known-ly"),
            ("well -\nknown", "well - known"),
            ("well--\nknown", "well-- known"),
            ("well-\n-known", "well- -known"),
            ("- one\n- two", "- one - two"),
        ):
            self.assertEqual(normalize_for_search(text), normalized, ascii(text))

    def test_invisible_characters_are_removed(self) -> None:
        for character in "\xad\u200b\u200d\u2060\ufeff\ufe0f\U000e0041":
            self.assertEqual(normalize_for_search(f"e{character}\u0301"), "\u00e9")
            self.assertEqual(normalize_term(f"a{character}b", regex=False), "ab")

    def test_a_term_without_visible_characters_is_not_empty(self) -> None:
        for term in ("\u200b", " \u200b "):
            self.assertIn("\u200b", normalize_term(term, regex=False))

    def test_a_term_keeps_whitespace_at_its_ends(self) -> None:
        """Runs of whitespace in a regular expression keep their length."""
        for term, regex, normalized in (
            ("  the\t \u00e9nd ", False, " the \u00e9nd "),
            ("a  *\u2019e\u0301", True, "a  *'\u00e9"),
            ("a  *[ \u00a0]", True, "a  *[  ]"),
            *((f"a{space}b", True, "a b") for space in "\t\u00a0\u2009\u3000"),
        ):
            self.assertEqual(normalize_term(term, regex), normalized)

    @settings(max_examples=500)
    @given(TEXT, MARKS, TEXT)
    def test_any_text_is_normalized_like_in_the_simplest_way(
        self, before: str, marks: str, after: str
    ) -> None:
        """Long runs of marks make no difference."""
        for text in (before, before + marks + after):
            self.assertEqual(normalize_for_search(text), normalize_simply(text))
            term = normalize_term(text, regex=True)
            if normalize_simply(text):
                self.assertEqual(" ".join(term.split()), normalize_simply(text))

    def test_every_character_is_normalized_like_in_the_simplest_way(self) -> None:
        """In a text that has only Latin letters otherwise, which is common."""
        for character in map(chr, range(0x10000)):
            text = f"e{character}-\n{character} e"
            self.assertEqual(
                normalize_for_search(text), normalize_simply(text), ascii(character)
            )

    @given(TEXT)
    def test_the_result_is_the_same_for_every_unicode_form(self, text: str) -> None:
        """A normalized text stays the same, too."""
        normalized = normalize_for_search(text)
        for other in (normalized, normalize("NFC", text), normalize("NFD", text)):
            self.assertEqual(normalize_for_search(other), normalized)

    def test_every_mark_is_sorted_in_a_long_run(self) -> None:
        marks = [
            character
            for character in map(chr, range(0x110000))
            if combining(normalize("NFD", character)[0])
        ]
        for mark in marks:
            text = f"e{mark}\u0301{mark}" * 20 + f"{mark}\u0301\u0327" * 20
            self.assertEqual(normalize_for_search(text), normalize_simply(text))
        self.assertGreater(len(marks), 800)

    def test_the_time_grows_linearly(self) -> None:
        for marks in ("\u0301\u0327", "\u0344\u0f73", "\u0301" * 40 + "\u0327" * 40):
            text = "e" + marks * (16000 // len(marks))
            once = measure_cpu_time(partial(normalize_for_search, text))
            more = measure_cpu_time(partial(normalize_for_search, text * 8))
            self.assertLess(more, 24 * once)


class OriginalSpansTests(SynchronousTestCase):
    """Tests of L{original_spans}."""

    def find_matches(self, text: str, term: str) -> list[str]:
        """Return the parts of a text that match a term."""
        normalized, spans, start = normalize_for_search(text), [], 0
        while (start := normalized.find(term, start)) >= 0:
            spans.append((start, start + len(term)))
            start += len(term)
        return [text[first:last] for first, last in original_spans(text, spans)]

    def test_a_match_is_the_original_text(self) -> None:
        """It has all characters of a composed one."""
        for text, term, matches in (
            (" My\n  love is, my love", "y love", ["y\n  love", "y love"]),
            ("l'e\u0301cole, e\u0301", "\u00e9", ["e\u0301", "e\u0301"]),
            ("caf\u00e9 e\u0301\u0327", "\u0229\u0301", ["e\u0301\u0327"]),
            ("\u5c0f\u5728\u6a39\n\u4e0a\u5531", "\u6a39\u4e0a", ["\u6a39\n\u4e0a"]),
            ("a well-\n  known on\xade", "l-known o", ["l-\n  known o"]),
            ("on\xade \u200bone", "one", ["on\xade", "one"]),
        ):
            self.assertEqual(self.find_matches(text, term), matches)

    def test_a_span_has_only_the_characters_it_comes_from(self) -> None:
        """Spans that overlap are merged, also where NFC changes the order."""
        for text, spans, originals in (
            ("a", [], []),
            ("q\u0301e\u0301", [(0, 1)], [(0, 1)]),
            ("q\u0301e\u0301", [(1, 2), (2, 3)], [(1, 2), (2, 4)]),
            (
                "e\u0301\u0301\u0301 x",
                [(1, 2), (2, 3), (4, 5)],
                [(2, 3), (3, 4), (5, 6)],
            ),
            ("q\u0301\u0327e\u0301", [(1, 2), (2, 3)], [(1, 2), (2, 3)]),
            ("q\u0301\u0327e\u0301", [(0, 2), (3, 4)], [(0, 3), (3, 5)]),
            ("q\u0301\u0327", [(0, 2), (2, 3)], [(0, 3)]),
            ("\u0344x", [(0, 1), (1, 2), (2, 3)], [(0, 1), (1, 2)]),
        ):
            self.assertEqual(original_spans(text, spans), originals, ascii(text))

    def test_the_time_grows_linearly(self) -> None:
        def texts(count: int) -> list[str]:
            marks = "\u0301\u0327" * count
            invisible = "e\xad" * count
            return [
                invisible,
                f"e{marks}",
                f"e {marks}",
                "e\u0301" * count,
                "e\u0301 " * count,
            ]

        for short_text, long_text in zip(texts(2000), texts(16000), strict=True):
            times = []
            for text in (short_text, long_text):
                spans = [(at, at + 1) for at in range(len(normalize_for_search(text)))]
                times.append(measure_cpu_time(partial(original_spans, text, spans)))
            self.assertLess(times[1], 24 * times[0])

    @settings(max_examples=500)
    @example("\uac00\u11a8\u0301 \u1100\u1161\u11a8", 0, 9)
    @example("\u09c7\u09be\u0301", 0, 1)
    @example("aaa\u00e9\u0327", 4, 1)
    @given(TEXT | MARKS, st.integers(0, 12), st.integers(1, 12))
    def test_the_text_of_an_original_span_has_the_normalized_text(
        self, text: str, start: int, length: int
    ) -> None:
        """The spans of all characters cover the visible text."""
        normalized = normalize_for_search(text)
        if not normalized:
            return
        start %= len(normalized)
        end = min(start + length, len(normalized))
        [(first, last)] = original_spans(text, [(start, end)])
        # The marks may be composed differently and have another order.
        wanted = Counter(normalize("NFD", normalize_for_search(normalized[start:end])))
        self.assertLessEqual(
            wanted,
            Counter(normalize("NFD", normalize_for_search(text[first:last]))),
        )
        self.assertTrue(0 <= first < last <= len(text))
        covered: set[int] = set()
        for index in range(len(normalized)):
            [span] = original_spans(text, [(index, index + 1)])
            covered.update(range(*span))
        visible = {at for at, character in enumerate(text) if not character.isspace()}
        for match in normalization._INVISIBLE.finditer(text):
            visible.remove(match.start())
        self.assertLessEqual(visible, covered)
