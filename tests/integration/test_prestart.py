"""
Tests of prestarted greps in the real process.
"""

from __future__ import annotations

import os
import signal

from .cases import LibraryTestCase
from .server import Server, has_exited, wait_until

TEXT = "".join(f"{number} bottles of beer\n" for number in range(100))


class PrestartTests(LibraryTestCase):
    """Tests of one client that searches repeatedly."""

    def setUp(self) -> None:
        """
        Write an old dictionary: nothing is prestarted for one that has just changed.
        """
        super().setUp()
        (self.library / "book").write_text(TEXT)
        os.utime(self.library / "book", (1, 1))

    def start_server(self) -> Server:
        """Serve it, and search until a grep is prestarted."""
        server = self.serve("--cache-bytes=0")
        self.connection = server.connect()
        wait_until(
            lambda: self.search("99") and server.prestarted_pids(),
            "a prestarted grep",
        )
        return server

    def search(self, term: str) -> list[str]:
        """Search on the same connection, in the same process."""
        query = {"action": "search", "term": term, "dictionary": "book"}
        results = self.connection.send_query(query).read_response().json()["results"]
        assert isinstance(results, list)
        return results

    def used_count(self, server: Server) -> float:
        """Return how many prestarted greps were used."""
        return server.read_metrics()['quotes_spare_greps_total{result="used"}']

    def test_prestarted_greps_find_all_lines(self) -> None:
        server = self.start_server()
        for number in range(20):
            expected = [line for line in TEXT.splitlines() if str(number) in line]
            self.assertEqual(self.search(str(number)), expected)
        self.assertGreaterEqual(self.used_count(server), 20)

    def test_a_prestarted_grep_ends_after_some_time(self) -> None:
        """Otherwise it would keep its dictionary open."""
        server = self.start_server()
        wait_until(
            lambda: not server.prestarted_pids(), "the end of the prestarted grep"
        )

    def test_a_shutdown_ends_prestarted_greps(self) -> None:
        server = self.start_server()
        prestarted = server.prestarted_pids()
        server.stop()
        self.assertTrue(all(map(has_exited, prestarted)))

    def test_prestarted_greps_end_if_the_service_is_killed(self) -> None:
        server = self.start_server()
        prestarted = server.prestarted_pids()
        for pid in [server.process.pid, *server.worker_pids()]:
            os.kill(pid, signal.SIGKILL)
        wait_until(
            lambda: all(map(has_exited, prestarted)), "the end of the prestarted grep"
        )

    def test_a_prestarted_grep_ignores_signals_from_a_terminal(self) -> None:
        """Only the service ends it."""
        server = self.start_server()
        [prestarted] = server.prestarted_pids()
        used = self.used_count(server)
        os.kill(prestarted, signal.SIGINT)
        self.assertIn(prestarted, server.prestarted_pids())
        self.assertEqual(self.search("42"), ["42 bottles of beer"])
        self.assertEqual(self.used_count(server), used + 1)

    def test_with_one_slot_no_grep_is_prestarted(self) -> None:
        """It would be a second grep, above the limit."""
        server = self.serve("--max-running=1")
        self.connection = server.connect()
        for number in range(10, 20):
            self.assertEqual(self.search(str(number)), [f"{number} bottles of beer"])
        self.assertEqual(self.used_count(server), 0)
