"""
Tests for L{bench.servers}.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.trial.unittest import SynchronousTestCase

from bench.corpus import make_sentences, small_lines, write_library
from bench.errors import BenchmarkError
from bench.memory import descendants
from bench.ours import OURS
from bench.queries import search_query
from bench.servers import Server, check_same_results, running_servers
from bench.subjects import Subject, parse_text_lines

from ..integration.server import has_exited, wait_until


def make_subject(*commands: Sequence[str]) -> Subject:
    """A server that is some commands."""
    return Subject("peer", lambda site: commands, parse_text_lines)


class ServerTests(SynchronousTestCase):
    """Tests of servers as child processes."""

    def setUp(self) -> None:
        """Write a library."""
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.library = self.folder / "library"
        self.texts = make_sentences()
        write_library(self.library, self.texts, big=False)
        self.query = search_query(self.texts[0])

    def test_what_is_expected_is_checked(self) -> None:
        """The right lines pass; anything else stops the benchmark before it begins."""
        right = [each for each in small_lines(self.texts) if self.texts[0] in each]
        ours = OURS.make_subject(set())
        with running_servers([ours], self.folder, self.library, self.query) as servers:
            server = servers[ours.name]
            check_same_results([server], self.query, right)
            for wrong in (right[:1], [*right, ""], list(reversed(right))):
                error = self.assertRaises(
                    BenchmarkError, check_same_results, [server], self.query, wrong
                )
                self.assertIn("ours answers", str(error))
            self.assertRaises(BenchmarkError, server.query_lines, search_query(""))
            [pid] = server.pids()
        self.assertTrue(has_exited(pid))

    def test_one_that_ends_at_once_says_why(self) -> None:
        """Its last words are the reason, and the others are ended too."""
        broken = make_subject(
            ["sleep", "60"], ["sh", "-c", "echo a; echo no port; exit 3"]
        )
        server = Server(broken, self.folder, self.library)
        self.addCleanup(server.stop)
        error = self.assertRaises(BenchmarkError, server.start, self.query)
        self.assertEqual(str(error), "peer ended, saying no port")
        server.stop()
        self.assertTrue(all(map(has_exited, server.pids())))

    def test_what_it_started_ends_with_it(self) -> None:
        """Also where that does not heed SIGTERM, and outlives its parent."""
        script = "trap '' TERM; sleep 60 & sleep 60 & trap - TERM; wait"
        server = Server(make_subject(["sh", "-c", script]), self.folder, self.library)
        self.addCleanup(server.stop)
        server.run_command(["sh", "-c", script])
        [pid] = server.pids()
        wait_until(lambda: len(descendants(pid)) == 3, "two sleeping")
        family = descendants(pid)
        server.stop()
        wait_until(lambda: all(map(has_exited, family)), "none left")
