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

from twisted_quotes.concurrency.limiter import ConcurrencyLimiter, SlotRequest
from twisted_quotes.concurrency.outstanding import Outstanding
from twisted_quotes.errors import BadRequest, SearchTimedOut, TooBusy
from twisted_quotes.grep import runner
from twisted_quotes.grep.arguments import GrepFailed
from twisted_quotes.grep.runner import GrepRunner, GrepSession
from twisted_quotes.monitoring.metrics import Metrics
from twisted_quotes.processes.process import Outcome
from twisted_quotes.query.queries import Pattern
from twisted_quotes.text.lines import NormalizedFile

from ..fakes import FakeProcess, FakeReactor


class GrepRunnerTestCase(SynchronousTestCase):
    """Has a runner of greps, with processes that a test ends."""

    def setUp(self) -> None:
        """Have one place, and room for one to wait."""
        self.reactor = FakeReactor()
        reactor: Any = self.reactor
        self.outstanding = Outstanding()
        self.applied_limits: list[tuple[int, float, bool]] = []
        self.metrics = Metrics()
        self.runner = GrepRunner(
            reactor,
            "/bin/grep",
            ConcurrencyLimiter(1, 1),
            10.0,
            self.outstanding,
            self.apply_limits,
            self.metrics,
        )
        self.file = self.enterContext(TemporaryFile())
        self.file.write(b"love\n" * 10)
        self.file.seek(0)

    def apply_limits(self, pid: int, seconds: float, slow: bool) -> None:
        """Note what is limited."""
        self.applied_limits.append((pid, seconds, slow))

    def acquire_slot(self) -> Deferred[GrepSession]:
        """Wait for the place."""
        return Deferred.fromCoroutine(self.runner.acquire_session())

    def run_grep(self, greps: GrepSession, regex: bool = False) -> Deferred[Outcome]:
        """Run a grep."""
        return Deferred.fromCoroutine(
            greps.run(("-c",), Pattern("love", regex=regex), self.file.fileno(), 100)
        )


class GrepRunnerTests(GrepRunnerTestCase):
    """Tests of the greps of one search."""

    def test_a_grep_is_run_as_it_is_told(self) -> None:
        """With its arguments, its environment and what it reads."""
        greps = self.successResultOf(self.acquire_slot())
        ran = self.run_grep(greps)
        [process] = self.reactor.processes
        self.assertEqual(process.arguments, ("grep", "-c"))
        self.assertEqual(process.environment, {"LC_ALL": "C"})
        self.assertEqual(process.child_fds[0], self.file.fileno())
        process.print(b"12\n")
        process.end()
        self.assertEqual(self.successResultOf(ran).stdout, b"12\n")
        self.assertEqual(self.applied_limits, [(4711, 10.0, False)])

    def test_the_grep_of_a_slow_search_is_restrained_as_such(self) -> None:
        """Each of them, also after the place was given back meanwhile."""
        claim = SlotRequest("a", slow=True)
        taken = Deferred.fromCoroutine(self.runner.acquire_session(claim))
        greps = self.successResultOf(taken)
        for _ in range(2):
            self.run_grep(greps)
            self.reactor.processes[-1].end(1)
            greps.release_slot()
        self.assertEqual([slow for _, _, slow in self.applied_limits], [True, True])

    def test_one_that_cannot_be_restrained_is_ended(self) -> None:
        """The end waits until it is gone, for nobody else does."""
        self.runner = replace(self.runner, apply_limits=self.fail_to_apply_limits)
        with self.successResultOf(self.acquire_slot()) as greps:
            self.failureResultOf(self.run_grep(greps), PermissionError)
        [process] = self.reactor.processes
        self.assertEqual((process.signals, len(self.outstanding)), (["KILL"], 1))
        process.end(signal=9)
        self.assertEqual(len(self.outstanding), 0)

    def fail_to_apply_limits(self, pid: int, seconds: float, slow: bool) -> None:
        """Let nothing be limited."""
        raise PermissionError

    def test_the_greps_of_a_search_share_its_time(self) -> None:
        """A second one has what the first one left of it."""
        greps = self.successResultOf(self.acquire_slot())
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
        self.patch(runner, "DEFAULT_MAX_OUTPUT", 1000)
        searching = self.successResultOf(self.acquire_slot())
        ran = Deferred.fromCoroutine(searching.run((), None, self.file.fileno()))
        [process] = self.reactor.processes
        process.print(b"1:love\n" * 200)
        self.assertEqual(process.signals, ["KILL"])
        # Until it is gone it may move the position of the file.
        self.assertNoResult(ran)
        process.end(signal=9)
        self.failureResultOf(ran, GrepFailed)

    def test_at_rest_it_holds_no_place(self) -> None:
        """Another may have it meanwhile; the next grep waits for it again."""
        greps = self.successResultOf(self.acquire_slot())
        greps.release_slot()
        other = self.successResultOf(self.acquire_slot())
        waiting = self.acquire_slot()
        ran = self.run_grep(greps)
        self.assertEqual(self.reactor.processes, [])
        self.assertNoResult(ran)
        self.failureResultOf(self.acquire_slot(), TooBusy)
        with other:
            pass
        with self.successResultOf(waiting):
            pass
        [process] = self.reactor.processes
        process.end()
        self.successResultOf(ran)
        with greps:
            pass
        self.successResultOf(self.acquire_slot())

    def test_after_a_rest_the_time_counts_anew(self) -> None:
        """How long its reader took is not the search's fault."""
        greps = self.successResultOf(self.acquire_slot())
        for _ in range(3):
            ran = self.run_grep(greps)
            self.reactor.advance(9)
            self.reactor.processes[-1].end()
            self.successResultOf(ran)
            greps.release_slot()

    def test_what_grep_complains_of_is_an_error(self) -> None:
        """The caller's, where a regular expression is wrong; else nobody's."""
        greps = self.successResultOf(self.acquire_slot())
        for regex, kind in ((True, BadRequest), (False, GrepFailed)):
            ran = self.run_grep(greps, regex)
            self.reactor.processes[-1].print(errors=b"grep: Unmatched (\n")
            self.reactor.processes[-1].end(2)
            self.failureResultOf(ran, kind)

    def test_a_place_is_held_while_a_killed_grep_dies(self) -> None:
        """No more greps run than may."""
        greps = self.successResultOf(self.acquire_slot())
        ran = self.run_grep(greps)
        ran.cancel()
        self.failureResultOf(ran, CancelledError)
        greps.release_slot()
        waiting = self.acquire_slot()
        self.assertNoResult(waiting)
        self.reactor.processes[0].end(signal=9)
        self.successResultOf(waiting)


