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


class ServerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(TemporaryDirectory()))
        self.library = self.folder / "library"
        self.sentences = make_sentences()
        write_library(self.library, self.sentences, big=False)
        self.query = search_query(self.sentences[0])

    def make_server(self, *commands: Sequence[str]) -> Server:
        """Make a server that consists of some commands."""
        subject = Subject("peer", lambda _: commands, parse_text_lines)
        server = Server(subject, self.folder, self.library)
        self.addCleanup(server.stop)
        return server

    def test_wrong_results_stop_the_benchmark(self) -> None:
        """All lines are compared, in order."""
        right = [x for x in small_lines(self.sentences) if self.sentences[0] in x]
        with running_servers([OURS], self.folder, self.library, self.query) as servers:
            server = servers[OURS.name]
            check_same_results([server], self.query, right)
            for wrong in (right[:1], [*right, ""], list(reversed(right))):
                error = self.assertRaises(
                    BenchmarkError, check_same_results, [server], self.query, wrong
                )
                self.assertIn("ours gives", str(error))
            self.assertRaises(BenchmarkError, server.query_lines, search_query(""))
            [pid] = server.pids()
        self.assertTrue(has_exited(pid))

    def test_a_server_that_exits_is_reported(self) -> None:
        """The message is its last line of output; its other processes are ended."""
        server = self.make_server(
            ["sleep", "60"], ["sh", "-c", "echo a; echo no port; exit 3"]
        )
        error = self.assertRaises(BenchmarkError, server.start, self.query)
        self.assertEqual(str(error), "peer exited: no port")
        server.stop()
        self.assertTrue(all(map(has_exited, server.pids())))

    def test_child_processes_are_ended_too(self) -> None:
        """This includes children that ignore SIGTERM and outlive their parent."""
        server = self.make_server()
        script = "trap '' TERM; sleep 60 & sleep 60 & trap - TERM; wait"
        server.run_command(["sh", "-c", script])
        [pid] = server.pids()
        wait_until(lambda: len(descendants(pid)) == 3, "two children")
        family = descendants(pid)
        server.stop()
        wait_until(lambda: all(map(has_exited, family)), "the end of all processes")
