"""
Tests of API v2.
"""

from __future__ import annotations

import json
import os
from errno import EAGAIN
from typing import Any
from unittest.mock import patch
from urllib.parse import urlencode

from twisted.internet.defer import Deferred

from twisted_quotes.grep.arguments import GrepFailed
from twisted_quotes.quotes.quote import quote_id
from twisted_quotes.search import match_positions
from twisted_quotes.web.api.v2 import quotes

from ...clients import (
    HOST,
    ClientResponse,
    FakeSocket,
    captured_events,
    get_request,
    request_events,
)
from ..cases import SearchTestCase, index_missing

QUOTES = [
    "One, my love.\n-- A. Author, A Book",
    "Two caf\u00e9s",
    "Three loves.\n\u2014 B",
]
NDJSON = "application/x-ndjson"

# The output of grep.
TWO_MATCHES = b"2:Two caf\xc3\xa9s\n3:Three loves. \xe2\x80\x94 B\n"
UNMATCHED = b"grep: Unmatched (\n"


class V2TestCase(SearchTestCase):
    """Has a dictionary with three quotes besides the others."""

    def setUp(self) -> None:
        """Write the dictionary."""
        super().setUp()
        self.path = self.folder / "quotes"
        self.path.write_text("\n\n".join(QUOTES))

    def request(
        self, url: str, headers: dict[str, str] | None = None, **parameters: object
    ) -> Deferred[ClientResponse]:
        """Send a request."""
        query = f"?{urlencode(parameters, doseq=True)}" if parameters else ""
        return self.web.request("GET", f"/api/v2/{url}{query}", headers=headers)

    def get_response(self, url: str, **parameters: Any) -> ClientResponse:
        """Return a response that needs no grep."""
        return self.successResultOf(self.request(url, **parameters))

    def get_texts(self, url: str, **parameters: Any) -> list[str]:
        """Return the texts of the quotes in a response."""
        quotes = self.get_response(url, **parameters).json["quotes"]
        return [quote["text"] for quote in quotes]

    def parse(self, response: ClientResponse) -> list[Any]:
        """Return the lines of a stream."""
        self.assertEqual(response.code, 200)
        self.assertEqual(response.header("content-type"), NDJSON)
        return [json.loads(line) for line in response.body.splitlines()]