class MetricsTests(GrepRunnerTestCase):
    """Tests of what is counted of greps."""

    def read_metric(self, name: str) -> float:
        """The value of a metric."""
        line = rf"^quotes_{name} ([0-9.]+)$".encode()
        [value] = re.findall(line, self.metrics.render("")[1], re.MULTILINE)
        return float(value)

    def assert_greps(self, total: int, running: int) -> None:
        """So many greps were started, and so many run."""
        counts = self.read_metric("greps_total"), self.read_metric("greps_running")
        self.assertEqual(counts, (total, running))

    def killed_count(self, reason: str) -> float:
        """How many greps were killed for a reason."""
        return self.read_metric(rf'greps_killed_total\{{reason="{reason}"\}}')

    def start_grep(self) -> tuple[Deferred[Outcome], FakeProcess]:
        """Run a grep in a place of its own."""
        ran = self.run_grep(self.successResultOf(self.acquire_new_slot()))
        return ran, self.reactor.processes[-1]

    def test_greps_are_counted_until_they_are_gone(self) -> None:
        """One that is being killed still runs."""
        ran, process = self.start_grep()
        self.assertEqual(
            (self.read_metric("greps_total"), self.read_metric("greps_running")), (1, 1)
        )
        ran.cancel()
        self.failureResultOf(ran, CancelledError)
        self.assert_greps(1, running=1)
        process.end(signal=9)
        self.assertEqual(
            (self.read_metric("greps_total"), self.read_metric("greps_running")), (1, 0)
        )

    def test_those_that_are_killed_are_counted_by_reason(self) -> None:
        """Each for one reason only."""
        ran, process = self.start_grep()
        self.reactor.advance(10)
        self.failureResultOf(ran, SearchTimedOut)
        ran, process = self.start_grep()
        ran.cancel()
        self.failureResultOf(ran, CancelledError)
        ran, process = self.start_grep()
        process.print(b"x" * 100)
        process.end(signal=9)
        self.assertFalse(self.successResultOf(ran).is_complete)
        ran, process = self.start_grep()
        process.end(signal=9)
        self.failureResultOf(ran, GrepFailed)
        ran, process = self.start_grep()
        process.end(1)
        self.successResultOf(ran)
        self.outstanding.cancel()
        ran, process = self.start_grep()
        ran.cancel()
        self.failureResultOf(ran, CancelledError)
        for reason in ("timeout", "left", "output", "outside", "shutdown"):
            self.assertEqual(self.killed_count(reason), 1, reason)

    def test_what_cannot_be_started_is_counted(self) -> None:
        """It is no grep."""
        self.reactor.spawn_error = OSError("no more processes")
        ran = self.run_grep(self.successResultOf(self.acquire_slot()))
        self.failureResultOf(ran, OSError)
        self.assertEqual(self.read_metric("spawn_failures_total"), 1)
        self.assertEqual(
            (self.read_metric("greps_total"), self.read_metric("greps_running")), (0, 0)
        )

    def test_the_bytes_that_were_searched_are_counted(self) -> None:
        """Those that grep read, not those that there are; and what it was fed."""
        ran, process = self.start_grep()
        self.file.seek(20)
        process.end()
        self.successResultOf(ran)
        self.assertEqual(self.read_metric("bytes_searched_total"), 20)
        greps = self.successResultOf(self.acquire_new_slot())
        fed = NormalizedFile(self.file)
        ran = Deferred.fromCoroutine(greps.run((), None, fed))
        self.reactor.processes[-1].end()
        self.successResultOf(ran)
        self.assertEqual(self.read_metric("bytes_searched_total"), 50)

    def acquire_new_slot(self) -> Deferred[GrepSession]:
        """Wait for one of new places."""
        self.runner = replace(self.runner, limiter=ConcurrencyLimiter(1, 1))
        return self.acquire_slot()
