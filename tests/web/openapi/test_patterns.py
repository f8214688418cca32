"""
Tests for L{twisted_quotes.web.openapi.patterns}.
"""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from msgspec.json import schema_components
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.query.queries import ACTIONS
from twisted_quotes.query.quote_queries import FindQuotes
from twisted_quotes.web.openapi.patterns import PatternNotPortable, ecma_pattern

BLANKS = (
    r"\t-\r\u001c-\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
)


def patterns_of(schema: object) -> set[str]:
    """Return all patterns in a schema."""
    match schema:
        case dict():
            own = {schema["pattern"]} if isinstance(schema.get("pattern"), str) else ()
            return {*own, *patterns_of([*schema.values()])}
        case list():
            return {found for each in schema for found in patterns_of(each)}
    return set()


class EcmaPatternTests(SynchronousTestCase):
    """Tests of L{ecma_pattern}."""

    def test_what_is_the_same_in_both_dialects_is_kept(self) -> None:
        for pattern in (
            r"^(?:a|[b-d]{2,})+?x",
            r"[0-9a-f]{24}",
            r"a\.b\\c\[\]\n\x41\u0041(?=x)(?!y)",
            r"[^a(b]*[$.]",
        ):
            self.assertEqual(ecma_pattern(pattern), pattern)

    def test_what_differs_is_converted(self) -> None:
        for pattern, expected in (
            (r"a\Z", r"a(?!\n)$"),
            (r"\0[^\0]", r"\u0000[^\u0000]"),
            (r".[.]", r"[^\n][.]"),
            (r"\s\S[\s,]", f"[{BLANKS}][^{BLANKS}][{BLANKS},]"),
        ):
            self.assertEqual(ecma_pattern(pattern), expected)

    def test_what_has_no_known_equivalent_is_refused(self) -> None:
        for pattern in (
            *(r"\d", r"\w", r"\bx", r"\Bx", r"\Ax", r"a$", r"(a)\1", r"\07", r"[\S]"),
            *(r"(?i)a", r"(?P<n>a)", r"(?<=a)b", r"(?<!a)b", r"(?>a)", r"(?#a)"),
            *(r"a*+", r"a++", r"a{2}+", r"a{,3}", r"[]a]", r"a]", r"\-", r"\é"),
        ):
            with self.assertRaises(PatternNotPortable):
                ecma_pattern(pattern)

    def test_every_pattern_of_a_query_is_converted(self) -> None:
        _, components = schema_components([*ACTIONS.values(), FindQuotes])
        patterns = patterns_of(components)
        self.assertEqual(len(patterns), 3)
        for pattern in patterns:
            converted = ecma_pattern(pattern)
            self.assertNotIn(r"\Z", converted)
            self.assertNotIn(r"\0", converted.replace(r"\u0000", ""))

    @given(
        st.text(st.sampled_from("a \t\n\r\0\x1c\x85\xa0\u2028\ufeff\x0b"), max_size=4)
    )
    def test_a_converted_pattern_means_the_same_in_python(self, text: str) -> None:
        for pattern in (
            r"^(?=.*\S)[^\0\r\n]*\Z",
            r"^(?=\s*\S)[^\0]*\Z",
            r"^[^\0]*\Z",
        ):
            self.assertEqual(
                bool(re.search(pattern, text)),
                bool(re.search(ecma_pattern(pattern), text)),
                (pattern, text),
            )