class QuotesTests(V2TestCase):
    """Tests of pages of quotes."""

    def test_a_page_of_all_quotes_is_read_from_the_index(self) -> None:
        """It has exactly these keys."""
        response = self.get_response("quotes", dictionary="quotes", limit=2)
        self.assertEqual((response.code, self.web.reactor.processes), (200, []))
        self.assertEqual(response.header("content-type"), "application/json")
        quotes = response.json["quotes"]
        self.assertEqual(
            {**response.json, "quotes": len(quotes)},
            {
                "total": 3,
                "offset": 0,
                "returned": 2,
                "truncated": True,
                "reason": "limit",
                "quotes": 2,
            },
        )
        self.assertEqual(
            quotes[0],
            {
                "id": quote_id(QUOTES[0]),
                "text": QUOTES[0],
                "quotation": "One, my love.",
                "attribution": "A. Author, A Book",
                "author": "A. Author",
                "work": "A Book",
                "dictionary": "quotes",
                "line_from": 1,
                "line_to": 2,
                "length": 13,
                "url": f"http://{HOST}/quotes/{quote_id(QUOTES[0])}",
                "matches": [],
            },
        )
        self.assertEqual((quotes[1]["author"], quotes[1]["line_from"]), (None, 4))

    def test_the_last_page_is_not_truncated(self) -> None:
        """Neither is a page after it."""
        for offset, returned in ((1, 2), (3, 0), (10**20, 0)):
            body = self.get_response("quotes", dictionary="quotes", offset=offset).json
            self.assertEqual((body["total"], body["returned"]), (3, returned))
            self.assertEqual((body["offset"], body["truncated"]), (offset, False))
            self.assertIsNone(body["reason"])

    def test_match_positions_are_in_code_points(self) -> None:
        """One grep finds the quotes, another one the positions."""
        pending = self.request("quotes", dictionary="quotes", term="s")
        quotes = self.finish(pending, TWO_MATCHES, b"1:9:s\n2:21:s\n").json["quotes"]
        self.assertEqual(quotes[0]["matches"], [{"start": 8, "end": 9}])
        self.assertEqual(quotes[1]["matches"], [{"start": 10, "end": 11}])

    def test_a_quote_with_too_many_matches_is_marked(self) -> None:
        pending = self.request("quotes", dictionary="quotes", term="s")
        with patch.object(match_positions, "MAX_SPANS", 1):
            response = self.finish(pending, TWO_MATCHES, b"1:9:s\n2:17:l\n2:21:s\n")
        few, many = response.json["quotes"]
        self.assertNotIn("matches_truncated", few)
        self.assertIs(many["matches_truncated"], True)
        self.assertEqual(many["matches"], [{"start": 6, "end": 7}])

    def test_all_matching_quotes_are_counted(self) -> None:
        """For that, grep starts again."""
        pending = self.request("quotes", dictionary="quotes", term="o", limit=1)
        self.assertIn("-m", self.web.running_processes()[0].arguments)
        self.end_grep(b"1:One, my love. -- A. Author\n")
        self.assertIn("-c", self.web.running_processes()[0].arguments)
        self.end_grep(b"3\n")
        body = self.successResultOf(pending).json
        self.assertEqual((body["total"], body["returned"]), (3, 1))
        self.assertEqual(body["reason"], "limit")

    def test_a_page_has_a_maximum_size(self) -> None:
        """It has at least one quote, and all are counted."""
        for size in (30, 5):
            self.patch(quotes, "MAX_PAGE_BYTES", size)
            body = self.get_response("quotes", dictionary="quotes").json
            self.assertEqual((body["returned"], body["reason"]), (1, "bytes"))
            self.assertEqual((body["total"], body["truncated"]), (3, True))

    def test_a_timeout_truncates_a_page(self) -> None:
        """The page is not cached."""
        pending = self.request("quotes", dictionary="quotes", term="o", limit=1)
        self.end_grep(b"1:One, my love. -- A. Author\n")
        with captured_events() as events:
            self.web.reactor.advance(10)
            self.web.flush_responses()
        self.assertEqual(events, [])
        response = self.successResultOf(pending)
        self.assertEqual((response.code, response.json["reason"]), (200, "timeout"))
        self.assertTrue(response.json["truncated"])
        self.assertEqual(response.header("cache-control"), "no-store")
        self.assertIsNone(response.header("etag"))

    def test_a_timeout_before_the_first_quote_is_a_504(self) -> None:
        pending = self.request("quotes", dictionary="quotes", term="o")
        self.web.reactor.advance(10)
        self.web.flush_responses()
        response = self.successResultOf(pending)
        self.assert_error(response, 504)
        self.assertIsNone(response.header("etag"))

    def test_tracking_parameters_are_ignored(self) -> None:
        for url in ("quotes", "quotes/random?seed=1", "dictionaries"):
            shared = f"{url}{'&' if '?' in url else '?'}fbclid=x&utm_source=a"
            plain, followed = self.get_response(url), self.get_response(shared)
            self.assertEqual((plain.code, followed.code), (200, 200), shared)
            self.assertEqual(plain.body, followed.body)
            self.assertEqual(plain.header("etag"), followed.header("etag"))

    def test_a_wrong_parameter_is_a_400_that_names_it(self) -> None:
        for url, parameters, words in (
            ("quotes", {"limit": 0}, '"limit"'),
            ("quotes", {"limt": 1}, '"limit"'),
            ("quotes", {"seed": 1}, '"seed"'),
            ("quotes", {"term": ""}, '"term"'),
            ("quotes/random", {"limit": 1001}, '"limit"'),
            (f"quotes/{'0' * 24}", {"term": "x"}, '"term"'),
            ("dictionaries", {"x": 1}, '"x"'),
        ):
            self.assert_error(self.get_response(url, **parameters), 400, words)

    def test_an_unknown_or_forbidden_dictionary_is_an_error(self) -> None:
        response = self.get_response("quotes", dictionary="none")
        self.assert_error(response, 404, '"none"', "GET /api/v2/dictionaries lists all")
        self.assertNotIn("action", response.message)
        self.assert_error(self.get_response("quotes", dictionary="../x"), 403)

    def test_a_file_that_is_not_text_is_a_404(self) -> None:
        """The message says how to list the dictionaries, as for an unknown one."""
        self.path.write_bytes(b"\0")
        response = self.get_response("quotes", dictionary="quotes")
        self.assert_error(
            response,
            404,
            '"quotes" is not a dict',
            "GET /api/v2/dictionaries lists all",
        )

    def test_every_dictionary_is_searched_by_default(self) -> None:
        for parameters, names in (
            ({}, ["alpha", *["quotes"] * 3, "sub/beta"]),
            ({"dictionary": "alpha"}, ["alpha"]),
            ({"dictionary": ["sub/beta", "alpha"]}, ["alpha", "sub/beta"]),
            ({"dictionary": ["alpha", "*"], "q": "in:sub/beta"}, ["sub/beta"]),
        ):
            quotes = self.get_response("quotes", **parameters).json["quotes"]
            self.assertEqual([each["dictionary"] for each in quotes], names)

    def test_the_term_is_not_logged(self) -> None:
        """It is not logged as a part of the URL, either."""
        with captured_events() as events:
            pending = self.request("quotes", dictionary="quotes", term="zanzibar")
            self.finish(pending, status=1)
        self.assertNotIn("zanzibar", str(events))


