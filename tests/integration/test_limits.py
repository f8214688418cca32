"""
Tests of timeouts for clients, and of resource limits.
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

from .cases import LOVE_QUERY, LibraryTestCase
from .server import command_line, has_exited, wait_until


class ClientTests(LibraryTestCase):
    """Tests of slow clients."""

    dictionaries = {"book": "love\n" * 2_000_000}

    def test_a_slow_request_is_a_408(self) -> None:
        """Bytes that arrive at a steady rate do not extend the timeout."""
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

    def test_a_client_that_reads_nothing_is_disconnected(self) -> None:
        """A client that reads slowly is not."""
        server = self.serve("--send-timeout=2")
        query = {"action": "all", "dictionary": "book"}
        stalled, slow = (server.connect(receive_buffer=4096) for _ in range(2))
        stalled.send_query(query)
        slow.send_query(query)
        poller = poll()
        poller.register(stalled.socket, 0)
        wait_until(
            lambda: slow.socket.recv(2000) and poller.poll(0),
            "the end of the stalled connection",
        )
        slow.socket.settimeout(30)
        self.assertTrue(slow.socket.recv(1))


class GrepTests(LibraryTestCase):
    """Tests of the resource limits of grep."""

    def test_memory_and_processor_time_of_grep_are_limited(self) -> None:
        """The limit of processor time is one second longer than the timeout."""
        (self.library / "book").write_text("love\n")
        _, server = self.serve_gated("--timeout=60")
        server.connect().send_query(LOVE_QUERY)
        [grep] = server.wait_for_search_pids(1)
        wait_until(lambda: prlimit(grep, RLIMIT_CPU)[0] == 61, "the limits")
        self.assertGreater(prlimit(grep, RLIMIT_AS)[0], 0)
        os.kill(grep, signal.SIGKILL)
        wait_until(lambda: has_exited(grep), "the end of grep")

    def test_a_pattern_cannot_use_all_memory(self) -> None:
        """It is rejected or times out; other searches work."""
        (self.library / "book").write_text("a" * 5000 + "\n")
        server = self.serve("--timeout=5")
        for term in ("(a{1,32767}){1,9}", "a{1,32767}b{1,32767}"):
            response = server.post_query(
                {"action": "search", "term": term, "regex": True}
            )
            self.assertIn(response.status, (400, 504), response)
        self.assertEqual(server.query_results(action="search", term="b"), [])

    def test_a_line_that_is_too_long_is_a_400(self) -> None:
        """Matches before it are found."""
        book = self.library / "book"
        # A NUL at the start would make it no dictionary.
        book.write_text("love\n" * 1000)
        os.truncate(book, 600_000_000)
        with book.open("ab") as file:
            file.write(b"\nlove\n")
        (self.library / "other").write_text("love\n")
        server = self.serve("--timeout=60")
        common = {"action": "search", "dictionary": "book", "term": "love"}
        for more in ({}, {"ignore_case": True}, {"regex": True}, {"n_after": 1}):
            response = server.post_query({**common, **more})
            self.assertEqual(response.status, 400, response)
            self.assertIn(
                "a line of the dictionary is too long", response.json()["message"]
            )
        response = server.post_query({"action": "all", "dictionary": "book"})
        self.assertEqual(response.status, 400, response)
        self.assertEqual(server.query_results(**common, nresults=1), ["love"])
        self.assertEqual(
            server.query_results(**{**common, "dictionary": "other"}), ["love"]
        )

    def test_a_killed_service_leaves_no_processes(self) -> None:
        """Greps, waits and the reaper end."""
        line = "a" * 30_000 + "\n"
        (self.library / "book").write_text(line * 3)
        server = self.serve("--timeout=60")
        term = r"(a*)*\1\1$"
        server.connect().send_query({"action": "search", "term": term, "regex": True})
        server.connect().send_get("/wait?seconds=60")
        wait_until(
            lambda: term.encode() in b"".join(map(command_line, server.search_pids())),
            "a long search",
        )
        server.wait_for_search_pids(2)
        children = server.all_child_pids()
        self.assertEqual(len(children), 2 + server.helper_count)
        server.process.kill()
        for child in children:
            wait_until(partial(has_exited, child), "the end of all processes")


class DescriptorTests(LibraryTestCase):
    """Tests of low limits of descriptors."""

    dictionaries = {"book": "love\n"}

    def limited_options(self, soft: int, hard: int) -> dict[str, Any]:
        """Return how to start a server with limits."""
        return {"preexec_fn": lambda: setrlimit(RLIMIT_NOFILE, (soft, hard))}

    def test_the_soft_limit_is_raised(self) -> None:
        """It is raised as far as the hard limit allows."""
        server = self.serve("--max-connections=500", **self.limited_options(100, 4000))
        soft, _ = prlimit(server.process.pid, RLIMIT_NOFILE)
        self.assertGreater(soft, 500)
        self.assertFalse([x for x in server.lines if "connections may be open" in x])

    def test_few_descriptors_allow_few_connections(self) -> None:
        """Further connections get a 503."""
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
            lambda: server.post_query(LOVE_QUERY).status == 200, "a result again"
        )

    def test_too_few_descriptors_stop_the_start(self) -> None:
        """One line says why."""
        with self.assertRaises(AssertionError) as raised:
            self.serve(**self.limited_options(60, 60))
        self.assertIn("too few files may be open", str(raised.exception))
        self.assertIn("--max-running", str(raised.exception))
