"""
Limits: of time for clients, and of what greps may use.
"""

from __future__ import annotations

import json
import os
import signal
import socket
from collections import Counter
from functools import partial
from resource import RLIMIT_AS, RLIMIT_CPU, RLIMIT_NOFILE, prlimit, setrlimit
from select import poll
from typing import Any

from .cases import LibraryTestCase
from .fake_grep import GatedGrep
from .server import command_line, has_exited, wait_until

LOVE_QUERY = {"action": "search", "term": "love"}


class ClientTests(LibraryTestCase):
    """Tests of clients that take their time."""

    def setUp(self) -> None:
        """Write a dictionary."""
        super().setUp()
        (self.library / "book").write_text("love\n" * 2_000_000)

    def test_a_request_that_drips_is_a_408(self) -> None:
        """However steadily its bytes come."""
        server = self.serve("--request-timeout=1")
        client = server.connect()
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ")
        client.socket.settimeout(0.05)
        received = b""
        while not received:
            client.send(b"x")
            try:
                received = client.socket.recv(1 << 16)
            except TimeoutError:
                continue
        head, _, body = received.partition(b"\r\n\r\n")
        self.assertIn(b"408", head.split(b"\r\n")[0])
        self.assertEqual(json.loads(body)["Code"], 408)

    def test_a_reader_who_takes_nothing_is_cut(self) -> None:
        """And one who takes a little at a time is not."""
        server = self.serve("--send-timeout=2")
        question = {"action": "all", "dictionary": "book"}
        stalled, slow = (server.connect(receive_buffer=4096) for _ in range(2))
        stalled.send_query(question)
        slow.send_query(question)
        ends = poll()
        ends.register(stalled.socket, 0)

        def cut() -> bool:
            return len(slow.socket.recv(2000)) > 0 and bool(ends.poll(0))

        wait_until(cut, "the stalled reader cut")
        slow.socket.settimeout(30)
        self.assertTrue(slow.socket.recv(1))


class GrepTests(LibraryTestCase):
    """Tests of what greps may use."""

    def test_a_grep_is_limited(self) -> None:
        """In memory and processor time, so that none outlives the service long."""
        (self.library / "book").write_text("love\n")
        gated = GatedGrep(self.folder)
        server = self.serve("--timeout=5", environment=gated.environment)
        server.connect().send_query({"action": "search", "term": "love"})
        [grep] = server.wait_for_search_pids(1)
        wait_until(lambda: prlimit(grep, RLIMIT_CPU)[0] == 6, "the limits")
        self.assertGreater(prlimit(grep, RLIMIT_AS)[0], 0)
        os.kill(grep, signal.SIGKILL)
        wait_until(lambda: has_exited(grep), "grep's end")

    def test_a_pattern_cannot_use_up_the_memory(self) -> None:
        """It is refused, or takes too long; others are answered as ever."""
        (self.library / "book").write_text("a" * 5000 + "\n")
        server = self.serve("--timeout=5")
        for term in ("(a{1,32767}){1,9}", "a{1,32767}b{1,32767}"):
            answer = server.post_query(
                {"action": "search", "term": term, "regex": True}
            )
            self.assertIn(answer.status, (400, 504), answer)
        self.assertEqual(server.query_results(action="search", term="b"), [])

    def test_too_long_a_line_is_no_failure_of_the_service(self) -> None:
        """Whoever would have it searched is told; what stands before it is found."""
        book = self.library / "book"
        book.write_text("love\n")
        os.truncate(book, 600_000_000)
        with book.open("ab") as file:
            file.write(b"\nlove\n")
        (self.library / "other").write_text("love\n")
        server = self.serve("--timeout=60")
        common = {"action": "search", "dictionary": "book", "term": "love"}
        for more in ({}, {"ignore_case": True}, {"regex": True}, {"n_after": 1}):
            answer = server.post_query({**common, **more})
            self.assertEqual(answer.status, 400, answer)
            self.assertIn(
                "a line of the dictionary is too long", answer.json()["message"]
            )
        answer = server.post_query({"action": "all", "dictionary": "book"})
        self.assertEqual(answer.status, 400, answer)
        self.assertEqual(server.query_results(**common, nresults=1), ["love"])
        self.assertEqual(
            server.query_results(**{**common, "dictionary": "other"}), ["love"]
        )

    def test_a_service_that_was_killed_leaves_nothing_behind(self) -> None:
        """What searched, what blocked, and what was to see to that are gone."""
        line = "a" * 30_000 + "\n"
        (self.library / "book").write_text(line * 3)
        server = self.serve("--timeout=60")
        term = r"(a*)*\1\1$"
        server.connect().send_query({"action": "search", "term": term, "regex": True})
        server.connect().send_get("/wait?seconds=60")

        def searching_and_blocking() -> list[int] | None:
            children = server.search_pids()
            lines = b"".join(map(command_line, children))
            return children if term.encode() in lines else None

        wait_until(searching_and_blocking, "a long search")
        server.wait_for_search_pids(2)
        children = server.all_child_pids()
        self.assertEqual(len(children), 2 + server.helper_count)
        server.process.kill()
        for child in children:
            wait_until(partial(has_exited, child), "their end")


class DescriptorTests(LibraryTestCase):
    """Tests of machines that let a process open few files."""

    def limited_options(self, soft: int, hard: int) -> dict[str, Any]:
        """How a server is started with such limits."""
        return {"preexec_fn": lambda: setrlimit(RLIMIT_NOFILE, (soft, hard))}

    def test_the_limit_is_raised_where_it_may_be(self) -> None:
        """A service that is allowed more takes what it needs."""
        (self.library / "book").write_text("love\n")
        server = self.serve("--max-connections=500", **self.limited_options(100, 4000))
        soft, _ = prlimit(server.process.pid, RLIMIT_NOFILE)
        self.assertGreater(soft, 500)
        self.assertFalse([x for x in server.lines if "connections may be open" in x])

    def test_with_few_files_there_are_few_connections(self) -> None:
        """One too many is told to come again; nobody meets an error."""
        (self.library / "book").write_text("love\n")
        server = self.serve("--max-running=2", **self.limited_options(128, 128))
        server.wait_for_log_line(
            "No more than [0-9]+ connections may be open, not 4000"
        )
        clients = [server.connect().send_query(LOVE_QUERY) for _ in range(100)]
        statuses = Counter(client.read_response().status for client in clients)
        self.assertEqual(set(statuses), {200, 503}, statuses)
        for client in clients:
            client.close()
        wait_until(
            lambda: server.post_query(LOVE_QUERY).status == 200, "an answer as before"
        )

    def test_with_far_too_few_it_does_not_start(self) -> None:
        """And says so in one line."""
        (self.library / "book").write_text("love\n")
        with self.assertRaises(AssertionError) as raised:
            self.serve(**self.limited_options(60, 60))
        self.assertIn("too few files may be open", str(raised.exception))