class OtherTests(V2TestCase):
    """Tests of the other URLs."""

    def test_a_quote_is_found_by_its_id(self) -> None:
        """No grep is needed for that."""
        response = self.get_response(f"quotes/{quote_id(QUOTES[2])}")
        self.assertEqual(self.web.reactor.processes, [])
        self.assertEqual(response.json["text"], QUOTES[2])
        self.assertEqual((response.json["line_from"], response.json["line_to"]), (6, 7))

    def test_an_unknown_quote_is_a_404(self) -> None:
        for identity in ("x", "0" * 23, "A" * 24, "%20", "0" * 25, "0" * 24):
            self.assert_error(
                self.get_response(f"quotes/{identity}"), 404, "/api/v2/quotes"
            )

    def test_the_quote_of_the_day_is_cacheable_until_midnight(self) -> None:
        """It is the same all day, and another one on other days."""
        texts = set()
        for day in range(100_000, 100_020):
            responses = []
            for seconds in (86400, 10.5):
                self.web = self.make_web(now=day * 86400 - seconds)
                responses.append(self.get_response("quotes/today", dictionary="quotes"))
            morning, evening = responses
            self.assertEqual(morning.header("cache-control"), "private, max-age=86400")
            self.assertEqual(evening.header("cache-control"), "private, max-age=10")
            self.assertEqual(evening.body, morning.body)
            self.assertEqual(evening.header("etag"), morning.header("etag"))
            texts.add(evening.json["text"])
        self.assertEqual(texts, {*QUOTES})

    def test_quotes_are_text_for_a_client_that_prefers_it(self) -> None:
        """They are separated by blank lines."""
        for url, parameters, text in (
            ("quotes", {"dictionary": "quotes"}, "\n\n".join(QUOTES)),
            (f"quotes/{quote_id(QUOTES[1])}", {}, QUOTES[1]),
            ("quotes/random", {"dictionary": "alpha"}, "All is love.\nLove is all."),
            ("quotes/today", {"dictionary": "alpha"}, "All is love.\nLove is all."),
        ):
            response = self.get_response(
                url, headers={"Accept": "text/plain"}, **parameters
            )
            self.assertEqual(
                response.header("content-type"), "text/plain; charset=utf-8"
            )
            self.assertEqual(response.body.decode(), f"{text}\n")
            self.assertNotEqual(
                response.header("etag"), self.get_response(url, **parameters).body
            )
        response = self.get_response(
            "quotes",
            headers={"Accept": "text/plain"},
            dictionary="quotes",
            max_length=1,
        )
        self.assertEqual((response.code, response.body), (200, b""))

    def test_text_has_no_control_characters(self) -> None:
        self.path.write_text("One\a and\ttwo\x9b.")
        headers = {"Accept": "text/plain"}
        response = self.get_response("quotes", headers=headers, dictionary="quotes")
        self.assertEqual(response.body, b"One and\ttwo.\n")

    def test_a_page_links_to_the_next_one(self) -> None:
        """The last page does not."""
        url = "quotes?offset=0&limit=1&dictionary=quotes&x".removesuffix("&x")
        for offset in (1, 2):
            response = self.get_response(url)
            target = f"api/v2/quotes?limit=1&dictionary=quotes&offset={offset}"
            self.assertEqual(
                response.header("link"), f'<http://{HOST}/{target}>; rel="next"'
            )
            url = target.removeprefix("api/v2/")
        self.assertIsNone(self.get_response(url).header("link"))

    def test_random_quotes(self) -> None:
        """One by default, the same ones for the same seed, and no two equal."""
        body = self.get_response("quotes/random", dictionary="quotes").json
        self.assertEqual((body["total"], body["returned"]), (3, 1))
        self.assertEqual((body["truncated"], body["reason"]), (False, None))
        self.assertIn(body["quotes"][0]["text"], QUOTES)
        seeded = {"dictionary": "quotes", "seed": 4, "limit": 3}
        first, again = (self.get_texts("quotes/random", **seeded) for _ in range(2))
        self.assertEqual(sorted(first), sorted(QUOTES))
        self.assertEqual(again, first)


