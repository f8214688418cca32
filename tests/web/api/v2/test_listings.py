"""
Tests for L{twisted_quotes.web.api.v2.listings}.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

from twisted_quotes.concurrency.scheduler import TIME_SLICE
from twisted_quotes.search.lookups.quotes import DictionaryInfo
from twisted_quotes.web.api.v2.schemas import DictionaryBody, dictionary_body

from .test_quotes import V2TestCase


class DictionariesTests(V2TestCase):
    """Tests of the list of dictionaries."""

    def test_dictionaries(self) -> None:
        body = self.get_response("dictionaries").json
        self.assertEqual(
            [
                (each["name"], each["default"], each["quotes"])
                for each in body["dictionaries"]
            ],
            [("alpha", True, 1), ("quotes", False, 3), ("sub/beta", False, 1)],
        )
        status = self.path.stat()
        about = body["dictionaries"][1]
        names = ["name", "default", "bytes", "quotes", "modified"]
        self.assertEqual(list(about), [*names, "encoding", "format", "warnings"])
        self.assertEqual((about["format"], about["warnings"]), ("blank-line", []))
        self.assertEqual(about["bytes"], status.st_size)
        modified = datetime.fromisoformat(about["modified"])
        since = modified - datetime(1970, 1, 1, tzinfo=UTC)
        microseconds = status.st_mtime_ns // 1000
        self.assertEqual(since, timedelta(microseconds=microseconds))

    def test_the_reactor_runs_while_dictionaries_are_described(self) -> None:
        """There may be thousands. The response is the same."""
        expected = self.get_response("dictionaries").body
        self.web = self.make_web()
        order: list[str] = []

        def describe(info: DictionaryInfo, default: str) -> DictionaryBody:
            order.append(info.packed.name)
            self.web.reactor.rightNow += TIME_SLICE
            self.web.reactor.callLater(0, order.append, "reactor")
            return dictionary_body(info, default)

        with patch("twisted_quotes.web.api.v2.listings.dictionary_body", describe):
            pending = self.request("dictionaries")
            self.assertNoResult(pending)
            self.web.reactor.advance(0)
        self.web.flush_responses()
        self.assertEqual(self.successResultOf(pending).body, expected)
        names = ["alpha", "quotes", "sub/beta"]
        self.assertEqual(order[:6:2], names)
        self.assertEqual(order[1:6:2], ["reactor"] * 3)

    def test_dictionaries_have_their_formats_and_warnings(self) -> None:
        self.path.write_bytes(b"One.\nTwo. - Ann\nThr\xe9\xe9.")
        about = self.get_response("dictionaries").json["dictionaries"][1]
        self.assertEqual(about["format"], "one-per-line")
        self.assertEqual(about["warnings"], ["2 places are not UTF-8"])

    def test_a_time_outside_the_calendar_is_shown_as_the_nearest_date(self) -> None:
        real = os.fstat
        for time, year in ((10**21, 9999), (-(10**21), 1)):

            def fstat(file: int, time: int = time) -> os.stat_result:
                status = real(file)
                times = {"st_mtime_ns": time, "st_ctime_ns": status.st_ctime_ns}
                return os.stat_result(status[:10], times)

            # A file in another state.
            self.path.write_text(f"{year}")
            with patch("os.fstat", fstat):
                response = self.get_response("dictionaries")
            self.assertEqual(response.code, 200)
            modified = datetime.fromisoformat(
                response.json["dictionaries"][1]["modified"]
            )
            self.assertEqual(modified.year, year)


class AuthorsTests(V2TestCase):
    """Tests of the list of authors."""

    def test_authors_come_in_the_order_of_their_names(self) -> None:
        """The response has exactly these keys."""
        self.assertEqual(
            self.get_response("authors").json,
            {
                "total": 2,
                "offset": 0,
                "returned": 2,
                "truncated": False,
                "reason": None,
                "authors": [
                    {"author": "A. Author", "quotes": 1},
                    {"author": "B", "quotes": 1},
                ],
            },
        )

    def test_a_page_of_authors_links_to_the_next_one(self) -> None:
        response = self.get_response("authors", limit=1)
        body = response.json
        self.assertEqual((body["total"], body["returned"]), (2, 1))
        self.assertEqual((body["truncated"], body["reason"]), (True, "limit"))
        self.assertIn("authors?limit=1&offset=1>", response.header("link") or "")
        response = self.get_response("authors", limit=1, offset=1)
        self.assertEqual(response.json["authors"], [{"author": "B", "quotes": 1}])
        self.assertIsNone(response.header("link"))
        response = self.get_response("authors", offset=10**20)
        self.assertEqual(response.json["authors"], [])

    def test_dictionaries_may_be_named(self) -> None:
        self.assertEqual(
            self.get_response("authors", dictionary="alpha").json["total"], 0
        )
        self.assert_error(
            self.get_response("authors", dictionary="none"), 404, '"none"'
        )


class SuggestionsTests(V2TestCase):
    """Tests of suggestions."""

    def test_similar_words_are_suggested(self) -> None:
        """One grep looks for the word, and another one for similar words."""
        pending = self.request("suggestions", dictionary="quotes", q="lov")
        body = self.finish(pending, b"", b"love\nLove\nloves\n").json
        self.assertEqual(
            body, {"suggestions": [{"word": "lov", "nearest": ["love", "loves"]}]}
        )

    def test_a_word_that_occurs_needs_no_suggestion(self) -> None:
        pending = self.request("suggestions", dictionary="quotes", q="love")
        self.assertEqual(
            self.finish(pending, b"1:One, my love.\n").json, {"suggestions": []}
        )

    def test_a_search_is_required(self) -> None:
        self.assert_error(self.get_response("suggestions"), 400, '"q"')
