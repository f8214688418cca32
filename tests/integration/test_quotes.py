"""
Whole quotes from the real process: any file, and files that change under way.
"""

from __future__ import annotations

import json
import os
import re
import signal
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Event, Thread
from typing import Any
from unicodedata import combining
from urllib.parse import urlencode

from hypothesis import given, settings
from hypothesis import strategies as st

from twisted_quotes.text.normalization import normalize_for_search, normalize_term
from twisted_quotes.text.quotes import parse_author, quote_id

from ..text.test_quotes import plain_quotes
from .cases import LibraryTestCase, single_process_only
from .http_connection import HTTPConnection
from .server import WORKER_COUNT, Server, running_server, wait_until

ALPHABET = "aAb\u00e9\u00c9\u0301_0 .-\t\u2019'\u201c\"\u2014\u65e5"
PIECE = st.one_of(
    st.text(ALPHABET, max_size=8).map(str.encode),
    st.sampled_from((b"\n", b"\r\n", b"\n\n", b"\n \t\n", b"\n%\n", b"\n--  Who\n")),
    st.sampled_from((b"\xff", b"\0", b"\xc3", b"\xef\xbb\xbf")),
)
FILE = st.builds(
    lambda bom, pieces: b"\xef\xbb\xbf" * bom + b"".join(pieces),
    st.booleans(),
    st.lists(PIECE, max_size=14),
)
NDJSON = "Accept: application/x-ndjson"


def plain_lines(data: bytes) -> list[str]:
    """The lines of a file as readers see them."""
    return [
        line.removesuffix(b"\r").decode("utf-8", "replace")
        for line in data.split(b"\n")
    ]


LOVE_QUERY = {"action": "search", "term": "love"}


class QuotesTestCase(LibraryTestCase):
    """A server with a dictionary that tests write to."""

    server: Server

    def setUp(self) -> None:
        """Run a server until the test is over."""
        super().setUp()
        self.write(b"")
        self.server = self.serve("--timeout=60")

    def write(self, data: bytes) -> None:
        """Write the dictionary, long ago, so that nobody waits for its writer."""
        path = self.library / "book"
        self.written = getattr(self, "written", 0) + 1
        path.write_bytes(data)
        os.utime(path, (self.written, self.written))

    def get_page(self, url: str = "quotes", **parameters: Any) -> Any:
        """Ask API v2 for something that is there."""
        answer = self.server.get(f"/api/v2/{url}?{urlencode(parameters)}")
        self.assertEqual(answer.status, 200, answer)
        return answer.json()

    def read_stream(self, **parameters: Any) -> list[Any]:
        """Ask for a stream, and read it all."""
        with self.server.connect() as connection:
            connection.send_get(f"/api/v2/quotes?{urlencode(parameters)}", NDJSON)
            return [
                json.loads(each)
                for each in connection.read_response().body.splitlines()
            ]


class PropertyTests(QuotesTestCase):
    """The service's quotes against a plain reading of the file."""

    def test_quotes_are_as_a_plain_reading_of_the_file_has_them(self) -> None:
        """Whatever the file: by v1, by v2 and as a stream, by number and by id."""

        @settings(max_examples=150)
        @given(data=FILE, term=st.text(ALPHABET, min_size=1, max_size=3))
        def check(data: bytes, term: str) -> None:
            self.write(data)
            text = data.removeprefix(b"\xef\xbb\xbf")
            lines = plain_lines(text)
            percent = re.search(rb"(?m)^%\r?$(?!\r)", text) is not None
            spans = [
                (line, line + len(each) - 1)
                for line, each in plain_quotes(text, percent)
            ]
            quotes = ["\n".join(lines[a - 1 : b]) for a, b in spans]
            everything = self.server.query_results(
                action="all", unit="quote", dictionary="book"
            )
            self.assertEqual(everything, quotes)
            page = self.get_page(limit=1000)
            self.assertEqual([each["text"] for each in page["quotes"]], quotes)
            self.assertEqual(
                [(each["line_from"], each["line_to"]) for each in page["quotes"]], spans
            )
            for each in page["quotes"]:
                self.assertEqual(each["author"], parse_author(each["text"]))
                self.assertEqual(each["id"], quote_id(each["text"]))
            *streamed, summary = self.read_stream()
            self.assertEqual(streamed, page["quotes"])
            self.assertEqual(summary["total"], len(quotes))
            if quotes:
                self.assertEqual(
                    self.get_page(f"quotes/{quote_id(quotes[-1])}")["text"], quotes[-1]
                )
            if term.strip():
                self.check_search(quotes, term)

        check()

    def check_search(self, quotes: list[str], term: str) -> None:
        """A search finds the quotes that hold the term, and where it stands."""
        wanted = normalize_term(term, regex=False)
        holding = [quote for quote in quotes if wanted in normalize_for_search(quote)]
        parameters = {"term": term, "dictionary": "book"}
        self.assertEqual(
            self.server.query_results(action="search", unit="quote", **parameters),
            holding,
        )
        page = self.get_page(limit=1000, **parameters)
        self.assertEqual(page["total"], len(holding))
        self.assertEqual([each["text"] for each in page["quotes"]], holding)
        for quote in page["quotes"]:
            count = normalize_for_search(quote["text"]).count(wanted)
            if combining(wanted[0]) or combining(wanted[-1]):
                # Several may stand in what was folded together.
                self.assertTrue(1 <= len(quote["matches"]) <= count, quote)
            else:
                self.assertEqual(len(quote["matches"]), count, quote)
            for match in quote["matches"]:
                piece = quote["text"][match["start"] : match["end"]]
                self.assertIn(wanted.strip(), normalize_for_search(piece))


