"""
Tests of API v1.
"""

from __future__ import annotations

import json
import os
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, capturedLogs, formatEvent

from twisted_quotes.grep.arguments import GrepFailed
from twisted_quotes.search import line_search, quote_search, results

from ..clients import ClientResponse, WebTestCase, captured_events, query_request
from .cases import SearchTestCase, index_missing


class EncodingTests(WebTestCase):
    """Tests of the Content-Encoding of requests."""

    def list_dictionaries(self, *encodings: str) -> ClientResponse:
        headers = "".join(f"Content-Encoding: {each}\r\n" for each in encodings)
        return self.exchange(query_request({"action": "list"}, headers=headers))

    def test_a_compressed_body_is_a_415(self) -> None:
        for encodings in (("gzip",), ("x",), ("identity, br",), ("identity", "gzip")):
            response = self.list_dictionaries(*encodings)
            self.assert_error(response, 415, "Content-Encoding")
            self.assertEqual(response.header("accept-encoding"), "identity")

    def test_the_identity_encoding_is_supported(self) -> None:
        for encodings in ((), ("identity",), ("Identity",), ("",)):
            self.assertEqual(self.list_dictionaries(*encodings).code, 200)


class ResponseTests(SearchTestCase):
    """Tests of responses with entries."""

    def test_the_lines_that_grep_finds_are_returned(self) -> None:
        pending = self.web.post_query(action="search", term="love")
        response = self.finish(pending, b"All is love.\n")
        self.assertEqual(response.code, 200)
        self.assertEqual(response.header("content-type"), "application/json")
        self.assertEqual(
            response.json, {"nr of entries": 1, "results": ["All is love."]}
        )
        self.assertEqual(list(response.json), ["nr of entries", "results"])

    def test_finding_nothing_is_a_success(self) -> None:
        pending = self.web.post_query(action="search", term="hate")
        response = self.finish(pending, status=1)
        self.assertEqual(response.code, 200)
        self.assertEqual(response.json, {"nr of entries": 0, "results": []})

    def test_a_term_that_looks_like_a_regex_is_logged_once(self) -> None:
        """The message has the id of the request, but not the term."""
        with captured_events() as events:
            for term in ("hate", "^-- Nobody", "nothing.*"):
                pending = self.web.post_query(action="search", term=term)
                self.finish(pending, status=1)
        [event] = [each for each in events if "sign" in each]
        message = formatEvent(event)
        self.assertIn('a term that has ^ at its start: without "regex"', message)
        self.assertNotIn("Nobody", message)
        self.assertIn(f"Request {event['id']} ", message)
        self.assertEqual(event["log_level"], LogLevel.info)

    def test_a_term_that_matches_or_is_a_regex_is_not_logged(self) -> None:
        """Neither is one whose matches may be before the offset."""
        with captured_events() as events:
            pending = self.web.post_query(action="search", term="[love]")
            self.finish(pending, b"[love]\n")
            pending = self.web.post_query(action="search", term="^[a]$", offset=1)
            self.finish(pending, status=1)
            pending = self.web.post_query(action="search", term="^[a]$", regex=True)
            # The first grep checks whether the text needs normalization.
            self.finish(pending, b"", b"", status=1)
        self.assertEqual([each for each in events if "sign" in each], [])

    def test_all_lines_of_a_dictionary_are_returned(self) -> None:
        pending = self.web.post_query(action="all", dictionary="alpha")
        text = (self.folder / "alpha").read_bytes()
        response = self.finish(pending, text)
        self.assertEqual("\n".join(response.json["results"]) + "\n", text.decode())
        self.assertEqual(response.json["nr of entries"], 2)

    def test_each_match_has_its_own_context(self) -> None:
        pending = self.web.post_query(action="search", term="love", n_after=1)
        response = self.finish(pending, b"1:love\n2:more love\n3-hate\n")
        self.assertEqual(
            response.json["results"], ["love\nmore love", "more love\nhate"]
        )

    def test_the_content_length_of_non_ascii_text_is_in_bytes(self) -> None:
        pending = self.web.post_query(action="search", term="É", ignore_case=True)
        response = self.finish(pending, "École - élan\n".encode())
        self.assertEqual(response.json["results"], ["École - élan"])
        self.assertEqual(response.header("content-length"), str(len(response.body)))

    def test_any_content_type_is_accepted(self) -> None:
        for content_type in (
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "text/plain",
            "application/json",
        ):
            client = self.web.connect()
            client.send(query_request(headers=f"Content-Type: {content_type}\r\n"))
            [process] = self.web.running_processes()
            process.end(1)
            client.deliver()
            self.assertEqual([each.code for each in client.responses()], [200])

    def test_the_named_dictionary_is_searched(self) -> None:
        pending = self.web.post_query(action="all", dictionary="sub/beta")
        self.assertEqual(self.finish(pending, b"Beta.\n").json["results"], ["Beta."])


