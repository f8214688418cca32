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
from .server import GatedGrep, Server, a_terminal, is_gone, running, until

SEARCHES, WAITS, RUNNING = 50, 20, 30
LINES = [f"line {number} of a story" for number in range(2000)]


class Outstanding:
    """
    Searches, running and waiting, and waits that are all under way in a server.

    @ivar pids: the processes that the server runs for them.
    """

    def __init__(self, server: Server) -> None:
        question = {"action": "search", "term": "line 1"}
        self.expected = [line for line in LINES if line.startswith("line 1")]
        self.waits = [server.connect().get("/wait?seconds=2") for _ in range(WAITS)]
        self.searches = [server.connect().ask(question) for _ in range(SEARCHES)]
        self.pids = server.wait_for_children(WAITS + RUNNING)

    def check(self, case: SynchronousTestCase) -> None:
        """Check that every answer is whole and right, and says it is the last."""
        for search in self.searches:
            response = search.response()
            case.assertEqual(response.status, 200)
            case.assertEqual(response.headers["connection"], "close")
            case.assertEqual(response.json()["results"], self.expected)
            case.assertTrue(search.is_at_end())
        for wait in self.waits:
            response = wait.response()
            case.assertEqual((response.status, response.json()), (200, {"waited": 2}))
            case.assertTrue(wait.is_at_end())


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
        with running(
            *self.options,
            f"--max-running={RUNNING}",
            "--search-together=no",
            f"--access-log={log}",
            environment=gated.environment,
        ) as server:
            outstanding = Outstanding(server)
            server.signal(number)
            server.wait_until_closed()
            gated.open()
            outstanding.check(self)
            self.assertEqual(server.ended(), -number)
            self.assertTrue(all(map(is_gone, outstanding.pids)))
        self.assertEqual(len(log.read_text().splitlines()), SEARCHES + WAITS)

    def test_sigterm_loses_nothing(self) -> None:
        """SIGTERM ends the server when all is answered, and every answer is logged."""
        self.check_signal(signal.SIGTERM)

    def test_sigint_loses_nothing(self) -> None:
        """SIGINT does the same."""
        self.check_signal(signal.SIGINT)

    def test_ctrl_c_at_a_terminal_loses_nothing(self) -> None:
        """Ctrl-C, which signals the running greps too, does the same."""
        terminal, at_terminal = self.enterContext(a_terminal())
        gated = GatedGrep(self.folder)
        with running(
            *self.options,
            f"--max-running={RUNNING}",
            "--search-together=no",
            environment=gated.environment,
            **at_terminal,
        ) as server:
            outstanding = Outstanding(server)
            os.write(terminal, b"\x03")
            server.wait_until_closed()
            gated.open()
            outstanding.check(self)
            self.assertEqual(server.ended(), -signal.SIGINT)
            self.assertTrue(all(map(is_gone, outstanding.pids)))

    def test_who_is_searched_for_together_is_answered(self) -> None:
        """By the grep that runs, and by the one that begins when the end has."""
        gated = GatedGrep(self.folder)
        with running(
            *self.options, "--max-running=1", environment=gated.environment
        ) as server:
            clients = [server.connect() for _ in range(30)]
            for number, client in enumerate(clients):
                client.ask({"action": "search", "term": f"line {number} of"})

            def all_wait() -> bool:
                text = f"quotes_outstanding {30 + len(server.children())}.0\n"
                return text in server.metrics()

            until(all_wait, "30 searches")
            server.signal()
            server.logged("Port [0-9]+ Closed")
            gated.open()
            for number, client in enumerate(clients):
                response = client.response()
                self.assertEqual(response.status, 200, response)
                results = response.json()["results"]
                self.assertEqual(results, [f"line {number} of a story"])
            self.assertEqual(server.ended(), -signal.SIGTERM)

    def test_a_slow_reader_gets_a_long_answer_whole(self) -> None:
        """
        Five megabytes arrive to the last byte, however late they are read, most of
        them found when the end has long begun.
        """
        long = [f"{number:>9} {'x' * 90}" for number in range(52_000)]
        (self.library / "long").write_text("\n".join(long) + "\n")
        with running(*self.options) as server:
            reader = server.connect(receive_buffer=4096)
            reader.ask({"action": "all", "dictionary": "long"})
            self.assertTrue(reader.socket.recv(1, socket.MSG_PEEK))
            server.signal()
            server.wait_until_closed()
            received = reader.response()
            self.assertEqual(received.json()["results"], long)
            self.assertGreater(len(received.body), 5_000_000)
            self.assertTrue(reader.is_at_end())
            self.assertEqual(server.ended(), -signal.SIGTERM)

    def test_a_second_signal_ends_it_within_a_second(self) -> None:
        """After a second signal all who wait get a JSON 503, and nothing is left."""
        with running(*self.options) as server:
            waits = [server.connect().get("/wait?seconds=60") for _ in range(20)]
            pids = server.wait_for_children(20)
            server.signal(signal.SIGTERM)
            server.logged("Shutting down")
            began = time.monotonic()
            server.signal(signal.SIGTERM)
            for wait in waits:
                response = wait.response()
                self.assertEqual((response.status, response.json()["Code"]), (503, 503))
                self.assertIn("retry-after", response.headers)
            self.assertEqual(server.ended(), -signal.SIGTERM)
            self.assertLess(time.monotonic() - began, 1)
            self.assertTrue(all(map(is_gone, pids)))

    def test_two_signals_at_once_are_two(self) -> None:
        """Also where both come within one turn of the reactor."""
        with running(*self.options, "--drain-delay=20") as server:
            wait = server.connect().get("/wait?seconds=60")
            server.wait_for_children(1)
            server.signal(signal.SIGSTOP)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCONT):
                server.signal(number)
            self.assertEqual(wait.response().status, 503)
            # Whichever of the two the kernel delivers first.
            self.assertIn(server.ended(), (-signal.SIGTERM, -signal.SIGINT))
            self.assertNotIn("Traceback", "\n".join(server.lines))

    def test_a_terminal_that_closes_ends_it_and_loses_nothing(self) -> None:
        """It may send SIGHUP more than once, and that hurries nothing."""
        gated = GatedGrep(self.folder)
        with ExitStack() as open_terminal:
            _, at_terminal = open_terminal.enter_context(a_terminal())
            server = self.enterContext(
                running(
                    *self.options,
                    "--search-together=no",
                    environment=gated.environment,
                    **at_terminal,
                )
            )
            asked = [
                server.connect().ask({"action": "search", "term": "line 7 "})
                for _ in range(8)
            ]
            pids = server.wait_for_children(8)
        server.logged("Received SIGHUP, shutting down")
        server.signal(signal.SIGHUP)
        server.wait_until_closed()
        gated.open()
        for each in asked:
            self.assertEqual(each.response().json()["results"], [LINES[7]])
        self.assertEqual(server.ended(), -signal.SIGHUP)
        self.assertTrue(all(map(is_gone, pids)))

    def test_sighup_without_a_terminal_opens_the_access_log_anew(self) -> None:
        """Nothing that is outstanding is lost, and the service goes on."""
        log, old = self.folder / "access.log", self.folder / "old.log"
        gated = GatedGrep(self.folder)
        with running(
            *self.options, f"--access-log={log}", environment=gated.environment
        ) as server:
            client = server.connect().ask({"action": "search", "term": "line 7 "})
            server.wait_for_children(1)
            log.rename(old)
            os.killpg(server.process.pid, signal.SIGHUP)
            server.logged("Received SIGHUP, going on")
            until(log.exists, "a new access log")
            gated.open()
            self.assertEqual(client.response().json()["results"], [LINES[7]])
            self.assertEqual(server.get("/livez").status, 200)
            lines = [each for each in server.lines if "SIGHUP" in each]
            self.assertEqual(len(lines), 1, lines)
            server.signal()
            self.assertEqual(server.ended(), -signal.SIGTERM)
        self.assertEqual(len(log.read_text().splitlines()), 2)

    def test_a_sighup_that_is_ignored_stays_ignored(self) -> None:
        """As nohup has it, with a terminal or without one."""
        prefix = ("env", "--ignore-signal=HUP")
        _, at_terminal = self.enterContext(a_terminal())
        with running(*self.options, prefix=prefix, **at_terminal) as server:
            server.signal(signal.SIGHUP)
            self.assertEqual(server.get("/livez").status, 200)
            server.signal()
            self.assertEqual(server.ended(), -signal.SIGTERM)
            self.assertNotIn("SIGHUP", "\n".join(server.lines))

    def test_a_sigint_that_is_ignored_does_not_hurry_the_end(self) -> None:
        """A shell has it ignored in what a script starts in the background."""
        prefix = ("env", "--ignore-signal=INT")
        with running(*self.options, prefix=prefix) as server:
            wait = server.connect().get("/wait?seconds=1")
            server.wait_for_children(1)
            server.signal(signal.SIGINT)
            server.signal(signal.SIGTERM)
            server.logged("Shutting down")
            server.signal(signal.SIGINT)
            self.assertEqual(wait.response().json(), {"waited": 1})
            self.assertEqual(server.ended(), -signal.SIGTERM)

    def test_the_drain_timeout_is_kept(self) -> None:
        """What takes longer than the drain timeout gets a JSON 503."""
        with running(*self.options, "--drain-timeout=0.5") as server:
            with server.connect() as wait:
                wait.get("/wait?seconds=60")
                [pid] = server.wait_for_children(1)
                began = time.monotonic()
                server.signal()
                self.assertEqual(wait.response().status, 503)
                self.assertGreater(time.monotonic() - began, 0.4)
            self.assertEqual(server.ended(10), -signal.SIGTERM)
            self.assertTrue(is_gone(pid))

    def test_indexes_being_made_do_not_hold_up_the_end(self) -> None:
        """Though it is a thread that makes them, which nobody can kill."""
        names = [f"long{number}" for number in range(4)]
        for name in names:
            (self.library / name).write_text("a\n\n" * 1_300_000)
        with running(*self.options, "--drain-timeout=0.2") as server:
            clients = [
                server.connect().ask({"action": "random", "dictionary": name})
                for name in names
            ]

            def is_building() -> bool:
                metrics = server.get("/metrics").body.decode()
                return "quotes_indexes_building 0.0" not in metrics

            until(is_building, "an index being made")
            began = time.monotonic()
            server.signal()
            for client in clients:
                self.assertEqual(client.response().status, 503)
            self.assertEqual(server.ended(), -signal.SIGTERM)
            self.assertLess(time.monotonic() - began, 3)

    def test_during_the_drain_delay_new_requests_are_served(self) -> None:
        """The listening sockets stay open during the drain delay."""
        with running(*self.options, "--drain-delay=20") as server:
            server.signal()
            server.logged("Shutting down")
            self.assertEqual(
                server.results(action="search", term="line 7 "), [LINES[7]]
            )
            server.signal()
            self.assertEqual(server.ended(), -signal.SIGTERM)

    def test_idle_connections_are_closed(self) -> None:
        """A kept-alive connection on which nothing is due does not hold up the end."""
        with running(*self.options) as server, server.connect() as idle:
            idle.get("/")
            self.assertEqual(idle.response().status, 200)
            server.signal()
            self.assertTrue(idle.is_at_end())
            self.assertEqual(server.ended(), -signal.SIGTERM)

    def test_pipelined_requests_that_had_arrived_are_answered(self) -> None:
        """All that came before the signal on one connection is answered in order."""
        with running(*self.options) as server:
            connection = server.connect().get("/wait?seconds=1")
            connection.ask({"action": "search", "term": "line 7 "}).get("/style.css")
            server.wait_for_children(1)
            server.signal()
            self.assertEqual(connection.response().json(), {"waited": 1})
            self.assertEqual(connection.response().json()["results"], [LINES[7]])
            last = connection.response()
            self.assertEqual((last.status, last.headers["connection"]), (200, "close"))
            self.assertTrue(connection.is_at_end())

    def test_new_connections_are_refused_while_it_ends(self) -> None:
        """Once the end has begun nobody can connect any more."""
        with running(*self.options) as server, server.connect() as wait:
            wait.get("/wait?seconds=2")
            server.wait_for_children(1)
            server.signal()
            server.wait_until_closed()

            def refused() -> bool:
                try:
                    server.connect().close()
                except ConnectionError:
                    return True
                return False

            until(refused, "connections refused")
            self.assertEqual(wait.response().status, 200)
            server.ended()

    def test_who_has_connected_and_asked_is_answered(self) -> None:
        """Requests that the server had no time to read before the signal are served."""
        listen = "tcp:0:interface=127.0.0.1:backlog=500"
        with running(*self.options, listen=listen) as server:
            # After a lone connection the reactor accepts no more than one at a time.
            server.get("/")
            os.kill(server.process.pid, signal.SIGSTOP)
            question = {"action": "search", "term": "line 7 "}
            asked = [server.connect().ask(question) for _ in range(200)]
            server.signal()
            os.kill(server.process.pid, signal.SIGCONT)
            for each in asked:
                self.assertEqual(each.response().json()["results"], [LINES[7]])
                each.close()
            self.assertEqual(server.ended(), -signal.SIGTERM)
