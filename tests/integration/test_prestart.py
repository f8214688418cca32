"""
Greps that are started ahead by the real process.
"""

from __future__ import annotations

import os
import signal

from .cases import LibraryTestCase
from .server import Server, has_exited, wait_until

TEXT = "".join(f"{number} bottles of beer\n" for number in range(100))


class PrestartTests(LibraryTestCase):
    """One who asks question after question, while nobody else asks anything."""

    def setUp(self) -> None:
        """Have something to search, written long ago."""
        super().setUp()
        (self.library / "book").write_text(TEXT)
        os.utime(self.library / "book", (1, 1))

    def start_server(self) -> Server:
        """Serve it, and answer first questions."""
        server = self.serve("--cache-bytes=0")
        self.connection = server.connect()
        # Nothing is started ahead for what has just changed.
        wait_until(
            lambda: self.search("99") and server.prestarted_pids(),
            "a grep started ahead",
        )
        return server

    def search(self, term: str) -> list[str]:
        """Ask on the same connection, of the same process."""
        query = {"action": "search", "term": term, "dictionary": "book"}
        results = self.connection.send_query(query).read_response().json()["results"]
        assert isinstance(results, list)
        return results

    def used_count(self, server: Server) -> float:
        """How many were told what to look for."""
        name = 'quotes_spare_greps_total{result="used"} '
        text = server.read_metrics()
        return float(text.partition(name)[2].split()[0])

    def test_each_finds_all_that_there_is(self) -> None:
        """Nobody sees whether a grep was there before the question."""
        server = self.start_server()
        for number in range(20):
            expected = [line for line in TEXT.splitlines() if str(number) in line]
            self.assertEqual(self.search(str(number)), expected)
        self.assertGreaterEqual(self.used_count(server), 20)

    def test_it_is_gone_after_a_while(self) -> None:
        """And with it the file that it had open."""
        server = self.start_server()
        wait_until(lambda: not server.prestarted_pids(), "its end")

    def test_it_does_not_outlive_the_service(self) -> None:
        """It does not hold up the end, either."""
        server = self.start_server()
        prestarted = server.prestarted_pids()
        server.send_signal()
        self.assertEqual(server.wait_for_exit(), -signal.SIGTERM)
        self.assertTrue(all(map(has_exited, prestarted)))

    def test_it_does_not_outlive_one_that_is_killed(self) -> None:
        """Nobody will tell it anything."""
        server = self.start_server()
        prestarted = server.prestarted_pids()
        for pid in [server.process.pid, *server.worker_pids()]:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: all(map(has_exited, prestarted)), "its end")

    def test_a_signal_from_the_terminal_leaves_it_alone(self) -> None:
        """As it does any grep: the service itself ends it."""
        server = self.start_server()
        [prestarted] = server.prestarted_pids()
        used = self.used_count(server)
        os.kill(prestarted, signal.SIGINT)
        self.assertIn(prestarted, server.prestarted_pids())
        self.assertEqual(self.search("42"), ["42 bottles of beer"])
        self.assertEqual(self.used_count(server), used + 1)

    def test_with_one_place_there_is_none(self) -> None:
        """It would be a second grep, where one may run."""
        server = self.serve("--max-running=1")
        self.connection = server.connect()
        for number in range(10, 20):
            self.assertEqual(self.search(str(number)), [f"{number} bottles of beer"])
        name = 'quotes_spare_greps_total{result="used"} 0.0'
        self.assertIn(name, server.read_metrics())