class CacheTests(V2TestCase):
    """Tests of responses that clients cache."""

    urls: tuple[tuple[str, dict[str, Any]], ...] = (
        ("quotes", {"dictionary": "quotes"}),
        ("quotes/random", {"dictionary": "quotes", "seed": 1}),
        ("dictionaries", {}),
    )

    def test_an_unchanged_response_is_a_304(self) -> None:
        """It has the headers of the 200 (RFC 9110, section 15.4.5)."""
        stream = "quotes", {"headers": {"Accept": NDJSON}}, "no-store"
        for url, parameters, cache_control in (
            *((*url, "no-cache") for url in self.urls),
            stream,
        ):
            first = self.get_response(url, **parameters)
            self.assertEqual(first.header("cache-control"), cache_control)
            headers = {"If-None-Match": first.header("etag")}
            headers.update(parameters.get("headers", {}))
            again = self.get_response(url, **{**parameters, "headers": headers})
            self.assertEqual((again.code, again.body), (304, b""))
            for name in ("etag", "cache-control", "vary"):
                self.assertIsNotNone(first.header(name))
                self.assertEqual(first.header(name), again.header(name), url)

    def test_if_none_match_any_is_a_304(self) -> None:
        for url, headers in (
            ("quotes", {}),
            ("quotes", {"Accept": NDJSON}),
            ("quotes/random", {}),
            ("quotes/random?seed=1", {}),
            ("dictionaries", {}),
        ):
            response = self.get_response(url, headers={**headers, "If-None-Match": "*"})
            self.assertEqual((response.code, response.body), (304, b""), url)

    def test_an_error_is_not_a_304(self) -> None:
        """RFC 9110, section 13.2.1."""
        for accept in ("*/*", NDJSON):
            headers = {"If-None-Match": "*", "Accept": accept}
            pending = self.request("quotes", headers, term="(", regex="true")
            response = self.finish(pending, status=2, errors=UNMATCHED)
            self.assert_error(response, 400, "Unmatched (")
            self.assertIsNone(response.header("etag"))
        response = self.get_response("quotes/x", headers={"If-None-Match": "*"})
        self.assert_error(response, 404)

    def test_a_changed_dictionary_with_the_old_size_and_time_is_a_200(self) -> None:
        """As tar leaves it, with the inode of the old file."""
        status = self.path.stat()
        for url, parameters in self.urls:
            tag = self.get_response(url, **parameters).header("etag")
            self.change_and_put_back(status)
            again = self.get_response(url, headers={"If-None-Match": tag}, **parameters)
            self.assertEqual(again.code, 200)
            self.assertNotEqual(again.header("etag"), tag)
        texts = self.get_texts("quotes", dictionary="quotes")
        self.assertEqual("\n\n".join(texts), self.path.read_text())

    def change_and_put_back(self, status: os.stat_result) -> None:
        """Change only the text, and the ctime."""
        before = self.path.stat().st_ctime_ns
        self.path.write_text(self.path.read_text().swapcase())
        while self.path.stat().st_ctime_ns == before:
            os.utime(self.path, ns=(status.st_atime_ns, status.st_mtime_ns))
        os.utime(self.path, ns=(status.st_atime_ns, status.st_mtime_ns))

    def test_an_incomplete_response_is_not_cached(self) -> None:
        urls: tuple[tuple[str, dict[str, Any]], ...] = (
            ("quotes", {"dictionary": "*"}),
            ("quotes/random", {"dictionary": "*", "seed": 1}),
            ("dictionaries", {}),
        )
        with index_missing(self.path):
            responses = [
                self.get_response(url, **parameters) for url, parameters in urls
            ]
            one = self.get_response("quotes", dictionary="quotes")
        for response in responses:
            self.assertEqual(response.code, 200)
            self.assertIsNone(response.header("etag"))
            self.assertEqual(response.header("cache-control"), "no-store")
        self.assertEqual(one.code, 503)
        self.assertEqual(one.header("retry-after"), "1")

    def test_different_queries_have_different_entity_tags(self) -> None:
        tags = {
            self.get_response("quotes", **parameters).header("etag")
            for parameters in (
                {},
                {"limit": 1},
                {"offset": 1},
                {"dictionary": "quotes"},
                {"headers": {"Accept": NDJSON}},
            )
        }
        self.assertEqual(len(tags), 5)

    def test_random_quotes_without_a_seed_are_not_cached(self) -> None:
        response = self.get_response("quotes/random", dictionary="quotes")
        self.assertEqual(response.header("cache-control"), "no-store")
        self.assertIsNone(response.header("etag"))


