"""
Tests of whole quotes in the real process, with random and with changing files.
"""

from __future__ import annotations

import json
import os
import re
import signal
from io import BytesIO
from pathlib import Path
from threading import Event, Thread
from typing import Any
from unicodedata import combining
from urllib.parse import urlencode

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from twisted_quotes.quotes.attribution import parse_attribution
from twisted_quotes.quotes.formats import detect_format
from twisted_quotes.quotes.quote import quote_id
from twisted_quotes.text.normalization import normalize_for_search, normalize_term

from ..cases import as_text
from ..quotes.test_formats import plain_quotes
from .cases import LOVE_QUERY, LibraryTestCase, single_process_only
from .http_connection import TIMEOUT, HTTPConnection
from .server import WORKER_COUNT, Server, command_line, wait_until

ALPHABET = "aAb\u00e9\u00c9\u0301_0 .-\t\u2019'\u201c\"\u2014\u65e5"
PART = st.one_of(
    st.text(ALPHABET, max_size=8).map(str.encode),
    st.sampled_from((b"\n", b"\r\n", b"\n\n", b"\n \t\n", b"\n%\n", b"\n--  Who\n")),
    st.sampled_from((b"\xff", b"\0", b"\xc3", b"\xef\xbb\xbf")),
)
FILE = st.builds(
    lambda bom, parts: b"\xef\xbb\xbf" * bom + as_text(b"".join(parts)),
    st.booleans(),
    st.lists(PART, max_size=14),
)
NDJSON = "Accept: application/x-ndjson"


def plain_lines(data: bytes) -> list[str]:
    """Return the lines of a file as clients get them."""
    return [
        line.removesuffix(b"\r").decode("utf-8", "replace")
        for line in data.split(b"\n")
    ]


class QuotesTestCase(LibraryTestCase):
    """A server with a dictionary that tests write to."""

    server: Server

    def setUp(self) -> None:
        super().setUp()
        self.write(b"")
        self.server = self.serve("--timeout=60")

    def write(self, data: bytes) -> None:
        """
        Write the dictionary with an old time, so that the service does not wait until
        it is stable.
        """
        path = self.library / "book"
        self.written = getattr(self, "written", 0) + 1
        path.write_bytes(data)
        os.utime(path, (self.written, self.written))

    def get_page(self, url: str = "quotes", **parameters: Any) -> Any:
        """Return a successful response of API v2."""
        response = self.server.get(f"/api/v2/{url}?{urlencode(parameters)}")
        self.assertEqual(response.status, 200, response)
        return response.json()

    def read_stream(self, **parameters: Any) -> list[Any]:
        """Return all values of a stream."""
        with self.server.connect() as connection:
            connection.send_get(f"/api/v2/quotes?{urlencode(parameters)}", NDJSON)
            return [
                json.loads(each)
                for each in connection.read_response().body.splitlines()
            ]


class PropertyTests(QuotesTestCase):
    """Tests that compare quotes with a simple parser."""

    def test_quotes_are_the_same_as_with_a_simple_parser(self) -> None:
        """They are read with API v1, with API v2, as a stream, and by id."""

        @settings(max_examples=150)
        @given(data=FILE, term=st.text(ALPHABET, min_size=1, max_size=3))
        def check(data: bytes, term: str) -> None:
            self.write(data)
            text = data.removeprefix(b"\xef\xbb\xbf")
            lines = plain_lines(text)
            quote_format = detect_format(BytesIO(text))
            assume(quote_format.separation != "one-per-line")
            has_separators = re.search(rb"(?m)^%\r?$(?!\r)", text) is not None
            spans = [
                (line, line + len(each) - 1)
                for line, each in plain_quotes(text, has_separators)
            ]
            quotes = ["\n".join(lines[a - 1 : b]) for a, b in spans]
            results = self.server.query_results(
                action="all", unit="quote", dictionary="book"
            )
            self.assertEqual(results, quotes)
            page = self.get_page(limit=1000)
            self.assertEqual([each["text"] for each in page["quotes"]], quotes)
            self.assertEqual(
                [(each["line_from"], each["line_to"]) for each in page["quotes"]], spans
            )
            for each in page["quotes"]:
                self.assertEqual(each["author"], parse_attribution(each["text"]))
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
        """Check the quotes that contain a term, and the positions of matches."""
        normalized = normalize_term(term, regex=False)
        expected = [
            quote for quote in quotes if normalized in normalize_for_search(quote)
        ]
        parameters = {"term": term, "dictionary": "book"}
        self.assertEqual(
            self.server.query_results(action="search", unit="quote", **parameters),
            expected,
        )
        page = self.get_page(limit=1000, ignore_case="false", **parameters)
        self.assertEqual(page["total"], len(expected))
        self.assertEqual([each["text"] for each in page["quotes"]], expected)
        for quote in page["quotes"]:
            count = normalize_for_search(quote["text"]).count(normalized)
            if combining(normalized[0]) or combining(normalized[-1]):
                # A match is extended to whole letters, and may contain several.
                self.assertTrue(1 <= len(quote["matches"]) <= count, quote)
            else:
                self.assertEqual(len(quote["matches"]), count, quote)
            for match in quote["matches"]:
                part = quote["text"][match["start"] : match["end"]]
                self.assertIn(normalized.strip(), normalize_for_search(part))


