"""
Tests of the shutdown: each request that was sent gets a response.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from .cases import LibraryTestCase
from .server import (
    Server,
    has_exited,
    open_terminal,
    wait_until,
)

SEARCHES, WAIT_REQUESTS, MAX_RUNNING = 100, 20, 30
LINES = [f"line {number} of a story" for number in range(2000)]
QUERY = {"action": "search", "term": "line 7 "}


class OutstandingRequests:
    """
    Searches and waits that a server has not completed yet.

    @ivar pids: the processes that it runs for them.
    """

    def __init__(self, server: Server) -> None:
        query = {"action": "search", "term": "line 1"}
        self.expected = [line for line in LINES if line.startswith("line 1")]
        self.waits = [
            server.connect().send_get("/wait?seconds=0") for _ in range(WAIT_REQUESTS)
        ]
        self.searches = [server.connect().send_query(query) for _ in range(SEARCHES)]
        self.pids = server.wait_for_search_pids(WAIT_REQUESTS + MAX_RUNNING)

    def check_responses(self, case: SynchronousTestCase) -> None:
        """Check that each response is complete and the last of its connection."""
        for search in self.searches:
            response = search.read_response()
            case.assertEqual(response.status, 200)
            case.assertEqual(response.headers["connection"], "close")
            case.assertEqual(response.json()["results"], self.expected)
            case.assertTrue(search.is_closed_by_server())
        for wait in self.waits:
            response = wait.read_response()
            case.assertEqual((response.status, response.json()), (200, {"waited": 0}))
            case.assertTrue(wait.is_closed_by_server())


class ShutdownTests(LibraryTestCase):
    """Tests of signals."""

    dictionaries = {"story": "\n".join(LINES) + "\n"}

    def serve(self, *options: str, **kwargs: Any) -> Server:
        """Serve the library without a cache."""
        return super().serve("--cache-bytes=0", *options, **kwargs)

    def check_signal(
        self, number: int, send: Callable[[Server], object], **kwargs: Any
    ) -> None:
        """Check that a signal loses no request, and that all are logged."""
        log = self.folder / "access.log"
        gated, server = self.serve_gated(
            f"--max-running={MAX_RUNNING}",
            "--search-together=no",
            f"--access-log={log}",
            **kwargs,
        )
        outstanding = OutstandingRequests(server)
        send(server)
        server.wait_until_ports_closed()
        gated.open_gate()
        outstanding.check_responses(self)
        self.assertEqual(server.wait_for_exit(), -number)
        self.assertTrue(all(map(has_exited, outstanding.pids)))
        self.assertEqual(len(log.read_text().splitlines()), SEARCHES + WAIT_REQUESTS)

    def test_sigterm_loses_no_request(self) -> None:
        """The service completes running searches, queued searches and waits."""
        self.check_signal(signal.SIGTERM, Server.send_signal)

    def test_sigint_loses_no_request(self) -> None:
        self.check_signal(
            signal.SIGINT, lambda server: server.send_signal(signal.SIGINT)
        )

    def test_ctrl_c_loses_no_request(self) -> None:
        """The terminal also sends the signal to the greps."""
        terminal, at_terminal = self.enterContext(open_terminal())
        self.check_signal(
            signal.SIGINT, lambda _: os.write(terminal, b"\x03"), **at_terminal
        )

    def test_batched_searches_are_completed(self) -> None:
        """They are those of the running grep and of the next one."""
        gated, server = self.serve_gated("--max-running=1")
        clients = [server.connect() for _ in range(30)]
        for number, client in enumerate(clients):
            client.send_query({"action": "search", "term": f"line {number} of"})

        wait_until(
            lambda: (
                server.read_metrics()["quotes_outstanding"]
                == 30 + len(server.search_pids())
            ),
            "30 searches",
        )
        server.send_signal()
        server.wait_for_log_line("Port [0-9]+ Closed")
        gated.open_gate()
        for number, client in enumerate(clients):
            response = client.read_response()
            self.assertEqual(response.status, 200, response)
            results = response.json()["results"]
            self.assertEqual(results, [f"line {number} of a story"])
        self.assertEqual(server.wait_for_exit(), -signal.SIGTERM)

    def test_a_slow_client_gets_a_complete_long_response(self) -> None:
        """Most of its five megabytes are found after the signal."""
        long = [f"{number:>9} {'x' * 90}" for number in range(52_000)]
        (self.library / "long").write_text("\n".join(long) + "\n")
        server = self.serve()
        reader = server.connect(receive_buffer=4096)
        reader.send_query({"action": "all", "dictionary": "long"})
        self.assertTrue(reader.socket.recv(1, socket.MSG_PEEK))
        server.send_signal()
        server.wait_until_ports_closed()
        received = reader.read_response()
        self.assertEqual(received.json()["results"], long)
        self.assertGreater(len(received.body), 5_000_000)
        self.assertTrue(reader.is_closed_by_server())
        self.assertEqual(server.wait_for_exit(), -signal.SIGTERM)

    def test_a_second_signal_forces_the_shutdown(self) -> None:
        """Waiting requests get a 503."""
        server = self.serve()
        waits = [server.connect().send_get("/wait?seconds=60") for _ in range(20)]
        pids = server.wait_for_search_pids(20)
        server.send_signal(signal.SIGTERM)
        server.wait_for_log_line("Shutting down")
        start = time.monotonic()
        server.send_signal(signal.SIGTERM)
        for wait in waits:
            response = wait.read_response()
            self.assertEqual((response.status, response.json()["Code"]), (503, 503))
            self.assertIn("retry-after", response.headers)
        self.assertEqual(server.wait_for_exit(), -signal.SIGTERM)
        self.assertLess(time.monotonic() - start, 30)
        self.assertTrue(all(map(has_exited, pids)))

    def test_two_signals_at_once_force_the_shutdown(self) -> None:
        """The reactor may receive both in one iteration."""
        server = self.serve("--drain-delay=20")
        wait = server.connect().send_get("/wait?seconds=60")
        server.wait_for_search_pids(1)
        server.send_signal(signal.SIGSTOP)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCONT):
            server.send_signal(number)
        self.assertEqual(wait.read_response().status, 503)
        # The kernel may deliver either signal first.
        self.assertIn(server.wait_for_exit(), (-signal.SIGTERM, -signal.SIGINT))
        self.assertNotIn("Traceback", "\n".join(server.lines))

    def test_closing_the_terminal_loses_no_request(self) -> None:
        """A second SIGHUP does not force the shutdown."""
        with open_terminal() as (_, at_terminal):
            # Each worker has enough slots for all searches.
            gated, server = self.serve_gated(
                "--search-together=no", "--max-running=40", **at_terminal
            )
            connections = [server.connect().send_query(QUERY) for _ in range(8)]
            pids = server.wait_for_search_pids(8)
        server.wait_for_log_line("Received SIGHUP, shutting down")
        server.send_signal(signal.SIGHUP)
        server.wait_until_ports_closed()
        gated.open_gate()
        for each in connections:
            self.assertEqual(each.read_response().json()["results"], [LINES[7]])
        self.assertEqual(server.wait_for_exit(), -signal.SIGHUP)
        self.assertTrue(all(map(has_exited, pids)))

    def test_sighup_without_a_terminal_reopens_the_access_log(self) -> None:
        """The service continues."""
        log, old = self.folder / "access.log", self.folder / "old.log"
        gated, server = self.serve_gated(f"--access-log={log}")
        client = server.connect().send_query(QUERY)
        server.wait_for_search_pids(1)
        log.rename(old)
        os.killpg(server.process.pid, signal.SIGHUP)
        server.wait_for_log_line("Received SIGHUP, going on")
        wait_until(log.exists, "a new access log")
        gated.open_gate()
        self.assertEqual(client.read_response().json()["results"], [LINES[7]])
        self.assertEqual(server.get("/livez").status, 200)
        lines = [each for each in server.lines if "SIGHUP" in each]
        self.assertEqual(len(lines), 1, lines)
        server.stop()
        self.assertEqual(len(log.read_text().splitlines()), 2)

    def test_an_ignored_sighup_stays_ignored(self) -> None:
        """C{nohup} starts programs with SIGHUP ignored."""
        _, at_terminal = self.enterContext(open_terminal())
        server = self.serve(prefix=("env", "--ignore-signal=HUP"), **at_terminal)
        server.send_signal(signal.SIGHUP)
        self.assertEqual(server.get("/livez").status, 200)
        server.stop()
        self.assertNotIn("SIGHUP", "\n".join(server.lines))

    def test_an_ignored_sigint_does_not_force_the_shutdown(self) -> None:
        """A shell ignores it in background processes."""
        gated, server = self.serve_gated(prefix=("env", "--ignore-signal=INT"))
        wait = server.connect().send_get("/wait?seconds=0")
        server.wait_for_search_pids(1)
        server.send_signal(signal.SIGINT)
        server.send_signal(signal.SIGTERM)
        server.wait_for_log_line("Shutting down")
        server.send_signal(signal.SIGINT)
        server.wait_until_ports_closed()
        gated.open_gate()
        self.assertEqual(wait.read_response().json(), {"waited": 0})
        self.assertEqual(server.wait_for_exit(), -signal.SIGTERM)

    def test_the_drain_timeout_ends_requests_with_a_503(self) -> None:
        server = self.serve("--drain-timeout=0.5")
        with server.connect() as wait:
            wait.send_get("/wait?seconds=60")
            [pid] = server.wait_for_search_pids(1)
            start = time.monotonic()
            server.send_signal()
            self.assertEqual(wait.read_response().status, 503)
            self.assertGreater(time.monotonic() - start, 0.4)
        self.assertEqual(server.wait_for_exit(10), -signal.SIGTERM)
        self.assertTrue(has_exited(pid))

    def test_builds_in_threads_do_not_delay_the_exit(self) -> None:
        """The process exits although the threads still run."""
        names = [f"long{number}" for number in range(4)]
        for name in names:
            (self.library / name).write_text("a\n\n" * 1_300_000)
        cache = self.folder / "cache"
        server = self.serve(
            "--drain-timeout=0.2", environment={"TWISTED_QUOTES_CACHE_DIR": str(cache)}
        )
        clients = [
            server.connect().send_query({"action": "random", "dictionary": name})
            for name in names
        ]

        def is_building() -> bool:
            metrics = server.get("/metrics").body.decode()
            return "quotes_indexes_building 0.0" not in metrics

        wait_until(is_building, "the build of an index")
        server.send_signal()
        for client in clients:
            self.assertEqual(client.read_response().status, 503)
        self.assertEqual(server.wait_for_exit(), -signal.SIGTERM)
        complete = [x for x in os.listdir(cache) if not x.startswith("building")]
        self.assertLess(len(complete), len(names))

    def test_during_the_drain_delay_new_requests_are_served(self) -> None:
        """The listening sockets stay open."""
        server = self.serve("--drain-delay=20")
        server.send_signal()
        server.wait_for_log_line("Shutting down")
        self.assertEqual(server.query_results(**QUERY), [LINES[7]])
        server.stop()

    def test_idle_connections_are_closed(self) -> None:
        """They do not delay the shutdown."""
        server = self.serve()
        idle = server.connect().send_get("/")
        self.assertEqual(idle.read_response().status, 200)
        server.stop()
        self.assertTrue(idle.is_closed_by_server())

    def test_pipelined_requests_get_their_responses(self) -> None:
        """The responses are in the order of the requests."""
        gated, server = self.serve_gated()
        connection = server.connect().send_get("/wait?seconds=0")
        connection.send_query(QUERY).send_get("/static/style.css")
        server.wait_for_search_pids(1)
        server.send_signal()
        server.wait_until_ports_closed()
        gated.open_gate()
        self.assertEqual(connection.read_response().json(), {"waited": 0})
        self.assertEqual(connection.read_response().json()["results"], [LINES[7]])
        last = connection.read_response()
        self.assertEqual((last.status, last.headers["connection"]), (200, "close"))
        self.assertTrue(connection.is_closed_by_server())

    def test_new_connections_are_refused_during_a_shutdown(self) -> None:
        gated, server = self.serve_gated()
        wait = server.connect().send_get("/wait?seconds=0")
        server.wait_for_search_pids(1)
        server.send_signal()
        server.wait_until_ports_closed()

        def is_refused() -> bool:
            try:
                server.connect().close()
            except ConnectionError:
                return True
            return False

        wait_until(is_refused, "a refused connection")
        gated.open_gate()
        self.assertEqual(wait.read_response().status, 200)
        server.wait_for_exit()

    def test_requests_that_were_not_read_yet_are_served(self) -> None:
        """Their connections are in the backlog of the listening socket."""
        server = self.serve(listen="tcp:0:interface=127.0.0.1:backlog=500")
        # After a single connection, the reactor accepts only one at a time.
        server.get("/")
        os.kill(server.process.pid, signal.SIGSTOP)
        connections = [server.connect().send_query(QUERY) for _ in range(200)]
        server.send_signal()
        os.kill(server.process.pid, signal.SIGCONT)
        for each in connections:
            self.assertEqual(each.read_response().json()["results"], [LINES[7]])
            each.close()
        self.assertEqual(server.wait_for_exit(), -signal.SIGTERM)