class ErrorTests(SearchTestCase):
    """Tests of errors of the client, and of limits."""

    def post_body(self, body: bytes) -> ClientResponse:
        pending = self.web.request("POST", "/api/v1/json", body)
        self.assertEqual(self.web.reactor.processes, [])
        return self.successResultOf(pending)

    def test_a_body_that_is_not_one_json_object_is_a_400(self) -> None:
        for body, words in (
            (b"", "not JSON"),
            (b'{"action": "\xff"}', "not JSON"),
            (b"[" * 5000, "not JSON"),
            (b"[]", "an array"),
        ):
            self.assert_error(self.post_body(body), 400, words, "one JSON object")

    def test_a_wrong_field_is_a_400_that_names_it(self) -> None:
        for fields, *words in (
            ({"term": "x"}, '"action"', "missing"),
            ({"action": "search"}, '"term"', "missing"),
            ({"action": "search", "term": "x", "nresult": 1}, '"nresults"'),
            ({"action": "all", "dictionary": ""}, '"dictionary"'),
        ):
            self.assert_error(self.post_body(json.dumps(fields).encode()), 400, *words)

    def test_an_invalid_regular_expression_is_a_400(self) -> None:
        """The message has the reason that grep gives, but not the name of grep."""
        pending = self.web.post_query(action="search", term="(", regex=True)
        # The first grep checks whether the text needs normalization.
        self.end_grep(status=1)
        error = b"grep: Unmatched ( or \\(\n"
        response = self.finish(pending, status=2, errors=error)
        self.assert_error(response, 400, '"term"', "Unmatched ( or \\(")
        self.assertNotIn("grep", response.message)

    def test_a_dictionary_outside_the_library_is_a_403(self) -> None:
        """The message does not have the path of the library."""
        (self.folder / ".hidden").write_text("x")
        (self.folder / "link").symlink_to("/etc/hostname")
        for name in ("../x", "/etc/hostname", ".hidden", "link", "sub", "a//b"):
            response = self.successResultOf(
                self.web.post_query(action="all", dictionary=name)
            )
            self.assert_error(response, 403, "may not be read")
            self.assertNotIn(str(self.folder.absolute()), response.message)

    def test_an_unknown_dictionary_is_a_404(self) -> None:
        """The message names the existing dictionaries."""
        response = self.successResultOf(
            self.web.post_query(action="all", dictionary="x")
        )
        self.assert_error(response, 404, '"x"', '"alpha"', '"sub/beta"', '"list"')

    def test_an_unknown_action_is_a_501(self) -> None:
        response = self.post_body(b'{"action": "serch", "term": "x"}')
        self.assert_error(response, 501, '"serch"', '"search"')

    def test_a_full_queue_is_a_503(self) -> None:
        self.web = self.make_web(running=1, waiting=1)
        running, waiting, refused = (
            self.web.post_query(action="all") for _ in range(3)
        )
        self.assertNoResult(running)
        self.assertNoResult(waiting)
        response = self.successResultOf(refused)
        self.assert_error(response, 503, "Too many")
        self.assertEqual(response.header("retry-after"), "1")

    def test_a_waiting_search_gets_the_next_slot(self) -> None:
        self.web = self.make_web(running=1)
        first, second = (self.web.post_query(action="all") for _ in range(2))
        for pending in (first, second):
            self.assertEqual(self.finish(pending).code, 200)

    def test_a_timeout_is_a_504(self) -> None:
        """The grep is killed."""
        self.web = self.make_web(time_limit=2.5)
        pending = self.web.post_query(action="all")
        [process] = self.web.running_processes()
        self.web.reactor.advance(2.4)
        self.web.flush_responses()
        self.assertNoResult(pending)
        self.assertEqual(process.signals, [])
        self.web.reactor.advance(0.2)
        self.web.flush_responses()
        self.assert_error(self.successResultOf(pending), 504, "2.5 seconds")
        self.assertEqual(process.signals, ["KILL"])

    def test_a_killed_grep_holds_its_slot_until_it_ends(self) -> None:
        self.web = self.make_web(running=1, time_limit=1)
        pending = self.web.post_query(action="all")
        [dying] = self.web.running_processes()
        self.web.reactor.advance(1)
        self.web.flush_responses()
        self.successResultOf(pending)
        next_one = self.web.post_query(action="all")
        self.assertEqual(self.web.running_processes(), [dying])
        dying.end(signal=9)
        self.assertEqual(self.finish(next_one).code, 200)