class StreamTests(V2TestCase):
    """Tests of streams, without connections."""

    def request_stream(self, **parameters: object) -> Deferred[ClientResponse]:
        """Request a stream of quotes."""
        return self.request(
            "quotes", {"Accept": NDJSON}, dictionary="quotes", **parameters
        )

    def write_many_quotes(self) -> bytes:
        """Write 1001 quotes; return the output of grep for all but the last one."""
        self.path.write_text("\n\n".join(f"o {n}" for n in range(1001)))
        return b"".join(b"%d:o %d\n" % (n + 1, n) for n in range(1000))

    def test_a_stream_has_a_line_for_each_quote_and_a_summary(self) -> None:
        for parameters, returned, reason in (({}, 3, None), ({"limit": 1}, 1, "limit")):
            pending = self.request_stream(**parameters)
            *quotes, summary = self.parse(self.successResultOf(pending))
            self.assertEqual([each["text"] for each in quotes], QUOTES[:returned])
            truncated = reason is not None
            expected = {"total": 3, "returned": returned, "truncated": truncated}
            self.assertEqual(summary, {**expected, "reason": reason})

    def test_a_stream_without_quotes_has_a_summary(self) -> None:
        pending = self.request_stream(term="zanzibar")
        self.assertEqual(
            self.parse(self.finish(pending, status=1)),
            [{"total": 0, "returned": 0, "truncated": False, "reason": None}],
        )

    def test_the_client_chooses_between_a_page_and_a_stream(self) -> None:
        for accept, kind in (
            (NDJSON, NDJSON),
            (f"text/html, {NDJSON};q=0.9, application/json;q=0.8", NDJSON),
            (f"{NDJSON};q=0.5, application/json", "application/json"),
            ("*/*", "application/json"),
            ("text/html", "application/json"),
            (f"{NDJSON};charset=utf-8", NDJSON),
            ("", "application/json"),
            (";;;,", "application/json"),
        ):
            response = self.get_response("quotes", headers={"Accept": accept})
            self.assertEqual(response.header("content-type"), kind, accept)

    def test_an_error_before_the_first_quote_has_its_own_status(self) -> None:
        pending = self.request_stream(term="(", regex="true")
        response = self.finish(pending, status=2, errors=UNMATCHED)
        self.assert_error(response, 400, "Unmatched (")
        self.assertIsNone(response.header("etag"))

    def test_an_error_after_the_first_quote_is_in_the_summary(self) -> None:
        found = self.write_many_quotes()
        for reason in ("timeout", "error"):
            pending = self.request_stream(term="o")
            self.end_grep(found)
            if reason == "timeout":
                self.web.reactor.advance(10)
            else:
                self.end_grep(status=2)
                self.assertEqual(len(self.flushLoggedErrors(GrepFailed)), 1)
            self.web.flush_responses()
            *quotes, summary = self.parse(self.successResultOf(pending))
            self.assertEqual(len(quotes), 1000)
            self.assertEqual(
                summary,
                {"total": 1000, "returned": 1000, "truncated": True, "reason": reason},
            )
            self.web.end_processes()

    def test_a_file_that_changes_does_not_change_the_stream(self) -> None:
        found = self.write_many_quotes()
        pending = self.request_stream(term="o")
        self.end_grep(found)
        self.path.write_text("new")
        self.end_grep(b"1:o 1000\n")
        *quotes, summary = self.parse(self.successResultOf(pending))
        self.assertEqual(quotes[-1]["text"], "o 1000")
        self.assertEqual((summary["total"], summary["returned"]), (1001, 1001))
        self.assertFalse(summary["truncated"])

    def test_a_pack_that_is_damaged_ends_the_stream(self) -> None:
        found = self.write_many_quotes()
        pending = self.request_stream(term="o")
        self.end_grep(found)
        [lines] = (self.folder.parent / "cache").glob("*/lines")
        lines.write_bytes(b"")
        self.end_grep(b"1:o 1000\n")
        *quotes, summary = self.parse(self.successResultOf(pending))
        self.assertEqual((len(quotes), summary["reason"]), (1000, "changed"))
        self.assertEqual((summary["total"], summary["returned"]), (1001, 1000))


