"""
Tests for L{twisted_quotes.grep.runner}.
"""

from __future__ import annotations

import re
from dataclasses import replace
from tempfile import TemporaryFile
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.concurrency.limiter import Claim, Places
from twisted_quotes.concurrency.outstanding import Outstanding
from twisted_quotes.errors import BadRequest, SearchTimedOut, TooBusy
from twisted_quotes.grep import runner as module
from twisted_quotes.grep.arguments import GrepFailed
from twisted_quotes.grep.runner import GrepRunner, Greps
from twisted_quotes.monitoring.metrics import Metrics
from twisted_quotes.processes.process import Outcome
from twisted_quotes.text.lines import NormalizedFile

from ..fakes import FakeProcess, FakeReactor


class GrepsTestCase(SynchronousTestCase):
    """Has a runner of greps, with processes that a test ends."""

    def setUp(self) -> None:
        """Have one place, and room for one to wait."""
        self.reactor = FakeReactor()
        reactor: Any = self.reactor
        self.outstanding = Outstanding()
        self.restrained: list[tuple[int, float, bool]] = []
        self.metrics = Metrics()
        self.runner = GrepRunner(
            reactor,
            "/bin/grep",
            Places(1, 1),
            10.0,
            self.outstanding,
            self.restrain,
            self.metrics,
        )
        self.file = self.enterContext(TemporaryFile())
        self.file.write(b"love\n" * 10)
        self.file.seek(0)

    def restrain(self, pid: int, seconds: float, slow: bool) -> None:
        """Note what is limited."""
        self.restrained.append((pid, seconds, slow))

    def take_place(self) -> Deferred[Greps]:
        """Wait for the place."""
        return Deferred.fromCoroutine(self.runner.take_place())

    def run_grep(self, greps: Greps, regex: bool = False) -> Deferred[Outcome]:
        """Run a grep."""
        return Deferred.fromCoroutine(
            greps.run(("-c",), {"A": "b"}, self.file.fileno(), regex, 100)
        )


class GrepsTests(GrepsTestCase):
    """Tests of the greps of one search."""

    def test_a_grep_is_run_as_it_is_told(self) -> None:
        """With its arguments, its environment and what it reads."""
        greps = self.successResultOf(self.take_place())
        ran = self.run_grep(greps)
        [process] = self.reactor.processes
        self.assertEqual(process.arguments, ("grep", "-c"))
        self.assertEqual(process.environment, {"A": "b"})
        self.assertEqual(process.child_fds[0], self.file.fileno())
        process.print(b"12\n")
        process.end()
        self.assertEqual(self.successResultOf(ran).output, b"12\n")
        self.assertEqual(self.restrained, [(4711, 10.0, False)])

    def test_the_grep_of_a_slow_search_is_restrained_as_such(self) -> None:
        """Each of them, also after the place was given back meanwhile."""
        claim = Claim("a", slow=True)
        taken = Deferred.fromCoroutine(self.runner.take_place(claim))
        greps = self.successResultOf(taken)
        for _ in range(2):
            self.run_grep(greps)
            self.reactor.processes[-1].end(1)
            greps.rest()
        self.assertEqual([slow for _, _, slow in self.restrained], [True, True])

    def test_one_that_cannot_be_restrained_is_ended(self) -> None:
        """The end waits until it is gone, for nobody else does."""
        self.runner = replace(self.runner, restrain=self.forbid)
        with self.successResultOf(self.take_place()) as greps:
            self.failureResultOf(self.run_grep(greps), PermissionError)
        [process] = self.reactor.processes
        self.assertEqual((process.signals, len(self.outstanding)), (["KILL"], 1))
        process.end(signal=9)
        self.assertEqual(len(self.outstanding), 0)

    def forbid(self, pid: int, seconds: float, slow: bool) -> None:
        """Let nothing be limited."""
        raise PermissionError

    def test_the_greps_of_a_search_share_its_time(self) -> None:
        """A second one has what the first one left of it."""
        greps = self.successResultOf(self.take_place())
        first = self.run_grep(greps)
        self.reactor.advance(6)
        self.reactor.processes[0].end()
        self.successResultOf(first)
        self.reactor.advance(100)
        second = self.run_grep(greps)
        self.reactor.advance(3.9)
        self.assertNoResult(second)
        self.reactor.advance(0.2)
        self.failureResultOf(second, SearchTimedOut)
        self.assertEqual(self.reactor.processes[1].signals, ["KILL"])
        self.reactor.processes[1].end(signal=9)
        self.assertEqual(len(self.outstanding), 0)

    def test_a_grep_that_floods_is_ended(self) -> None:
        """It prints more than it can have been asked for."""
        self.patch(module, "MOST_OUTPUT", 1000)
        searching = self.successResultOf(self.take_place())
        ran = Deferred.fromCoroutine(searching.run((), {}, self.file.fileno()))
        [process] = self.reactor.processes
        process.print(b"1:love\n" * 200)
        self.assertEqual(process.signals, ["KILL"])
        # Until it is gone it may move the position of the file.
        self.assertNoResult(ran)
        process.end(signal=9)
        self.failureResultOf(ran, GrepFailed)

    def test_at_rest_it_holds_no_place(self) -> None:
        """Another may have it meanwhile; the next grep waits for it again."""
        greps = self.successResultOf(self.take_place())
        greps.rest()
        other = self.successResultOf(self.take_place())
        waiting = self.take_place()
        ran = self.run_grep(greps)
        self.assertEqual(self.reactor.processes, [])
        self.assertNoResult(ran)
        self.failureResultOf(self.take_place(), TooBusy)
        with other:
            pass
        with self.successResultOf(waiting):
            pass
        [process] = self.reactor.processes
        process.end()
        self.successResultOf(ran)
        with greps:
            pass
        self.successResultOf(self.take_place())

    def test_after_a_rest_the_time_counts_anew(self) -> None:
        """How long its reader took is not the search's fault."""
        greps = self.successResultOf(self.take_place())
        for _ in range(3):
            ran = self.run_grep(greps)
            self.reactor.advance(9)
            self.reactor.processes[-1].end()
            self.successResultOf(ran)
            greps.rest()

    def test_what_grep_complains_of_is_an_error(self) -> None:
        """The caller's, where a regular expression is wrong; else nobody's."""
        greps = self.successResultOf(self.take_place())
        for regex, kind in ((True, BadRequest), (False, GrepFailed)):
            ran = self.run_grep(greps, regex)
            self.reactor.processes[-1].print(errors=b"grep: Unmatched (\n")
            self.reactor.processes[-1].end(2)
            self.failureResultOf(ran, kind)

    def test_a_place_is_held_while_a_killed_grep_dies(self) -> None:
        """No more greps run than may."""
        greps = self.successResultOf(self.take_place())
        ran = self.run_grep(greps)
        ran.cancel()
        self.failureResultOf(ran, CancelledError)
        greps.rest()
        waiting = self.take_place()
        self.assertNoResult(waiting)
        self.reactor.processes[0].end(signal=9)
        self.successResultOf(waiting)