class IncidentTests(SearchTestCase):
    """Tests of errors of the service."""

    def assert_incident(self, response: ClientResponse, kind: type[Exception]) -> None:
        """Check that a response is a 500 without details, which the log has."""
        self.assert_error(response, 500)
        [failure] = self.flushLoggedErrors(kind)
        message = response.message.removesuffix("/api/v1/web")
        for detail in ("grep", "LC_ALL", "Traceback", kind.__name__, "love"):
            self.assertNotIn(detail, message)
        self.assertNotIn(str(self.folder.absolute()), message)
        self.assertIn(kind.__name__, failure.getTraceback())

    def test_a_missing_grep_is_a_500(self) -> None:
        self.web.reactor.spawn_error = FileNotFoundError(2, "No such file", "/grep")
        with captured_events() as events:
            pending = self.web.post_query(action="search", term="love")
        response = self.successResultOf(pending)
        self.assert_incident(response, FileNotFoundError)
        [event] = [each for each in events if "log_failure" in each]
        self.assertIn(event["id"], response.message)

    def test_a_grep_that_fails_is_a_500(self) -> None:
        error = b"grep: (standard input): Input/output error\n"
        endings: tuple[dict[str, Any], ...] = (
            {"signal": 9},
            {"status": 2, "errors": error},
        )
        for ending in endings:
            pending = self.web.post_query(action="search", term="love")
            response = self.finish(pending, b"love\n", **ending)
            self.assert_incident(response, GrepFailed)

    def test_a_slot_is_released_when_grep_cannot_start(self) -> None:
        self.web = self.make_web(running=1)
        self.web.reactor.spawn_error = BlockingIOError(11, "try again")
        for _ in range(3):
            response = self.successResultOf(self.web.post_query(action="all"))
            self.assert_error(response, 503)
            self.assertIn("any more processes", response.message)
        self.web.reactor.spawn_error = None
        pending = self.web.post_query(action="all")
        self.assertEqual(self.finish(pending).code, 200)