class ChangeTests(QuotesTestCase):
    """Tests of dictionaries that change while they are searched."""

    def test_a_changed_file_with_the_same_size_and_time_is_read_again(self) -> None:
        """The index, the cache and the next service all notice the change."""
        path, cache = self.library / "book", str(self.folder / "cache")
        tags = []
        path.write_bytes(b"one love\n\ntwo\n")
        for _ in range(2):
            server = self.serve(f"--cache-dir={cache}")
            response = server.get("/api/v2/quotes?term=love")
            texts = [each["text"] for each in response.json()["quotes"]]
            self.assertEqual(texts, ["one love"], response)
            tags.append(response.headers["etag"])
            server.stop()
            status = path.stat()
            path.write_bytes(b"two\n\none love\n")
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        self.assertNotEqual(*tags)

    def test_every_response_is_from_one_version_of_the_file(self) -> None:
        """The file changes in place and by a rename."""
        path, new = self.library / "book", self.library / ".new"
        versions = [
            "\n\n".join(f"love {name} {n}" for n in range(count)).encode() + b"\n"
            for name, count in (("one", 400), ("two", 150), ("three", 900))
        ]
        path.write_bytes(versions[0])
        stop_event, changes = Event(), [0]

        def change() -> None:
            while not stop_event.wait(0.03):
                data = versions[changes[0] % len(versions)]
                if changes[0] % 2:
                    path.write_bytes(data)
                else:
                    new.write_bytes(data)
                    new.rename(path)
                changes[0] += 1

        thread = Thread(target=change)
        thread.start()
        try:
            expected = {
                len(quotes): quotes
                for quotes in (data.decode().strip().split("\n\n") for data in versions)
            }
            sizes = set(expected)
            # A write in place truncates the file first.
            expected[0] = []
            seen: set[int] = set()
            while changes[0] < 40 or not seen >= sizes:
                for response in (
                    self.server.post_query(LOVE_QUERY),
                    self.server.post_query({**LOVE_QUERY, "unit": "quote"}),
                    self.server.get("/api/v2/quotes?term=love&limit=1000"),
                ):
                    # On a busy machine the file may change during each attempt.
                    if response.status == 503:
                        self.assertIn("written to", response.json()["message"])
                        continue
                    self.assertEqual(response.status, 200)
                    body = response.json()
                    results = body.get("results")
                    if results is None:
                        results = [each["text"] for each in body["quotes"]]
                    self.assertEqual(results, expected.get(len(results)))
                    seen.add(len(results))
            self.assertGreaterEqual(seen, sizes)
        finally:
            stop_event.set()
            thread.join()

    def test_ids_do_not_change_with_the_rest_of_the_file(self) -> None:
        """They do not depend on line ends either."""
        self.write(b"First.\n\nTo stay\nor not.\n-- H\n")
        [quote] = self.get_page(term="stay or")["quotes"]
        for data in (
            b"To stay\nor not.\n-- H\n",
            b"New\n\n\nnews.\n\nTo stay\r\nor not.\r\n-- H",
            b"\xef\xbb\xbf%\nTo stay\nor not.\n-- H\n%\nother\n",
        ):
            self.write(data)
            same = self.get_page(f"quotes/{quote['id']}")
            self.assertEqual(same["text"], quote["text"])
        self.write(b"To stay\nor go.\n-- H\n")
        self.assertEqual(self.server.get(f"/api/v2/quotes/{quote['id']}").status, 404)


