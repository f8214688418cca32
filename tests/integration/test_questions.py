"""
Unusual questions, put to the real process.
"""

from __future__ import annotations

from typing import Any

from .cases import LibraryTestCase
from .server import Server

HUGE = (2**63 - 1, 2**63, 2**64, 2**70, 10**300)


class QuestionTests(LibraryTestCase):
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
        asked = [{**each, "dictionary": name} for each in actions for name in "a*"]
        asked.append({"action": "list"})
        for question in asked:
            every = self.server.results(**{"nresults": 0, **question})
            for huge in HUGE:
                question["nresults"] = huge
                self.assertEqual(self.server.results(**question), every)
                self.assertEqual(self.server.results(**question, offset=1), every[1:])
                self.assertEqual(self.server.results(**question, offset=huge), [])

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