class ChangeTests(QuotesTestCase):
    """Dictionaries that are edited or replaced while they are searched."""

    def test_a_file_with_size_and_time_put_back_is_read_anew(self) -> None:
        """By the index, by what is kept, and by the next service."""
        path, cache = self.library / "book", str(self.folder / "cache")
        with self.serve_with_cache(cache) as server:
            old = self.tag_and_texts(server, b"one love\n\ntwo\n")
        status = path.stat()
        path.write_bytes(b"two\n\none love\n")
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        with self.serve_with_cache(cache) as server:
            tag, texts = self.tag_and_texts(server, None)
        self.assertNotEqual(tag, old[0])
        self.assertEqual((old[1], texts), (["one love"], ["one love"]))

    def serve_with_cache(self, cache: str) -> AbstractContextManager[Server]:
        """Serve the library, with a folder of indexes of its own."""
        return running_server(f"--dictionaries={self.library}", f"--cache-dir={cache}")

    def tag_and_texts(self, server: Server, data: bytes | None) -> tuple[str, Any]:
        """Ask for the quotes that hold a word, of a file written before or now."""
        if data is not None:
            (self.library / "book").write_bytes(data)
        answer = server.get("/api/v2/quotes?term=love")
        self.assertEqual(answer.status, 200, answer)
        texts = [each["text"] for each in answer.json()["quotes"]]
        return answer.headers["etag"], texts

    def test_every_answer_is_wholly_from_one_state(self) -> None:
        """In lines and in quotes, whichever way the file is changed."""
        path, new = self.library / "book", self.library / ".new"
        states = [
            "\n\n".join(f"love {state} {n}" for n in range(count)).encode() + b"\n"
            for state, count in (("one", 400), ("two", 150), ("three", 900))
        ]
        path.write_bytes(states[0])
        stop_event, changes = Event(), [0]

        def change() -> None:
            while not stop_event.wait(0.03):
                data = states[changes[0] % len(states)]
                if changes[0] % 2:
                    path.write_bytes(data)
                else:
                    new.write_bytes(data)
                    new.rename(path)
                changes[0] += 1

        changing = Thread(target=change)
        changing.start()
        try:
            expected = {
                len(quotes): quotes
                for quotes in (data.decode().strip().split("\n\n") for data in states)
            }
            wanted = set(expected)
            # It is empty before it is written to in place.
            expected[0] = []
            seen: set[int] = set()
            while changes[0] < 40 or not seen >= wanted:
                for response in (
                    self.server.post_query(LOVE_QUERY),
                    self.server.post_query({**LOVE_QUERY, "unit": "quote"}),
                    self.server.get("/api/v2/quotes?term=love&limit=1000"),
                ):
                    # On a busy machine it may be written to at every attempt.
                    if response.status == 503:
                        self.assertIn("written to", response.json()["message"])
                        continue
                    self.assertEqual(response.status, 200)
                    answer = response.json()
                    found = answer.get("results")
                    if found is None:
                        found = [each["text"] for each in answer["quotes"]]
                    self.assertEqual(found, expected.get(len(found)))
                    seen.add(len(found))
            self.assertGreaterEqual(seen, wanted)
        finally:
            stop_event.set()
            changing.join()

    def test_ids_stay_while_the_file_around_them_changes(self) -> None:
        """A permalink outlives edits elsewhere, and other line ends."""
        self.write(b"First.\n\nTo stay\nor not.\n-- H\n")
        [quote] = self.get_page(term="stay or")["quotes"]
        for data in (
            b"To stay\nor not.\n-- H\n",
            b"New\n\n\nnews.\n\nTo stay\r\nor not.\r\n-- H",
            b"\xef\xbb\xbf%\nTo stay\nor not.\n-- H\n%\nother\n",
        ):
            self.write(data)
            again = self.get_page(f"quotes/{quote['id']}")
            self.assertEqual(again["text"], quote["text"])
        self.write(b"To stay\nor go.\n-- H\n")
        self.assertEqual(self.server.get(f"/api/v2/quotes/{quote['id']}").status, 404)


