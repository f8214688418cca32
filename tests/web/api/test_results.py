"""
Tests of large responses of API v1, which are streamed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.grep.arguments import GrepFailed
from twisted_quotes.search import line_reader, line_search
from twisted_quotes.text.lines import Lines, parse_lines
from twisted_quotes.web.api.results import encode_entries

from ...fakes import FakeProcess
from ..clients import (
    FakeSocket,
    WebTestCase,
    captured_events,
    query_request,
    request_events,
)

LINES = [f"{number} love" for number in range(9)]
ALL = {"action": "all"}
SEARCH = {"action": "search", "term": "love"}


def numbered_lines(lines: Sequence[str]) -> bytes:
    """Return the output of grep for lines that all match."""
    return "".join(f"{n}:{line}\n" for n, line in enumerate(lines, 1)).encode()


# Bytes with a special meaning in JSON, in UTF-8 or at the end of a line.
HOSTILE = st.lists(
    st.sampled_from(
        [
            *(b"\n", b"\r\n", b"\r", b"\\", b"\\n", b'"', b'","', b",", b"n", b"a"),
            *(
                b"\0",
                b"\x1f",
                b"\x7f",
                b"\\u007f",
                b"\t",
                b"\xff",
                b"\xc3",
                b"\xf0\x9f",
            ),
            *("\ufeff\u2028\u0085\ue000\uffff\N{CAT}".encode(), b"\xed\xa0\x80"),
        ]
    )
    | st.binary(max_size=3)
).map(b"".join)


class LongResponseTests(WebTestCase):
    """Tests of one large response."""

    client: FakeSocket

    def setUp(self) -> None:
        """Set the size of a chunk to about three lines."""
        super().setUp()
        self.patch(line_search, "MAX_BUFFERED", 20)
        self.patch(line_reader, "CHUNK_SIZE", 20)
        self.patch(line_reader, "READ_SIZE", 24)
        self.text = "".join(f"{line}\n" for line in LINES).encode()
        (self.folder / "alpha").write_bytes(self.text)
        self.client = self.web.connect()

    def running_grep(self) -> FakeProcess:
        """Return the only grep that runs."""
        [process] = self.web.running_processes()
        return process

    def print_and_end(self, output: bytes = b"", status: int = 0) -> None:
        """Let the only grep that runs print something and end."""
        process = self.running_grep()
        process.print(output)
        process.end(status)
        self.client.deliver()

    def start_response(self) -> None:
        """Find the first two chunks."""
        self.client.send(query_request(SEARCH))
        self.print_and_end(self.text)
        self.assertIn("-c", self.running_grep().arguments)
        self.print_and_end(b"9\n")
        self.print_and_end(numbered_lines(LINES[:3]) + b"4:3 l")
        self.print_and_end(numbered_lines(LINES[3:6]) + b"4:")

    def test_a_streamed_response_is_one_json_object(self) -> None:
        with captured_events() as events:
            self.start_response()
            self.print_and_end(numbered_lines(LINES[6:]))
        [response] = self.client.responses()
        self.assertEqual((response.code, response.json["results"]), (200, LINES))
        self.assertEqual(list(response.json), ["nr of entries", "results"])
        self.assertEqual(response.json["nr of entries"], len(LINES))
        self.assertEqual(response.header("content-type"), "application/json")
        self.assertEqual(response.header("x-content-type-options"), "nosniff")
        self.assertIn("default-src", response.header("content-security-policy") or "")
        self.assertIsNotNone(response.header("x-request-id"))
        self.assertEqual(response.body[-3:], b"]}\n")
        [event] = request_events(events)
        self.assertEqual((event["code"], event["entries"]), (200, len(LINES)))

    def test_nothing_runs_while_the_client_does_not_read(self) -> None:
        """Neither a grep nor a slot is kept for it."""
        self.patch(line_reader, "CHUNK_SIZE", 200_000)
        lines = [f"{number} {'love' * 1000}" for number in range(400)]
        (self.folder / "alpha").write_text("\n".join(lines) + "\n")
        self.client.send(query_request(SEARCH))
        self.print_and_end(b"x" * 30)
        self.print_and_end(b"400\n")
        self.client.stalled = True
        starts, maximum = count(0, 100), 0
        for start in starts:
            if not self.web.running_processes():
                break
            self.print_and_end(numbered_lines(lines[start : start + 100]))
            maximum = start
        self.assertLess(maximum, 300)
        others = self.web.connect()
        others.send(query_request({"action": "search", "term": "love", "nresults": 1}))
        self.print_and_end(b"love\n")
        self.assertEqual(self.web.running_processes(), [])
        self.client.stalled = False
        self.client.deliver()
        self.assertEqual(len(self.web.running_processes()), 1)
        self.client.disconnect()
        self.assertEqual(self.running_grep().signals, ["KILL"])

    def test_a_disconnect_frees_the_unsent_data(self) -> None:
        """This does not wait for the garbage collector."""
        self.client.stalled = True
        self.start_response()
        self.assertGreater(self.client.buffered, 0)
        self.client.disconnect()
        self.assertEqual(self.client.buffered, 0)

    def test_an_error_after_the_start_aborts_the_connection(self) -> None:
        """The log has the error."""
        with captured_events() as events:
            self.start_response()
            self.print_and_end(status=2)
        self.assertTrue(self.client.aborted)
        self.assertTrue(self.client.received.startswith(b"HTTP/1.1 200"))
        self.assertFalse(self.client.received.endswith(b"0\r\n\r\n"))
        [event] = request_events(events)
        self.assertEqual(event["code"], 500)
        self.assertEqual(len(self.flushLoggedErrors(GrepFailed)), 1)

    def test_a_timeout_after_the_start_aborts_the_connection(self) -> None:
        """The log has the status 504."""
        with captured_events() as events:
            self.start_response()
            self.web.reactor.advance(10)
            self.client.deliver()
        self.assertTrue(self.client.aborted)
        [event] = request_events(events)
        self.assertEqual(event["code"], 504)

    def test_missing_entries_abort_the_connection(self) -> None:
        self.start_response()
        self.print_and_end(numbered_lines(LINES[6:8]))
        self.assertTrue(self.client.aborted)
        self.assertEqual(len(self.flushLoggedErrors(Exception)), 1)

    def test_a_change_before_the_start_restarts_the_search(self) -> None:
        self.client.send(query_request(SEARCH))
        self.print_and_end(self.text)
        self.print_and_end(b"9\n")
        process = self.running_grep()
        (self.folder / "alpha").write_bytes(b"a love\n")
        process.print(numbered_lines(LINES[:3]))
        process.end()
        self.print_and_end(b"a love\n")
        [response] = self.client.responses()
        self.assertEqual(response.json["results"], ["a love"])

    def test_an_error_before_the_start_has_its_own_status(self) -> None:
        self.client.send(query_request(SEARCH))
        self.print_and_end(self.text)
        self.print_and_end(status=2)
        [response] = self.client.responses()
        self.assert_error(response, 500)
        self.assertEqual(len(self.flushLoggedErrors(GrepFailed)), 1)
        json.loads(response.body)

    def test_all_lines_are_counted_by_grep_and_read_without_it(self) -> None:
        self.client.send(query_request(ALL))
        self.assertIn("-c", self.running_grep().arguments)
        self.print_and_end(b"9\n")
        self.assertEqual(self.web.running_processes(), [])
        self.client.deliver()
        [response] = self.client.responses()
        self.assertEqual(response.json, {"nr of entries": 9, "results": LINES})

    def test_a_file_is_read_as_fast_as_the_client_reads(self) -> None:
        self.patch(line_reader, "READ_SIZE", 100_000)
        lines = [f"{number} {'love' * 1000}" for number in range(400)]
        (self.folder / "alpha").write_text("\n".join(lines))
        self.client.send(query_request(ALL))
        self.client.stalled = True
        self.print_and_end(b"400\n")
        self.assertTrue(0 < self.client.buffered < 250_000)
        self.client.stalled = False
        self.client.deliver()
        [response] = self.client.responses()
        self.assertEqual(response.json["results"], lines)


class EncodingTests(SynchronousTestCase):
    """Tests of the encoding of entries."""

    def test_joined_entries_are_encoded_like_separate_ones(self) -> None:
        for lines in (
            [],
            [""],
            ["", "", ""],
            ['"', '","', "\\n", "\\", "n", '\\"'],
            ["\x7f", "a\x7fb", '\x7f","'],
            ["\0", "\x1f", "\t", "\r", "a\rb", "\\u001f", "\\u007f"],
            ["\u2028", "\u0085", "\ue000", "\uffff", "\N{CAT}", "\ufeff"],
        ):
            data = "".join(f"{line}\n" for line in lines).encode()
            with self.subTest(lines=lines):
                written = encode_entries(Lines(data))
                self.assertEqual(written, encode_entries(lines))
                self.assertEqual(json.loads(b"[%b]" % written), lines)

    @settings(max_examples=300)
    @given(HOSTILE, st.booleans())
    def test_any_bytes(self, data: bytes, normalized: bool) -> None:
        """Any file is encoded as its lines."""
        written = encode_entries(parse_lines(data, normalized))
        lines = data.removesuffix(b"\n").split(b"\n") if data else []
        if not normalized:
            lines = [line.removesuffix(b"\r") for line in lines]
        self.assertEqual(
            json.loads(b"[%b]" % written),
            [line.decode("utf-8", "replace") for line in lines],
        )
