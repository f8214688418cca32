"""
Tests for L{bench.servers}.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.trial.unittest import SynchronousTestCase

from bench.corpus import sentences, small_lines, write_library
from bench.errors import BenchmarkError
from bench.memory import descendants
from bench.ours import OURS
from bench.questions import search
from bench.servers import Server, check_same_answers, running
from bench.subjects import Subject, text_lines

from ..integration.server import is_gone, until


def subject(*commands: Sequence[str]) -> Subject:
    """A server that is some commands."""
    return Subject("peer", lambda site: commands, text_lines)


class ServerTests(SynchronousTestCase):
    """Tests of servers as child processes."""

    def setUp(self) -> None:
        """Write a library."""
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.library = self.folder / "library"
        self.texts = sentences()
        write_library(self.library, self.texts, big=False)
        self.question = search(self.texts[0])

    def test_what_is_expected_is_checked(self) -> None:
        """The right lines pass; anything else stops the benchmark before it begins."""
        right = [each for each in small_lines(self.texts) if self.texts[0] in each]
        ours = OURS.subject(set())
        with running([ours], self.folder, self.library, self.question) as servers:
            server = servers[ours.name]
            check_same_answers([server], self.question, right)
            for wrong in (right[:1], [*right, ""], list(reversed(right))):
                error = self.assertRaises(
                    BenchmarkError, check_same_answers, [server], self.question, wrong
                )
                self.assertIn("ours answers", str(error))
            self.assertRaises(BenchmarkError, server.lines, search(""))
            [pid] = server.pids()
        self.assertTrue(is_gone(pid))

    def test_one_that_ends_at_once_says_why(self) -> None:
        """Its last words are the reason, and the others are ended too."""
        broken = subject(["sleep", "60"], ["sh", "-c", "echo a; echo no port; exit 3"])
        server = Server(broken, self.folder, self.library)
        self.addCleanup(server.stop)
        error = self.assertRaises(BenchmarkError, server.start, self.question)
        self.assertEqual(str(error), "peer ended, saying no port")
        server.stop()
        self.assertTrue(all(map(is_gone, server.pids())))

    def test_what_it_started_ends_with_it(self) -> None:
        """Also where that does not heed SIGTERM, and outlives its parent."""
        script = "trap '' TERM; sleep 60 & sleep 60 & trap - TERM; wait"
        server = Server(subject(["sh", "-c", script]), self.folder, self.library)
        self.addCleanup(server.stop)
        server.run(["sh", "-c", script])
        [pid] = server.pids()
        until(lambda: len(descendants(pid)) == 3, "two sleeping")
        family = descendants(pid)
        server.stop()
        until(lambda: all(map(is_gone, family)), "none left")