class StreamTests(QuotesTestCase):
    """Tests of streams over a real socket."""

    def setUp(self) -> None:
        """Write more quotes than socket buffers can hold."""
        super().setUp()
        self.write(b"\n\n".join(b"love %d " % n + b"x" * 500 for n in range(20_000)))
        # API v1 waits until there is an index.
        self.server.query_results(action="all", unit="quote", nresults=1)

    def start_stream(self, query: str = "") -> HTTPConnection:
        """Request a stream, and do not read it."""
        connection = self.server.connect(receive_buffer=4096)
        connection.send_get(f"/api/v2/quotes?{query}", NDJSON)
        return connection

    def test_a_stream_starts_before_the_search_has_ended(self) -> None:
        """The search continues only as fast as the client reads."""
        connection = self.start_stream("term=love")
        self.assertIn(b"200 OK", connection.socket.recv(100))
        wait_until(lambda: not self.server.search_pids(), "the end of grep")
        self.assertEqual(len(self.server.query_results(action="all", nresults=1)), 1)
        self.assertFalse([x for x in self.server.lines if "/api/v2/quotes 200" in x])

    def test_a_shutdown_completes_a_stream(self) -> None:
        connection = self.start_stream()
        wait_until(lambda: connection.socket.recv(1, 2), "the first byte")
        self.server.send_signal(signal.SIGTERM)
        self.server.wait_for_log_line("Shutting down")
        lines = connection.read_response().body.splitlines()
        self.assertEqual(len(lines), 20_001)
        self.assertEqual(json.loads(lines[-1])["returned"], 20_000)
        self.assertEqual(self.server.wait_for_exit(), -signal.SIGTERM)

    def test_all_resources_of_a_disconnected_client_are_freed(self) -> None:
        """Its grep ends, and its descriptors are closed."""
        descriptors = f"/proc/{self.server.process.pid}/fd"
        self.server.query_results(action="search", term="love 19999", unit="quote")
        # Otherwise, the index of another dictionary may be built now.
        wait_until(
            lambda: self.server.read_metrics()["quotes_indexes_building"] == 0,
            "the indexes",
        )
        before = len(os.listdir(descriptors))
        for query in ("", "term=love", "term=love&author=x"):
            self.start_stream(query).close()
        wait_until(
            lambda: (
                len(os.listdir(descriptors)) <= before and not self.server.search_pids()
            ),
            "the end of grep, and closed descriptors",
        )