class StreamTests(QuotesTestCase):
    """Streams over a real socket."""

    def setUp(self) -> None:
        """Have more quotes than sockets hold."""
        super().setUp()
        self.write(b"\n\n".join(b"love %d " % n + b"x" * 500 for n in range(20_000)))

    def start_stream(self, query: str = "") -> HTTPConnection:
        """Ask for a stream, and read no more than its head."""
        connection = self.server.connect(receive_buffer=4096)
        connection.send_get(f"/api/v2/quotes?{query}", NDJSON)
        return connection

    def test_the_first_quote_comes_before_the_search_has_ended(self) -> None:
        """And the search goes no further than its reader."""
        connection = self.start_stream("term=love")
        self.assertIn(b"200 OK", connection.socket.recv(100))
        wait_until(lambda: not self.server.search_pids(), "grep gone")
        self.assertEqual(len(self.server.query_results(action="all", nresults=1)), 1)
        self.assertFalse([x for x in self.server.lines if "/api/v2/quotes 200" in x])

    def test_a_stream_under_way_is_answered_in_full_before_the_end(self) -> None:
        """SIGTERM loses nothing of it."""
        connection = self.start_stream()
        wait_until(lambda: connection.socket.recv(1, 2), "the first byte")
        self.server.send_signal(signal.SIGTERM)
        self.server.wait_for_log_line("Shutting down")
        lines = connection.read_response().body.splitlines()
        self.assertEqual(len(lines), 20_001)
        self.assertEqual(json.loads(lines[-1])["returned"], 20_000)
        self.assertEqual(self.server.wait_for_exit(), -signal.SIGTERM)

    def test_a_reader_who_leaves_is_forgotten(self) -> None:
        """Nothing is left of it, neither grep nor place nor open file."""
        descriptors = f"/proc/{self.server.process.pid}/fd"
        self.server.query_results(action="search", term="love 19999", unit="quote")
        before = len(os.listdir(descriptors))
        for query in ("", "term=love", "term=love&author=x"):
            self.start_stream(query).close()
        wait_until(lambda: len(os.listdir(descriptors)) <= before, "descriptors closed")
        self.assertEqual(self.server.search_pids(), [])


