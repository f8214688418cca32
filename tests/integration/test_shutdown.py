"""
The end of the real process: nobody who asked goes without an answer.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from contextlib import ExitStack

from twisted.trial.unittest import SynchronousTestCase

from .cases import LibraryTestCase
from .fake_grep import GatedGrep
from .server import (
    Server,
    has_exited,
    open_terminal,
    running_server,
    wait_until,
)

SEARCHES, WAIT_REQUESTS, MAX_RUNNING = 50, 20, 30
LINES = [f"line {number} of a story" for number in range(2000)]


class OutstandingRequests:
    """
    Searches, running and waiting, and waits that are all under way in a server.

    @ivar pids: the processes that the server runs for them.
    """

    def __init__(self, server: Server) -> None:
        question = {"action": "search", "term": "line 1"}
        self.expected = [line for line in LINES if line.startswith("line 1")]
        self.waits = [
            server.connect().send_get("/wait?seconds=2") for _ in range(WAIT_REQUESTS)
        ]
        self.searches = [server.connect().send_query(question) for _ in range(SEARCHES)]
        self.pids = server.wait_for_search_pids(WAIT_REQUESTS + MAX_RUNNING)

    def check_responses(self, case: SynchronousTestCase) -> None:
        """Check that every answer is whole and right, and says it is the last."""
        for search in self.searches:
            response = search.read_response()
            case.assertEqual(response.status, 200)
            case.assertEqual(response.headers["connection"], "close")
            case.assertEqual(response.json()["results"], self.expected)
            case.assertTrue(search.is_closed_by_server())
        for wait in self.waits:
            response = wait.read_response()
            case.assertEqual((response.status, response.json()), (200, {"waited": 2}))
            case.assertTrue(wait.is_closed_by_server())


class ShutdownTests(LibraryTestCase):
    """What SIGTERM, SIGINT and Ctrl-C do."""

    def setUp(self) -> None:
        """Make a library."""
        super().setUp()
        (self.library / "story").write_text("\n".join(LINES) + "\n")
        # It is about searches that are under way, and not about kept answers.
        self.options = (f"--dictionaries={self.library}", "--cache-bytes=0")

    def check_signal(self, number: int) -> None:
        """Check that a signal loses nothing of all that is outstanding."""
        log = self.folder / "access.log"
        gated = GatedGrep(self.folder)
        with running_server(
            *self.options,
            f"--max-running={MAX_RUNNING}",
            "--search-together=no",
            f"--access-log={log}",
            environment=gated.environment,
        ) as server:
            outstanding = OutstandingRequests(server)
            server.send_signal(number)
            server.wait_until_ports_closed()
            gated.open_gate()
            outstanding.check_responses(self)
            self.assertEqual(server.wait_for_exit(), -number)
            self.assertTrue(all(map(has_exited, outstanding.pids)))
        self.assertEqual(len(log.read_text().splitlines()), SEARCHES + WAIT_REQUESTS)

    def test_sigterm_loses_nothing(self) -> None:
        """SIGTERM ends the server when all is answered, and every answer is logged."""
        self.check_signal(signal.SIGTERM)

    def test_sigint_loses_nothing(self) -> None:
        """SIGINT does the same."""
        self.check_signal(signal.SIGINT)

    def test_ctrl_c_at_a_terminal_loses_nothing(self) -> None:
        """Ctrl-C, which signals the running greps too, does the same."""
        terminal, at_terminal = self.enterContext(open_terminal())
        gated = GatedGrep(self.folder)
        with running_server(
            *self.options,
            f"--max-running={MAX_RUNNING}",
            "--search-together=no",
            environment=gated.environment,
            **at_terminal,
        ) as server:
            outstanding = OutstandingRequests(server)
            os.write(terminal, b"\x03")
            server.wait_until_ports_closed()
            gated.open_gate()
            outstanding.check_responses(self)
            self.assertEqual(server.wait_for_exit(), -signal.SIGINT)
            self.assertTrue(all(map(has_exited, outstanding.pids)))

    def test_who_is_searched_for_together_is_answered(self) -> None:
        """By the grep that runs, and by the one that begins when the end has."""
        gated = GatedGrep(self.folder)
        with running_server(
            *self.options, "--max-running=1", environment=gated.environment
        ) as server:
            clients = [server.connect() for _ in range(30)]
            for number, client in enumerate(clients):
                client.send_query({"action": "search", "term": f"line {number} of"})

            def all_wait() -> bool:
                text = f"quotes_outstanding {30 + len(server.search_pids())}.0\n"
                return text in server.read_metrics()

            wait_until(all_wait, "30 searches")
            server.send_signal()
            server.wait_for_log_line("Port [0-9]+ Closed")
            gated.open_gate()
            for number, client in enumerate(clients):
                response = client.read_response()
                self.assertEqual(response.status, 200, response)
                results = response.json()["results"]
                self.assertEqual(results, [f"line {number} of a story"])
            self.assertEqual(server.wait_for_exit(), -signal.SIGTERM)

    def test_a_slow_reader_gets_a_long_answer_whole(self) -> None:
        """
        Five megabytes arrive to the last byte, however late they are read, most of
        them found when the end has long begun.
        """
        long = [f"{number:>9} {'x' * 90}" for number in range(52_000)]
        (self.library / "long").write_text("\n".join(long) + "\n")
        with running_server(*self.options) as server:
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

    def test_a_second_signal_ends_it_within_a_second(self) -> None:
        """After a second signal all who wait get a JSON 503, and nothing is left."""
        with running_server(*self.options) as server:
            waits = [server.connect().send_get("/wait?seconds=60") for _ in range(20)]
            pids = server.wait_for_search_pids(20)
            server.send_signal(signal.SIGTERM)
            server.wait_for_log_line("Shutting down")
            began = time.monotonic()
            server.send_signal(signal.SIGTERM)
            for wait in waits:
                response = wait.read_response()
                self.assertEqual((response.status, response.json()["Code"]), (503, 503))
                self.assertIn("retry-after", response.headers)
            self.assertEqual(server.wait_for_exit(), -signal.SIGTERM)
            self.assertLess(time.monotonic() - began, 1)
            self.assertTrue(all(map(has_exited, pids)))

    def test_two_signals_at_once_are_two(self) -> None:
        """Also where both come within one turn of the reactor."""
        with running_server(*self.options, "--drain-delay=20") as server:
            wait = server.connect().send_get("/wait?seconds=60")
            server.wait_for_search_pids(1)
            server.send_signal(signal.SIGSTOP)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCONT):
                server.send_signal(number)
            self.assertEqual(wait.read_response().status, 503)
            # Whichever of the two the kernel delivers first.
            self.assertIn(server.wait_for_exit(), (-signal.SIGTERM, -signal.SIGINT))
            self.assertNotIn("Traceback", "\n".join(server.lines))

    def test_a_terminal_that_closes_ends_it_and_loses_nothing(self) -> None:
        """It may send SIGHUP more than once, and that hurries nothing."""
        gated = GatedGrep(self.folder)
        with ExitStack() as stack:
            _, at_terminal = stack.enter_context(open_terminal())
            server = self.enterContext(
                running_server(
                    *self.options,
                    "--search-together=no",
                    environment=gated.environment,
                    **at_terminal,
                )
            )
            connections = [
                server.connect().send_query({"action": "search", "term": "line 7 "})
                for _ in range(8)
            ]
            pids = server.wait_for_search_pids(8)
        server.wait_for_log_line("Received SIGHUP, shutting down")
        server.send_signal(signal.SIGHUP)
        server.wait_until_ports_closed()
        gated.open_gate()
        for each in connections:
            self.assertEqual(each.read_response().json()["results"], [LINES[7]])
        self.assertEqual(server.wait_for_exit(), -signal.SIGHUP)
        self.assertTrue(all(map(has_exited, pids)))

    def test_sighup_without_a_terminal_opens_the_access_log_anew(self) -> None:
        """Nothing that is outstanding is lost, and the service goes on."""
        log, old = self.folder / "access.log", self.folder / "old.log"
        gated = GatedGrep(self.folder)
        with running_server(
            *self.options, f"--access-log={log}", environment=gated.environment
        ) as server:
            client = server.connect().send_query(
                {"action": "search", "term": "line 7 "}
            )
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
            server.send_signal()
            self.assertEqual(server.wait_for_exit(), -signal.SIGTERM)
        self.assertEqual(len(log.read_text().splitlines()), 2)

    def test_a_sighup_that_is_ignored_stays_ignored(self) -> None:
        """As nohup has it, with a terminal or without one."""
        prefix = ("env", "--ignore-signal=HUP")
        _, at_terminal = self.enterContext(open_terminal())
        with running_server(*self.options, prefix=prefix, **at_terminal) as server:
            server.send_signal(signal.SIGHUP)
            self.assertEqual(server.get("/livez").status, 200)
            server.send_signal()
            self.assertEqual(server.wait_for_exit(), -signal.SIGTERM)
            self.assertNotIn("SIGHUP", "\n".join(server.lines))

    def test_a_sigint_that_is_ignored_does_not_hurry_the_end(self) -> None:
        """A shell has it ignored in what a script starts in the background."""
        prefix = ("env", "--ignore-signal=INT")
        with running_server(*self.options, prefix=prefix) as server:
            wait = server.connect().send_get("/wait?seconds=1")
            server.wait_for_search_pids(1)
            server.send_signal(signal.SIGINT)
            server.send_signal(signal.SIGTERM)
            server.wait_for_log_line("Shutting down")
            server.send_signal(signal.SIGINT)
            self.assertEqual(wait.read_response().json(), {"waited": 1})
            self.assertEqual(server.wait_for_exit(), -signal.SIGTERM)

    def test_the_drain_timeout_is_kept(self) -> None:
        """What takes longer than the drain timeout gets a JSON 503."""
        with running_server(*self.options, "--drain-timeout=0.5") as server:
            with server.connect() as wait:
                wait.send_get("/wait?seconds=60")
                [pid] = server.wait_for_search_pids(1)
                began = time.monotonic()
                server.send_signal()
                self.assertEqual(wait.read_response().status, 503)
                self.assertGreater(time.monotonic() - began, 0.4)
            self.assertEqual(server.wait_for_exit(10), -signal.SIGTERM)
            self.assertTrue(has_exited(pid))

    def test_indexes_being_made_do_not_hold_up_the_end(self) -> None:
        """Though it is a thread that makes them, which nobody can kill."""
        names = [f"long{number}" for number in range(4)]
        for name in names:
            (self.library / name).write_text("a\n\n" * 1_300_000)
        with running_server(*self.options, "--drain-timeout=0.2") as server:
            clients = [
                server.connect().send_query({"action": "random", "dictionary": name})
                for name in names
            ]

            def is_building() -> bool:
                metrics = server.get("/metrics").body.decode()
                return "quotes_indexes_building 0.0" not in metrics

            wait_until(is_building, "an index being made")
            began = time.monotonic()
            server.send_signal()
            for client in clients:
                self.assertEqual(client.read_response().status, 503)
            self.assertEqual(server.wait_for_exit(), -signal.SIGTERM)
            self.assertLess(time.monotonic() - began, 3)

    def test_during_the_drain_delay_new_requests_are_served(self) -> None:
        """The listening sockets stay open during the drain delay."""
        with running_server(*self.options, "--drain-delay=20") as server:
            server.send_signal()
            server.wait_for_log_line("Shutting down")
            self.assertEqual(
                server.query_results(action="search", term="line 7 "), [LINES[7]]
            )
            server.send_signal()
            self.assertEqual(server.wait_for_exit(), -signal.SIGTERM)

    def test_idle_connections_are_closed(self) -> None:
        """A kept-alive connection on which nothing is due does not hold up the end."""
        with running_server(*self.options) as server, server.connect() as idle:
            idle.send_get("/")
            self.assertEqual(idle.read_response().status, 200)
            server.send_signal()
            self.assertTrue(idle.is_closed_by_server())
            self.assertEqual(server.wait_for_exit(), -signal.SIGTERM)

    def test_pipelined_requests_that_had_arrived_are_answered(self) -> None:
        """All that came before the signal on one connection is answered in order."""
        with running_server(*self.options) as server:
            connection = server.connect().send_get("/wait?seconds=1")
            connection.send_query({"action": "search", "term": "line 7 "}).send_get(
                "/style.css"
            )
            server.wait_for_search_pids(1)
            server.send_signal()
            self.assertEqual(connection.read_response().json(), {"waited": 1})
            self.assertEqual(connection.read_response().json()["results"], [LINES[7]])
            last = connection.read_response()
            self.assertEqual((last.status, last.headers["connection"]), (200, "close"))
            self.assertTrue(connection.is_closed_by_server())

    def test_new_connections_are_refused_while_it_ends(self) -> None:
        """Once the end has begun nobody can connect any more."""
        with running_server(*self.options) as server, server.connect() as wait:
            wait.send_get("/wait?seconds=2")
            server.wait_for_search_pids(1)
            server.send_signal()
            server.wait_until_ports_closed()

            def refused() -> bool:
                try:
                    server.connect().close()
                except ConnectionError:
                    return True
                return False

            wait_until(refused, "connections refused")
            self.assertEqual(wait.read_response().status, 200)
            server.wait_for_exit()

    def test_who_has_connected_and_asked_is_answered(self) -> None:
        """Requests that the server had no time to read before the signal are served."""
        listen = "tcp:0:interface=127.0.0.1:backlog=500"
        with running_server(*self.options, listen=listen) as server:
            # After a lone connection the reactor accepts no more than one at a time.
            server.get("/")
            os.kill(server.process.pid, signal.SIGSTOP)
            question = {"action": "search", "term": "line 7 "}
            connections = [server.connect().send_query(question) for _ in range(200)]
            server.send_signal()
            os.kill(server.process.pid, signal.SIGCONT)
            for each in connections:
                self.assertEqual(each.read_response().json()["results"], [LINES[7]])
                each.close()
            self.assertEqual(server.wait_for_exit(), -signal.SIGTERM)