class LogTests(WebTestCase):
    """Tests of terms in the log."""

    term = "zanzibar"

    def test_a_term_is_only_logged_at_debug(self) -> None:
        with capturedLogs() as events:
            for dictionary in ("alpha", "none"):
                query = {"action": "search", "term": self.term}
                self.web.connect().send(
                    query_request({**query, "dictionary": dictionary})
                )
                self.web.end_processes()
        levels = [each["log_level"] for each in events if self.term in str(each)]
        self.assertEqual(levels, [LogLevel.debug] * 2)

    def test_the_term_of_a_wrong_query_is_not_logged(self) -> None:
        for fields in (
            {"action": "search", "term": f"{self.term}\n"},
            {"action": "search", "term": self.term, "unknown": 1},
            {"action": "search", "term": self.term, "n_after": -1},
            {"action": "search", "term": [self.term]},
            {"action": "search", "term": {self.term: 1}},
            {"action": "search", "term": self.term * 1000},
            {"action": "all", "term": self.term},
            {"action": "find", "term": self.term},
            {"action": "search", "term": self.term, "dictionary": "none"},
        ):
            with captured_events() as events:
                client = self.web.connect()
                client.send(query_request(fields))
            self.assertGreaterEqual(client.responses()[0].code, 400)
            self.assertTrue(events)
            self.assertNotIn(self.term, str(events))


