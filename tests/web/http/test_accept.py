"""
Tests for L{twisted_quotes.web.http.accept}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.web.http.accept import (
    is_named,
    negotiate_coding,
    negotiate_media_type,
)

JSON, NDJSON = "application/json", "application/x-ndjson"
PROBLEM = "application/problem+json"


def choose(accept: str) -> str:
    return negotiate_media_type(accept, [JSON, NDJSON])


class NegotiationTests(SynchronousTestCase):
    def test_the_highest_quality_wins(self) -> None:
        """A type without a quality has the highest one."""
        for accept in (
            NDJSON,
            f"text/html, {NDJSON};q=0.9, application/json;q=0.8",
            f"{JSON};q=0.5,{NDJSON}",
            f"{NDJSON};q=0.002,*/*;q=0.001",
            f"application/*;q=0.8, {JSON};q=0.1",
            f"{JSON};q=0, */*",
        ):
            self.assertEqual(choose(accept), NDJSON, accept)
        for accept in (
            JSON,
            f"{NDJSON};q=0.5, application/json",
            f"{NDJSON};q=0, */*;q=0.1",
            f"{NDJSON};q=0",
        ):
            self.assertEqual(choose(accept), JSON, accept)

    def test_the_most_specific_of_equal_qualities_wins(self) -> None:
        """If both are equally specific, the first offered type wins."""
        self.assertEqual(choose(f"{NDJSON}, */*"), NDJSON)
        self.assertEqual(choose(f"*/*, {NDJSON}, application/*"), NDJSON)
        self.assertEqual(choose(f"{NDJSON}, {JSON}"), JSON)
        self.assertEqual(choose("application/*"), JSON)

    def test_parameters_and_case_make_no_difference(self) -> None:
        """Blanks make no difference either, and quoted strings may contain anything."""
        for accept in (
            f"{NDJSON};charset=utf-8",
            f"{NDJSON} ; charset=utf-8 ; Q=1",
            "Application/X-NDJSON",
            f'text/html;x="{JSON}, \\", {JSON};q=1", {NDJSON}',
            f'{JSON};x=";q=1";q=0.1, {NDJSON};q=0.2',
        ):
            self.assertEqual(choose(accept), NDJSON, accept)

    def test_malformed_media_ranges_are_ignored(self) -> None:
        """If none is left, the first offered type is chosen."""
        for accept in (
            "",
            ";;;,",
            f"{NDJSON};q=2",
            f"{NDJSON};q=",
            f"{NDJSON};q=x",
            f"{NDJSON};q=-1",
            f'{NDJSON};q="1"',
            f"x{NDJSON}",
            f'"{NDJSON}',
            "text/html",
        ):
            self.assertEqual(choose(accept), JSON, accept)
        self.assertEqual(choose(f"{JSON};q=2, {NDJSON};q=0.1"), NDJSON)

    @given(st.text('a/*;,q=01."\\ \t'))
    def test_any_header_is_parsed(self, accept: str) -> None:
        self.assertIn(choose(accept), (JSON, NDJSON))


class NameTests(SynchronousTestCase):
    """Tests of L{is_named}."""

    def test_a_type_is_named_unless_another_one_is_preferred(self) -> None:
        for accept, named in (
            (PROBLEM, True),
            ("application/Problem+JSON; charset=utf-8", True),
            (f"{JSON}, {PROBLEM}", True),
            (f"{PROBLEM}, */*", True),
            (f"{JSON};q=0.5, {PROBLEM};q=0.5", True),
            (f"{NDJSON}, {PROBLEM};q=0.1", True),
            (f"{JSON}, {PROBLEM};q=0.9", False),
            (f"{PROBLEM};q=0.5, */*", False),
            (f"{PROBLEM};q=0", False),
            (f"{PROBLEM};q=x", False),
            (f'a/b;c="{PROBLEM}"', False),
            ("*/*", False),
            ("application/*", False),
            ("", False),
        ):
            self.assertEqual(is_named(PROBLEM, accept, JSON), named, accept)


class CodingTests(SynchronousTestCase):
    """Tests of L{negotiate_coding} (RFC 9110, section 12.5.3)."""

    def test_the_coding_with_the_highest_quality_is_chosen(self) -> None:
        """Among equals it is the first one that the server offers."""
        for header, coding in (
            ("gzip", "gzip"),
            ("gzip, deflate, br, zstd", "zstd"),
            ("GZIP;Q=0.5", "gzip"),
            ("zstd;q=0.5, gzip;q=0.8", "gzip"),
            ("zstd;q=0, *", "gzip"),
            ("*", "zstd"),
            ("identity;q=0.5, *;q=0.1, gzip;q=0.5", "gzip"),
            ("gzip, identity", "gzip"),
        ):
            chosen = negotiate_coding(header, ("zstd", "gzip"))
            self.assertEqual(chosen, (coding, False), header)

    def test_no_coding_is_chosen_if_none_is_acceptable_or_identity_is_better(
        self,
    ) -> None:
        for header in (
            "",
            "identity",
            "br, deflate",
            "gzip;q=0",
            "gzip;q=0.000, zstd;q=0",
            "*;q=0",
            "gzip;q=2, zstd;q=x",
            "identity, gzip;q=0.9",
            "identity;q=0, br",
            "gzipped, x-zstd",
        ):
            chosen = negotiate_coding(header, ("zstd", "gzip"))
            self.assertEqual(chosen, (None, False), header)

    def test_a_client_can_refuse_a_body_without_a_coding(self) -> None:
        for header, is_refused in (
            ("gzip, identity;q=0", True),
            ("gzip, *;q=0", True),
            ("gzip, *;q=0, identity;q=0.1", False),
            ("gzip, identity;q=x", False),
        ):
            chosen = negotiate_coding(header, ("gzip",))
            self.assertEqual(chosen, ("gzip", is_refused), header)