class LargeDictionaryTests(LibraryTestCase):
    """Tests of a dictionary whose index is built in another process."""

    def setUp(self) -> None:
        """Write a dictionary whose index takes long enough to stop its process."""
        super().setUp()
        quote = "A quote that is neither short\nnor very long.\n-- Somebody\n\n"
        path = self.library / "large"
        path.write_text(quote * 200_000 + "The needle in\nthe haystack.\n")
        (self.library / "small").write_text("love\n")

    query = {
        "action": "search",
        "term": "needle in the haystack",
        "unit": "quote",
        "dictionary": "large",
    }

    def stop_builder(self, server: Server) -> int:
        """Wait for the process that builds the index, and stop it; return its id."""

        def find_builder() -> list[int]:
            # Before it calls exec, a child has the command line of the server.
            return [
                pid
                for pid in server.search_pids()
                if b"twisted_quotes.library.packs.building.process" in command_line(pid)
            ]

        [pid] = wait_until(find_builder, "the process that builds the index")
        os.kill(pid, signal.SIGSTOP)
        assert isinstance(pid, int)
        return pid

    @single_process_only("each worker builds an index of its own")
    def test_searches_share_one_build_of_an_index(self) -> None:
        """During the build, lines can be searched, even with a single slot."""
        server = self.serve("--max-running=1")
        waiting = [server.connect().send_query(self.query) for _ in range(30)]
        builder = self.stop_builder(server)
        results = server.query_results(**LOVE_QUERY, dictionary="small")
        self.assertEqual(results, ["love"])
        self.assertEqual(server.wait_for_search_pids(1), [builder])
        os.kill(builder, signal.SIGCONT)
        for connection in waiting:
            results = connection.read_response().json()["results"]
            self.assertEqual(results, ["The needle in\nthe haystack."])

    @single_process_only("each worker has its own timeout")
    def test_a_build_that_takes_too_long_is_a_503(self) -> None:
        """Other dictionaries can be searched."""
        server = self.serve()
        waiting = server.connect().send_query(self.query)
        self.stop_builder(server)
        stopped = server.search_pids()
        (self.library / "another").write_bytes((self.library / "large").read_bytes())
        for name in ("another", "small"):
            query = {"action": "all", "unit": "quote", "dictionary": name}
            server.query_results(**query, nresults=1)
        self.assertEqual(server.search_pids(), stopped)
        waiting.socket.settimeout(2 * TIMEOUT)
        response = waiting.read_response()
        self.assertEqual(response.status, 503, response)
        self.assertEqual(server.search_pids(), [])
        self.assertEqual(server.post_query(self.query).status, 503)
        [needle] = server.query_results(**{**self.query, "dictionary": "*"})
        self.assertEqual(needle, "The needle in\nthe haystack.")
        server.wait_for_log_line("'large' is left out")

    def test_the_next_service_uses_the_cached_index(self) -> None:
        """No process is started to build it."""
        cache = f"--cache-dir={self.folder / 'cache'}"
        for _ in range(2):
            server = self.serve(cache)
            self.assertEqual(len(server.query_results(**self.query)), 1)
            server.stop()
        # The large dictionary has a pack of its own.
        packs = list((self.folder / "cache").iterdir())
        self.assertEqual(len(packs), 2)
        self.assertEqual(oct(packs[0].parent.stat().st_mode & 0o777), "0o700")

    def test_the_working_directory_does_not_matter(self) -> None:
        """In C{/}, the process could find the library of another Python."""
        server = self.serve(folder=Path("/"))
        self.assertEqual(len(server.query_results(**self.query)), 1)

    def test_an_unwritable_cache_is_logged_once(self) -> None:
        """Searches work, and no files are left."""
        temporary = self.folder / "temporary"
        temporary.mkdir()
        server = self.serve(
            "--cache-dir=/proc/none", environment={"TMPDIR": str(temporary)}
        )
        for _ in range(2):
            self.assertEqual(len(server.query_results(**self.query)), 1)
        server.stop()
        log_lines = [line for line in server.lines if "cache folder" in line]
        self.assertEqual(len(log_lines), WORKER_COUNT, server.lines)
        self.assertEqual(list(temporary.iterdir()), [])

    def test_a_shutdown_waits_for_an_index_that_is_needed(self) -> None:
        # So that no other worker builds the index, which nobody there waits for.
        server = self.serve("--index-at-start=no")
        client = server.connect().send_query(self.query)
        builder = self.stop_builder(server)
        server.send_signal()
        server.wait_until_ports_closed()
        os.kill(builder, signal.SIGCONT)
        self.assertEqual(len(client.read_response().json()["results"]), 1)
        self.assertEqual(server.wait_for_exit(), -signal.SIGTERM)

    def test_a_shutdown_does_not_wait_for_an_unused_index(self) -> None:
        """Its process is killed, and no partial index is kept."""
        cache = self.folder / "cache"
        server = self.serve(f"--cache-dir={cache}")
        client = server.connect().send_query(self.query)
        self.stop_builder(server)
        client.close()
        server.wait_for_log_line(" 499 ")
        server.stop()
        # The other dictionary may have its index already.
        directories = [(each / "directory").read_text() for each in cache.iterdir()]
        self.assertFalse([each for each in directories if '"large"' in each])

    def test_a_second_signal_does_not_wait_for_an_index(self) -> None:
        """The requests get a 503."""
        server = self.serve()
        client = server.connect().send_query(self.query)
        self.stop_builder(server)
        server.send_signal()
        server.wait_for_log_line("Shutting down")
        server.send_signal()
        self.assertEqual(client.read_response().status, 503)
        self.assertEqual(server.wait_for_exit(), -signal.SIGTERM)