class CacheTests(SearchTestCase):
    """Tests of cached and coalesced responses."""

    def setUp(self) -> None:
        """Enable the cache."""
        super().setUp()
        self.web = self.make_web(cache_bytes=100_000)

    def search(self, **fields: object) -> Deferred[ClientResponse]:
        """Search the default dictionary."""
        return self.web.post_query(**{"action": "search", "term": "love", **fields})

    def results(self, output: bytes, **fields: object) -> list[str]:
        """Search with one grep, and return the entries."""
        entries: list[str] = self.finish(self.search(**fields), output).json["results"]
        return entries

    def write_large_dictionary(self) -> bytes:
        """Write and return a dictionary of nine lines, which is too large to buffer."""
        self.patch(line_search, "MAX_BUFFERED", 20)
        text = b"".join(b"love %d\n" % n for n in range(9))
        (self.folder / "alpha").write_bytes(text)
        return text

    def test_equal_requests_share_one_grep(self) -> None:
        """Those at the same time and later ones."""
        pending = [self.search() for _ in range(5)]
        self.end_grep(b"love\n")
        pending.append(self.search())
        self.web.flush_responses()
        responses = [self.successResultOf(each) for each in pending]
        self.assertEqual({each.body for each in responses}, {responses[0].body})
        self.assertEqual(responses[5].json["results"], ["love"])
        self.assertEqual(responses[5].header("content-type"), "application/json")
        self.assertEqual(len(self.web.reactor.processes), 1)

    def test_a_changed_file_is_searched_again(self) -> None:
        """A change of its permissions counts, too."""
        path = self.folder / "alpha"
        self.assertEqual(self.results(b"love\n"), ["love"])
        path.write_bytes(b"new love\n")
        self.assertEqual(self.results(b"new love\n"), ["new love"])
        path.chmod(0o600)
        self.assertEqual(self.results(b"love again\n"), ["love again"])

    def test_a_response_from_a_new_file_is_not_cached(self) -> None:
        """The file could change again within the same tick of the clock."""
        written = (self.folder / "alpha").stat().st_ctime
        self.web = self.make_web(cache_bytes=100_000, now=written + 0.01)
        for _ in range(2):
            self.results(b"love\n")

    def test_a_response_from_a_file_that_changed_meanwhile_is_not_cached(self) -> None:
        link, beta = self.folder / "link", self.folder / "sub" / "beta"
        link.symlink_to("alpha")
        self.search(dictionary="link")
        link.unlink()
        link.symlink_to(beta)
        self.end_grep(b"love\n")
        link.unlink()
        link.symlink_to("alpha")
        self.search(dictionary="link")
        self.assertEqual(len(self.web.running_processes()), 1)

    def test_a_file_with_a_time_of_more_than_64_bits_is_searched(self) -> None:
        """Such as tmpfs stores."""
        real = os.lstat

        def lstat(path: str) -> os.stat_result:
            status = real(path)
            times = {"st_mtime_ns": 10**21, "st_ctime_ns": status.st_ctime_ns}
            return os.stat_result(status[:10], times)

        self.patch(os, "lstat", lstat)
        self.assertEqual(self.results(b"love\n"), ["love"])

    def test_an_incomplete_response_is_not_cached(self) -> None:
        query = {"action": "all", "unit": "quote", "dictionary": "*"}
        with index_missing(self.folder / "alpha"):
            incomplete = self.successResultOf(self.web.post_query(**query))
        complete = self.successResultOf(self.web.post_query(**query))
        self.assertEqual(incomplete.json["nr of entries"], 1)
        self.assertEqual(complete.json["nr of entries"], 2)

    def test_different_queries_do_not_share_a_response(self) -> None:
        for fields in (
            {},
            {"ignore_case": True},
            {"nresults": 1},
            {"offset": 1},
            {"n_after": 1},
            {"term": "Love"},
            {"dictionary": "sub/beta"},
        ):
            self.results(b"1:love\n", **fields)
        whole_word = self.search(whole_word=True)
        # The first grep finds no combining mark.
        self.end_grep(b"0\n", status=1)
        self.assertEqual(self.finish(whole_word, b"love\n").json["results"], ["love"])

    def test_an_error_is_not_cached(self) -> None:
        self.assertEqual(self.finish(self.search(), status=2).code, 500)
        self.assertEqual(len(self.flushLoggedErrors(GrepFailed)), 1)
        self.assertEqual(self.results(b"love\n"), ["love"])

    def test_random_quotes_without_a_seed_are_not_shared(self) -> None:
        (self.folder / "alpha").write_text("\n\n".join(str(n) for n in range(500)))

        def draw(**fields: object) -> str:
            response = self.successResultOf(
                self.web.post_query(action="random", **fields)
            )
            [drawn] = response.json["results"]
            return str(drawn)

        self.assertGreater(len({draw() for _ in range(5)}), 1)
        self.assertEqual(len({draw(seed=1) for _ in range(5)}), 1)

    def test_a_large_response_is_streamed_to_each_client(self) -> None:
        text = self.write_large_dictionary()
        clients = [self.web.connect() for _ in range(2)]
        for client in clients:
            client.send(query_request({"action": "all"}))
        while running := self.web.running_processes():
            counts = "-c" in running[0].arguments
            running[0].print(b"9\n" if counts else text)
            running[0].end()
        for client in clients:
            client.deliver()
            [response] = client.responses()
            self.assertEqual(len(response.json["results"]), 9)

    def test_a_large_response_is_not_buffered_again(self) -> None:
        """One grep finds that it is large, one counts, and one finds the entries."""
        text = self.write_large_dictionary()
        outputs = text, b"9\n", b"".join(b"%d:love\n" % n for n in range(1, 10))
        for expected in (outputs, outputs[1:]):
            response = self.finish(self.search(ignore_case=True), *expected)
            self.assertEqual(response.json["results"], ["love"] * 9)

    def test_a_known_large_response_of_quotes_is_not_buffered(self) -> None:
        self.patch(results, "CHUNK_SIZE", 20)
        text = "\n\n".join(f"love {n}" for n in range(9))
        (self.folder / "alpha").write_text(text)
        buffers = []

        def make_buffer(limit: int | None) -> results.BufferedQuotes:
            buffers.append(results.BufferedQuotes(limit))
            return buffers[-1]

        self.patch(quote_search, "BufferedQuotes", make_buffer)
        for _ in range(2):
            pending = self.web.post_query(action="all", unit="quote")
            self.web.flush_responses()
            self.assertEqual(self.successResultOf(pending).json["nr of entries"], 9)
        self.assertEqual(len(buffers), 1)
