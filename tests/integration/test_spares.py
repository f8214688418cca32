"""
Greps that are started ahead by the real process.
"""

from __future__ import annotations

import os
import signal

from .cases import LibraryTestCase
from .server import Server, is_gone, until

TEXT = "".join(f"{number} bottles of beer\n" for number in range(100))


class SparesTests(LibraryTestCase):
    """One who asks question after question, while nobody else asks anything."""

    def setUp(self) -> None:
        """Have something to search, written long ago."""
        super().setUp()
        (self.library / "book").write_text(TEXT)
        os.utime(self.library / "book", (1, 1))

    def begin(self) -> Server:
        """Serve it, and answer first questions."""
        server = self.serve("--cache-bytes=0")
        self.conversation = server.connect()
        # Nothing is started ahead for what has just changed.
        until(lambda: self.find("99") and server.spares(), "a grep started ahead")
        return server

    def find(self, term: str) -> list[str]:
        """Ask on the same connection, of the same process."""
        question = {"action": "search", "term": term, "dictionary": "book"}
        results = self.conversation.ask(question).response().json()["results"]
        assert isinstance(results, list)
        return results

    def used(self, server: Server) -> float:
        """How many were told what to look for."""
        name = 'quotes_spare_greps_total{result="used"} '
        text = server.metrics()
        return float(text.partition(name)[2].split()[0])

    def test_each_finds_all_that_there_is(self) -> None:
        """Nobody sees whether a grep was there before the question."""
        server = self.begin()
        for number in range(20):
            expected = [line for line in TEXT.splitlines() if str(number) in line]
            self.assertEqual(self.find(str(number)), expected)
        self.assertGreaterEqual(self.used(server), 20)

    def test_it_is_gone_after_a_while(self) -> None:
        """And with it the file that it had open."""
        server = self.begin()
        until(lambda: not server.spares(), "its end")

    def test_it_does_not_outlive_the_service(self) -> None:
        """It does not hold up the end, either."""
        server = self.begin()
        spares = server.spares()
        server.signal()
        self.assertEqual(server.ended(), -signal.SIGTERM)
        self.assertTrue(all(map(is_gone, spares)))

    def test_it_does_not_outlive_one_that_is_killed(self) -> None:
        """Nobody will tell it anything."""
        server = self.begin()
        spares = server.spares()
        for pid in [server.process.pid, *server.workers()]:
            os.kill(pid, signal.SIGKILL)
        until(lambda: all(map(is_gone, spares)), "its end")

    def test_a_signal_from_the_terminal_leaves_it_alone(self) -> None:
        """As it does any grep: the service itself ends it."""
        server = self.begin()
        [spare] = server.spares()
        used = self.used(server)
        os.kill(spare, signal.SIGINT)
        self.assertIn(spare, server.spares())
        self.assertEqual(self.find("42"), ["42 bottles of beer"])
        self.assertEqual(self.used(server), used + 1)

    def test_with_one_place_there_is_none(self) -> None:
        """It would be a second grep, where one may run."""
        server = self.serve("--max-running=1")
        self.conversation = server.connect()
        for number in range(10, 20):
            self.assertEqual(self.find(str(number)), [f"{number} bottles of beer"])
        name = 'quotes_spare_greps_total{result="used"} 0.0'
        self.assertIn(name, server.metrics())
