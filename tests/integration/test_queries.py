"""
Tests of unusual queries in the real process.
"""

from __future__ import annotations

import os
import re
import subprocess
import warnings
from typing import Any
from urllib.parse import urlencode

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.errors import BadRequest
from twisted_quotes.query.regex_dialect import check_dialect

from .cases import LibraryTestCase
from .server import Server

HUGE = (2**63 - 1, 2**63, 2**64, 2**70, 10**300)

SYNTAX = r"\d \w \s \b \S \n \. \] \[ \\ [ [^ ^ $ ] ( ) (?: (?i) * + ? {2} {1,} | . -"
PATTERN_TOKENS = st.sampled_from(["a", "b", "1", *SYNTAX.split()])
LINES = ["a", "b", "1", "ab 1a", "d", "]a", r"\ab", "aa bb", "", "a.b", "[1]", "n"]


class DialectTests(SynchronousTestCase):
    """Tests of accepted regular expressions in two implementations."""

    @settings(max_examples=200)
    @example(r"[\.]")
    @given(st.lists(PATTERN_TOKENS, min_size=1, max_size=5).map("".join))
    def test_an_accepted_pattern_means_the_same_in_python(self, term: str) -> None:
        """
        In brackets, grep takes a backslash before punctuation literally, so lines with
        one are left out.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                check_dialect(term)
                compiled = re.compile(term)
            except (BadRequest, re.error):
                return
        has_escape = re.search(r"\[[^]]*\\[^\\]", term)
        lines = [each for each in LINES if "\\" not in each] if has_escape else LINES
        grep = subprocess.run(
            ["grep", "-E", "-e", term],
            input="".join(f"{line}\n" for line in lines),
            env={"LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            check=False,
        )
        if grep.returncode != 2:
            expected = [line for line in lines if compiled.search(line)]
            self.assertEqual(grep.stdout.splitlines(), expected)


class QueryTests(LibraryTestCase):
    """Tests of queries that few clients send."""

    server: Server

    def setUp(self) -> None:
        super().setUp()
        (self.library / "a").write_text("one love\n\ntwo loves\n\nthree\n")
        (self.library / "b").write_text("four loves\n")
        self.server = self.serve(environment={"TWISTED_QUOTES_CACHE_BYTES": str(2**20)})

    def test_limits_and_offsets_can_be_very_large(self) -> None:
        """They are tested together and alone."""
        actions: list[dict[str, Any]] = [
            {"action": "search", "term": "love"},
            {"action": "search", "term": "love", "n_before": 1, "n_after": 1000},
            {"action": "search", "term": "love", "unit": "quote", "n_after": 1},
            {"action": "all"},
            {"action": "all", "unit": "quote"},
            {"action": "random", "seed": 2**100},
        ]
        queries = [{**each, "dictionary": name} for each in actions for name in "a*"]
        queries.append({"action": "list"})
        for query in queries:
            results = self.server.query_results(**{"nresults": 0, **query})
            for huge in HUGE:
                query["nresults"] = huge
                self.assertEqual(self.server.query_results(**query), results)
                self.assertEqual(
                    self.server.query_results(**query, offset=1), results[1:]
                )
                self.assertEqual(self.server.query_results(**query, offset=huge), [])

    def test_numbers_in_a_url_can_be_very_large(self) -> None:
        """The numbers are offsets and seeds."""
        for path in ("quotes?", "quotes/random?", "quotes/random?seed=1&"):
            for huge in HUGE:
                response = self.server.get(f"/api/v2/{path}offset={huge}")
                self.assertEqual(
                    (response.status, response.json()["quotes"]), (200, [])
                )
        for huge in HUGE:
            url = f"/api/v2/quotes/random?limit=3&seed=-{huge}"
            self.assertEqual(self.server.get(url).status, 200)
            self.assertEqual(self.server.get(url).body, self.server.get(url).body)

    def test_deep_nesting_in_a_url_is_a_400(self) -> None:
        for name in ("limit", "offset", "regex"):
            response = self.server.get(f"/api/v2/quotes?{name}={'[' * 3000}")
            self.assertEqual(response.status, 400)

    def test_a_pattern_of_another_dialect_is_a_400(self) -> None:
        """grep would find nothing or too much."""
        for term in (r"lo\d", "lov.*?e", "(?i)LOVE", r"[\d]"):
            query = {"action": "search", "term": term, "regex": True}
            for response in (
                self.server.post_query(query),
                self.server.post_query({**query, "action": "random"}),
                self.server.get(
                    f"/api/v2/quotes?{urlencode({'term': term, 'regex': 'true'})}"
                ),
            ):
                self.assertEqual(response.status, 400)
                self.assertIn("POSIX", response.json()["message"])
        self.assertEqual(
            self.server.query_results(
                action="search", term=r"\blo[[:alpha:]]", regex=True
            ),
            ["one love", "two loves"],
        )
        self.assertEqual(
            self.server.query_results(action="search", term="(?i)LOVE"), []
        )

    def test_a_pattern_without_regex_is_logged(self) -> None:
        """It is searched as a fixed string, and not found."""
        self.assertEqual(self.server.query_results(action="search", term="^one"), [])
        self.server.wait_for_log_line(
            r"\[.*#info\] Request \w+ found nothing with a term .* \^ at"
        )
        self.assertFalse([line for line in self.server.lines if "^one" in line])