class FlowControlTests(V2TestCase):
    """Tests of streams to clients that read slowly or disconnect."""

    def setUp(self) -> None:
        """Write a dictionary that is larger than the buffer of a connection."""
        super().setUp()
        self.path.write_text("\n\n".join(f"{n} o{'x' * 400}" for n in range(3000)))
        self.client = self.web.connect()
        self.client.stalled = True

    def send_request(self, query: str = "", client: FakeSocket | None = None) -> None:
        """Request the stream."""
        (client or self.client).send(
            get_request(
                f"/api/v2/quotes?dictionary=quotes{query}",
                headers=f"Accept: {NDJSON}\r\n",
            )
        )

    def find_quotes(self) -> None:
        """Let grep find a thousand quotes."""
        line = b"%d:%d o" + b"x" * 400 + b"\n"
        self.end_grep(b"".join(line % (n + 1, n) for n in range(1000)))

    def test_nothing_runs_while_the_client_does_not_read(self) -> None:
        """Neither a grep nor a slot is kept for it."""
        self.send_request("&term=o")
        self.find_quotes()
        self.assertEqual(self.web.running_processes(), [])
        self.assertLess(self.client.buffered, 1024 * 1024)
        for _ in range(2):
            self.web.post_query(action="search", term="love")
        self.assertEqual(len(self.web.running_processes()), 2)

    def test_a_stream_goes_on_when_the_client_reads(self) -> None:
        self.send_request()
        self.assertLess(self.client.buffered, 1024 * 1024)
        self.client.stalled = False
        self.client.deliver()
        *quotes, summary = self.parse(*self.client.responses())
        self.assertEqual([int(q["text"].split()[0]) for q in quotes], list(range(3000)))
        self.assertEqual(summary["total"], 3000)

    def test_an_error_after_the_start_is_logged_like_any_other(self) -> None:
        """A lack of processes is no failure of the service, and has no traceback."""
        self.send_request("&term=o")
        self.find_quotes()
        self.web.reactor.spawn_error = BlockingIOError(EAGAIN, "try again")
        self.client.stalled = False
        with captured_events() as events:
            self.client.deliver()
        *_, summary = self.parse(*self.client.responses())
        self.assertEqual(summary["reason"], "error")
        [event] = request_events(events)
        self.assertEqual((event["code"], event["error"]), (200, "ServiceNotReady"))
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_a_disconnect_kills_the_grep(self) -> None:
        """Or prevents the next one."""
        self.send_request("&term=o")
        [process] = self.web.running_processes()
        self.client.disconnect()
        self.assertEqual(process.signals, ["KILL"])
        process.end(signal=9)
        client = self.web.connect()
        client.stalled = True
        self.send_request("&term=o", client)
        self.find_quotes()
        client.disconnect()
        self.assertEqual(self.web.running_processes(), [])
        self.assertEqual(len(self.web.outstanding), 0)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_the_summary_counts_the_lines_before_it(self) -> None:
        """Whether the client has read them or not."""
        self.send_request("&term=o")
        self.find_quotes()
        self.assertGreater(self.client.buffered, 0)
        self.web.outstanding.cancel()
        self.client.stalled = False
        self.client.deliver()
        *quotes, summary = self.parse(*self.client.responses())
        self.assertGreater(len(quotes), 0)
        self.assertEqual(summary["returned"], len(quotes))
        self.assertEqual(summary["reason"], "shutdown")

    def test_a_disconnect_before_the_start_is_not_an_error(self) -> None:
        os.utime(self.path)
        self.web = self.make_web(now=self.path.stat().st_mtime)
        self.client = self.web.connect()
        self.client.stalled = True
        self.send_request()
        self.web.reactor.pump([0.02] * 10)
        self.assertGreater(self.client.buffered, 0)
        self.client.disconnect()
        self.assertEqual(self.flushLoggedErrors(), [])
        self.assertEqual(len(self.web.outstanding), 0)

    def test_a_shutdown_is_in_the_summary(self) -> None:
        self.client.stalled = False
        self.send_request("&term=o")
        self.find_quotes()
        self.client.deliver()
        [process] = self.web.running_processes()
        self.web.outstanding.cancel()
        process.end(signal=9)
        self.client.deliver()
        *quotes, summary = self.parse(*self.client.responses())
        self.assertEqual(summary["returned"], len(quotes))
        self.assertEqual((summary["truncated"], summary["reason"]), (True, "shutdown"))

    def request_head(self, query: str) -> Deferred[ClientResponse]:
        """Request the head of the stream."""
        return self.web.request(
            "HEAD",
            f"/api/v2/quotes?dictionary=quotes{query}",
            headers={"Accept": NDJSON},
        )

    def test_a_head_request_finds_one_quote(self) -> None:
        pending = self.request_head("&term=o")
        [process] = self.web.running_processes()
        self.assertIn("-m", process.arguments)
        response = self.finish(pending, b"1:0 o\n")
        self.assertEqual(response.code, 200)
        self.assertEqual(response.header("content-type"), NDJSON)
        self.assertIsNotNone(response.header("etag"))
        self.assertEqual(self.web.running_processes(), [])
        self.assertEqual(len(self.web.outstanding), 0)

    def test_a_head_request_that_finds_nothing_is_a_200(self) -> None:
        pending = self.request_head("&term=zanzibar")
        self.assertEqual(self.finish(pending, status=1).code, 200)

    def test_a_head_request_has_the_status_of_its_stream(self) -> None:
        pending = self.request_head("&term=(&regex=true")
        response = self.finish(pending, status=2, errors=UNMATCHED)
        self.assertEqual(response.code, 400)
        self.assertEqual(response.header("content-type"), "application/json")
        self.assertIsNone(response.header("etag"))
        pending = self.request_head("&term=o")
        self.web.reactor.advance(10)
        self.web.flush_responses()
        self.assertEqual(self.successResultOf(pending).code, 504)