class MetricsTests(GrepsTestCase):
    """Tests of what is counted of greps."""

    def count(self, name: str) -> float:
        """The value of a metric."""
        line = rf"^quotes_{name} ([0-9.]+)$".encode()
        [value] = re.findall(line, self.metrics.text("")[1], re.MULTILINE)
        return float(value)

    def assert_greps(self, total: int, running: int) -> None:
        """So many greps were started, and so many run."""
        counts = self.count("greps_total"), self.count("greps_running")
        self.assertEqual(counts, (total, running))

    def killed(self, reason: str) -> float:
        """How many greps were killed for a reason."""
        return self.count(rf'greps_killed_total\{{reason="{reason}"\}}')

    def start(self) -> tuple[Deferred[Outcome], FakeProcess]:
        """Run a grep in a place of its own."""
        ran = self.run_grep(self.successResultOf(self.take_place_anew()))
        return ran, self.reactor.processes[-1]

    def test_greps_are_counted_until_they_are_gone(self) -> None:
        """One that is being killed still runs."""
        ran, process = self.start()
        self.assertEqual(
            (self.count("greps_total"), self.count("greps_running")), (1, 1)
        )
        ran.cancel()
        self.failureResultOf(ran, CancelledError)
        self.assert_greps(1, running=1)
        process.end(signal=9)
        self.assertEqual(
            (self.count("greps_total"), self.count("greps_running")), (1, 0)
        )

    def test_those_that_are_killed_are_counted_by_reason(self) -> None:
        """Each for one reason only."""
        ran, process = self.start()
        self.reactor.advance(10)
        self.failureResultOf(ran, SearchTimedOut)
        ran, process = self.start()
        ran.cancel()
        self.failureResultOf(ran, CancelledError)
        ran, process = self.start()
        process.print(b"x" * 100)
        process.end(signal=9)
        self.assertFalse(self.successResultOf(ran).is_whole)
        ran, process = self.start()
        process.end(signal=9)
        self.failureResultOf(ran, GrepFailed)
        ran, process = self.start()
        process.end(1)
        self.successResultOf(ran)
        self.outstanding.cancel()
        ran, process = self.start()
        ran.cancel()
        self.failureResultOf(ran, CancelledError)
        for reason in ("timeout", "left", "output", "outside", "shutdown"):
            self.assertEqual(self.killed(reason), 1, reason)

    def test_what_cannot_be_started_is_counted(self) -> None:
        """It is no grep."""
        self.reactor.spawn_error = OSError("no more processes")
        ran = self.run_grep(self.successResultOf(self.take_place()))
        self.failureResultOf(ran, OSError)
        self.assertEqual(self.count("spawn_failures_total"), 1)
        self.assertEqual(
            (self.count("greps_total"), self.count("greps_running")), (0, 0)
        )

    def test_the_bytes_that_were_searched_are_counted(self) -> None:
        """Those that grep read, not those that there are; and what it was fed."""
        ran, process = self.start()
        self.file.seek(20)
        process.end()
        self.successResultOf(ran)
        self.assertEqual(self.count("bytes_searched_total"), 20)
        greps = self.successResultOf(self.take_place_anew())
        fed = NormalizedFile(self.file)
        ran = Deferred.fromCoroutine(greps.run((), {}, fed))
        self.reactor.processes[-1].end()
        self.successResultOf(ran)
        self.assertEqual(self.count("bytes_searched_total"), 50)

    def take_place_anew(self) -> Deferred[Greps]:
        """Wait for one of new places."""
        self.runner = replace(self.runner, places=Places(1, 1))
        return self.take_place()
