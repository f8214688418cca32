"""
Tests for L{twisted_quotes.web.api.v2.caching_responder}, through the routes of API v2.
"""

from __future__ import annotations

import struct
from typing import Any

from twisted.internet.defer import Deferred

from twisted_quotes.grep.arguments import GrepFailed

from ...clients import ClientResponse
from ..cases import index_missing
from .test_quotes import QUOTES, TWO_MATCHES, V2TestCase

# The URLs whose responses need no grep.
URLS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("quotes", {}),
    ("quotes", {"dictionary": ["quotes", "alpha"], "limit": 2}),
    ("quotes/random", {"seed": 1, "limit": 3}),
    ("dictionaries", {}),
)


class CachingResponderTests(V2TestCase):
    """Tests of responses of API v2 that the service caches."""

    def setUp(self) -> None:
        """Enable the cache."""
        super().setUp()
        self.web = self.make_web(cache_bytes=100_000)

    def count(self, result: str) -> float:
        """Return how many searches were hits, misses, or shared."""
        counts = {
            each.labels[0][1]: each.value
            for family in self.web.metrics.families()
            if family.name == "quotes_cache"
            for each in family.samples
            if each.name == "quotes_cache_total"
        }
        return counts[result]

    def search(self) -> Deferred[ClientResponse]:
        """Search for a term in one dictionary."""
        return self.request("quotes", dictionary="quotes", term="s")

    def test_an_equal_request_gets_the_cached_response(self) -> None:
        for number, (url, parameters) in enumerate(URLS, 1):
            first, again = (self.get_response(url, **parameters) for _ in range(2))
            self.assertEqual(first.code, 200)
            self.assertEqual(again.body, first.body)
            for name in ("etag", "cache-control", "vary", "content-type"):
                self.assertEqual(again.header(name), first.header(name))
            headers = {"If-None-Match": first.header("etag")}
            not_modified = self.get_response(url, headers=headers, **parameters)
            self.assertEqual((not_modified.code, not_modified.body), (304, b""))
            counts = self.count("miss"), self.count("hit")
            self.assertEqual(counts, (number, 2 * number))

    def test_an_offset_of_any_size_is_part_of_the_key(self) -> None:
        offsets = [10**30, 10**30 + 1]
        for offset in offsets * 2:
            page = self.get_response("quotes", offset=offset).json
            self.assertEqual((page["offset"], page["quotes"]), (offset, []))
        self.assertEqual((self.count("miss"), self.count("hit")), (2, 2))

    def test_equal_requests_share_one_search(self) -> None:
        pending = [self.search() for _ in range(3)]
        self.end_grep(TWO_MATCHES)
        self.end_grep(b"1:9:s\n2:21:s\n")
        responses = [self.successResultOf(each) for each in pending]
        self.assertEqual(responses[0].json["total"], 2)
        self.assertEqual({each.body for each in responses}, {responses[0].body})
        self.assertEqual(self.successResultOf(self.search()).body, responses[0].body)
        self.assertEqual((self.count("shared"), self.count("hit")), (2, 1))

    def test_a_permalink_is_cached(self) -> None:
        [quote, *_] = self.get_response("quotes", dictionary="quotes").json["quotes"]
        url = f"quotes/{quote['id']}"
        self.assertEqual(self.get_response(f"quotes/{'0' * 24}").code, 404)
        first = self.get_response(url)
        self.assertEqual(first.json["text"], QUOTES[0])
        self.assertEqual(self.successResultOf(self.request(url)).body, first.body)

    def test_a_changed_dictionary_is_searched_again(self) -> None:
        for url, parameters in URLS:
            first = self.get_response(url, **parameters)
            self.path.write_text(f"{self.path.read_text()}\n\nNew, for {first.body!r}")
            again = self.get_response(url, **parameters)
            self.assertNotEqual(again.header("etag"), first.header("etag"))
            self.assertNotEqual(again.body, first.body)

    def test_a_strfile_header_that_is_rewritten_in_place_is_noticed(self) -> None:
        header = self.folder / "quotes.dat"
        query = {"action": "all", "dictionary": "quotes", "unit": "quote"}
        bodies = set()
        for flags in (0, 4, 0):
            header.write_bytes(struct.pack(">5Ic3x", 2, 1, 9, 9, flags, b"%"))
            bodies.add(self.get_response("quotes", dictionary="quotes").body)
            bodies.add(self.successResultOf(self.web.post_query(**query)).body)
        self.assertEqual(len(bodies), 4)

    def test_an_incomplete_response_is_not_cached(self) -> None:
        for url, parameters in URLS[:1] + URLS[2:]:
            self.path.write_text(f"{self.path.read_text()}\n\nNew, for {url}")
            with index_missing(self.path):
                incomplete = self.get_response(url, **parameters)
            self.assertEqual(incomplete.header("cache-control"), "no-store")
            complete = self.get_response(url, **parameters)
            self.assertEqual(complete.header("cache-control"), "no-cache")
            self.assertNotEqual(complete.body, incomplete.body)

    def test_an_error_is_not_cached(self) -> None:
        pending = self.search()
        self.end_grep(status=2)
        self.assertEqual(self.successResultOf(pending).code, 500)
        self.assertEqual(len(self.flushLoggedErrors(GrepFailed)), 1)
        pending = self.search()
        self.end_grep(status=1)
        self.assertEqual(self.successResultOf(pending).code, 200)

    def test_random_quotes_without_a_seed_are_not_cached(self) -> None:
        self.path.write_text("\n\n".join(map(str, range(500))))
        bodies = {self.get_response("quotes/random").body for _ in range(5)}
        self.assertGreater(len(bodies), 1)

    def test_other_parameters_have_another_response(self) -> None:
        bodies = [
            self.get_response(url, **parameters).body
            for url, parameters in (
                *URLS,
                ("quotes", {"limit": 1}),
                ("quotes", {"offset": 1}),
                ("quotes", {"min_length": 12}),
                ("quotes", {"dictionary": "alpha"}),
                ("quotes/random", {"seed": 2, "limit": 3}),
            )
        ]
        self.assertEqual(len(set(bodies)), len(bodies))
