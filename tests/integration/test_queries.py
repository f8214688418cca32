"""
Unusual questions, put to the real process.
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
    """Regular expressions that are let pass, read by grep and by another reader."""

    @settings(max_examples=200)
    @example(r"[\.]")
    @given(st.lists(PATTERN_TOKENS, min_size=1, max_size=5).map("".join))
    def test_what_is_let_pass_means_the_same_elsewhere(self, term: str) -> None:
        """
        What both take finds the same lines.

        In brackets a backslash before punctuation is a backslash, which few texts have.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                check_dialect(term)
                elsewhere = re.compile(term)
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
            expected = [line for line in lines if elsewhere.search(line)]
            self.assertEqual(grep.stdout.splitlines(), expected)


class QueryTests(LibraryTestCase):
    """Questions that few clients ask."""

    server: Server

    def setUp(self) -> None:
        """Serve two dictionaries, and keep answers."""
        super().setUp()
        (self.library / "a").write_text("one love\n\ntwo loves\n\nthree\n")
        (self.library / "b").write_text("four loves\n")
        self.server = self.serve(environment={"TWISTED_QUOTES_CACHE_BYTES": str(2**20)})

    def test_numbers_of_any_size_are_numbers(self) -> None:
        """No number of entries and no offset is too large, alone or together."""
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
        for question in queries:
            every = self.server.query_results(**{"nresults": 0, **question})
            for huge in HUGE:
                question["nresults"] = huge
                self.assertEqual(self.server.query_results(**question), every)
                self.assertEqual(
                    self.server.query_results(**question, offset=1), every[1:]
                )
                self.assertEqual(self.server.query_results(**question, offset=huge), [])

    def test_a_url_takes_numbers_of_any_size(self) -> None:
        """An offset passes over everything, and a seed is a seed."""
        for path in ("quotes?", "quotes/random?", "quotes/random?seed=1&"):
            for huge in HUGE:
                answer = self.server.get(f"/api/v2/{path}offset={huge}")
                self.assertEqual((answer.status, answer.json()["quotes"]), (200, []))
        for huge in HUGE:
            url = f"/api/v2/quotes/random?limit=3&seed=-{huge}"
            self.assertEqual(self.server.get(url).status, 200)
            self.assertEqual(self.server.get(url).body, self.server.get(url).body)

    def test_nesting_in_a_url_is_no_number(self) -> None:
        """However deep it is."""
        for name in ("limit", "offset", "regex"):
            answer = self.server.get(f"/api/v2/quotes?{name}={'[' * 3000}")
            self.assertEqual(answer.status, 400)

    def test_a_pattern_of_another_dialect_is_a_400(self) -> None:
        """grep would take it for another pattern, and find nothing or too much."""
        for term in (r"lo\d", "lov.*?e", "(?i)LOVE", r"[\d]"):
            question = {"action": "search", "term": term, "regex": True}
            for answer in (
                self.server.post_query(question),
                self.server.post_query({**question, "action": "random"}),
                self.server.get(
                    f"/api/v2/quotes?{urlencode({'term': term, 'regex': 'true'})}"
                ),
            ):
                self.assertEqual(answer.status, 400)
                self.assertIn("POSIX", answer.json()["message"])
        self.assertEqual(
            self.server.query_results(
                action="search", term=r"\blo[[:alpha:]]", regex=True
            ),
            ["one love", "two loves"],
        )
        self.assertEqual(
            self.server.query_results(action="search", term="(?i)LOVE"), []
        )

    def test_a_pattern_without_regex_is_told_of_in_the_log(self) -> None:
        """It is a fixed string, which is nowhere."""
        self.assertEqual(self.server.query_results(action="search", term="^one"), [])
        self.server.wait_for_log_line(
            r"\[.*#info\] Request \w+ found nothing with a term .* \^ at"
        )
        self.assertFalse([line for line in self.server.lines if "^one" in line])