class LargeDictionaryTests(LibraryTestCase):
    """A dictionary whose index is made by a process of its own."""

    def setUp(self) -> None:
        """Write one of more than four megabytes."""
        super().setUp()
        quote = "A quote that is neither short\nnor very long.\n-- Somebody\n\n"
        path = self.library / "large"
        path.write_text(quote * 90_000 + "The needle in\nthe haystack.\n")
        (self.library / "small").write_text("love\n")

    question = {
        "action": "search",
        "term": "needle in the haystack",
        "unit": "quote",
        "dictionary": "large",
    }

    def stop_builder(self, server: Server) -> None:
        """Wait for the process that makes the index, and hold it up."""

        def builder() -> int | None:
            for child in server.search_pids():
                # Before that it is the server's twin, which waits for it.
                if (
                    b"twisted_quotes.library.build_index"
                    in Path(f"/proc/{child}/cmdline").read_bytes()
                ):
                    return child
            return None

        found = wait_until(builder, "the process that makes the index")
        assert isinstance(found, int)
        os.kill(found, signal.SIGSTOP)

    def test_all_who_need_it_wait_for_one_index(self) -> None:
        """Meanwhile lines are searched as ever, even with a single place."""
        server = self.serve("--max-running=1")
        waiting = [server.connect().send_query(self.question) for _ in range(30)]
        [_] = server.wait_for_search_pids(1)
        self.assertEqual(
            server.query_results(action="search", term="love", dictionary="small"),
            ["love"],
        )
        for connection in waiting:
            results = connection.read_response().json()["results"]
            self.assertEqual(results, ["The needle in\nthe haystack."])

    @single_process_only("each one finds out for itself what takes too long")
    def test_an_index_that_takes_too_long_is_given_up(self) -> None:
        """That dictionary alone has none; meanwhile and later, others are served."""
        server = self.serve()
        waiting = server.connect().send_query(self.question)
        self.stop_builder(server)
        stopped = server.search_pids()
        (self.library / "another").write_bytes((self.library / "large").read_bytes())
        for name in ("another", "small"):
            server.query_results(
                action="all", unit="quote", nresults=1, dictionary=name
            )
        self.assertEqual(server.search_pids(), stopped)
        answer = waiting.read_response()
        self.assertEqual(answer.status, 503, answer)
        self.assertEqual(server.search_pids(), [])
        self.assertEqual(server.post_query(self.question).status, 503)
        [needle] = server.query_results(**{**self.question, "dictionary": "*"})
        self.assertEqual(needle, "The needle in\nthe haystack.")
        server.wait_for_log_line("'large' is left out")

    def test_the_next_service_finds_it_in_the_cache(self) -> None:
        """No process is started to make it again."""
        cache = f"--cache-dir={self.folder / 'cache'}"
        for _ in range(2):
            server = self.serve(cache)
            self.assertEqual(len(server.query_results(**self.question)), 1)
            server.send_signal()
            server.wait_for_exit()
        (index,) = (self.folder / "cache").iterdir()
        self.assertEqual(oct(index.parent.stat().st_mode & 0o777), "0o700")

    def test_a_cache_that_cannot_be_written_is_said_once(self) -> None:
        """The service works all the same, and leaves nothing behind."""
        temporary = self.folder / "temporary"
        temporary.mkdir()
        server = self.serve(
            "--cache-dir=/proc/none", environment={"TMPDIR": str(temporary)}
        )
        for _ in range(2):
            self.assertEqual(len(server.query_results(**self.question)), 1)
        server.send_signal()
        self.assertEqual(server.wait_for_exit(), -signal.SIGTERM)
        log_lines = [line for line in server.lines if "cache folder" in line]
        # Each process says it.
        self.assertEqual(len(log_lines), WORKER_COUNT, server.lines)
        self.assertEqual(list(temporary.iterdir()), [])

    def test_the_end_waits_for_who_waits_for_the_index(self) -> None:
        """Who asked is answered."""
        server = self.serve()
        asking = server.connect().send_query(self.question)
        server.wait_for_search_pids(1)
        server.send_signal()
        self.assertEqual(len(asking.read_response().json()["results"]), 1)
        self.assertEqual(server.wait_for_exit(), -signal.SIGTERM)

    def test_the_end_does_not_wait_for_an_index_that_nobody_wants(self) -> None:
        """Its process is killed, and no half of it is kept."""
        cache = self.folder / "cache"
        server = self.serve(f"--cache-dir={cache}")
        asking = server.connect().send_query(self.question)
        self.stop_builder(server)
        asking.close()
        server.wait_for_log_line(" 499 ")
        server.send_signal()
        self.assertEqual(server.wait_for_exit(), -signal.SIGTERM)
        self.assertEqual(list(cache.iterdir()), [])

    def test_a_second_signal_ends_the_wait_for_an_index(self) -> None:
        """Who waits is told so."""
        server = self.serve()
        asking = server.connect().send_query(self.question)
        self.stop_builder(server)
        server.send_signal()
        server.wait_for_log_line("Shutting down")
        server.send_signal()
        self.assertEqual(asking.read_response().status, 503)
        self.assertEqual(server.wait_for_exit(), -signal.SIGTERM)
