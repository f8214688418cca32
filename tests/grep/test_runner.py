"""
Tests for L{twisted_quotes.grep.runner}.
"""

from __future__ import annotations

from dataclasses import replace
from tempfile import TemporaryFile
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.concurrency.limiter import ConcurrencyLimiter, SlotRequest
from twisted_quotes.concurrency.outstanding import Outstanding
from twisted_quotes.errors import BadRequest, SearchTimedOut, TooBusy
from twisted_quotes.grep.arguments import GrepFailed
from twisted_quotes.grep.runner import GrepRunner, GrepSession
from twisted_quotes.monitoring.metrics import Metrics
from twisted_quotes.processes.process import Outcome
from twisted_quotes.query.selection import Pattern
from twisted_quotes.text.lines import NormalizedFile

from ..fakes import FakeProcess, FakeReactor
from ..metrics import metric_values


class GrepRunnerTestCase(SynchronousTestCase):
    """Has a runner with one slot, and processes that a test ends."""

    def setUp(self) -> None:
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
        """Record the limits."""
        self.applied_limits.append((pid, seconds, slow))

    def acquire_session(self) -> Deferred[GrepSession]:
        """Wait for a session."""
        return Deferred.fromCoroutine(self.runner.acquire_session(SlotRequest()))

    def run_grep(self, greps: GrepSession, regex: bool = False) -> Deferred[Outcome]:
        """Run a grep."""
        return Deferred.fromCoroutine(
            greps.run(("-c",), Pattern("love", regex=regex), self.file.fileno(), 100)
        )


class GrepRunnerTests(GrepRunnerTestCase):
    """Tests for running the greps of one search."""

    def test_a_grep_gets_arguments_environment_and_input(self) -> None:
        greps = self.successResultOf(self.acquire_session())
        ran = self.run_grep(greps)
        [process] = self.reactor.processes
        self.assertEqual(process.arguments, ("grep", "-c"))
        self.assertEqual(process.environment, {"LC_ALL": "C"})
        self.assertEqual(process.child_fds[0], self.file.fileno())
        process.print(b"12\n")
        process.end()
        self.assertEqual(self.successResultOf(ran).stdout, b"12\n")
        self.assertEqual(self.applied_limits, [(4711, 10.0, False)])

    def test_the_greps_of_a_slow_search_get_the_limits_of_slow_ones(self) -> None:
        """Also after the slot was released."""
        claim = SlotRequest("a", slow=True)
        taken = Deferred.fromCoroutine(self.runner.acquire_session(claim))
        greps = self.successResultOf(taken)
        for _ in range(2):
            self.run_grep(greps)
            self.reactor.processes[-1].end(1)
            greps.release_slot()
        self.assertEqual([slow for _, _, slow in self.applied_limits], [True, True])

    def test_a_grep_without_limits_is_killed(self) -> None:
        """The shutdown waits until it has ended."""
        self.runner = replace(self.runner, apply_limits=self.fail_to_apply_limits)
        with self.successResultOf(self.acquire_session()) as greps:
            self.failureResultOf(self.run_grep(greps), PermissionError)
        [process] = self.reactor.processes
        self.assertEqual((process.signals, len(self.outstanding)), (["KILL"], 1))
        process.end(signal=9)
        self.assertEqual(len(self.outstanding), 0)

    def fail_to_apply_limits(self, pid: int, seconds: float, slow: bool) -> None:
        """Raise an error."""
        raise PermissionError

    def test_the_greps_of_a_search_share_its_time_limit(self) -> None:
        greps = self.successResultOf(self.acquire_session())
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

    def test_a_grep_with_too_much_output_is_killed(self) -> None:
        """The result waits for its end: it may move the offset of the file."""
        searching = self.successResultOf(self.acquire_session())
        ran = Deferred.fromCoroutine(searching.run((), None, self.file.fileno()))
        [process] = self.reactor.processes
        process.print(b"1:love\n" * 200)
        self.assertEqual(process.signals, ["KILL"])
        # Until it is gone it may move the position of the file.
        self.assertNoResult(ran)
        process.end(signal=9)
        self.failureResultOf(ran, GrepFailed)

    def test_a_session_can_release_its_slot_between_greps(self) -> None:
        """The next grep waits for a slot, even if the queue is full."""
        greps = self.successResultOf(self.acquire_session())
        greps.release_slot()
        other = self.successResultOf(self.acquire_session())
        waiting = self.acquire_session()
        ran = self.run_grep(greps)
        self.assertEqual(self.reactor.processes, [])
        self.assertNoResult(ran)
        self.failureResultOf(self.acquire_session(), TooBusy)
        with other:
            pass
        with self.successResultOf(waiting):
            pass
        [process] = self.reactor.processes
        process.end()
        self.successResultOf(ran)
        with greps:
            pass
        self.successResultOf(self.acquire_session())

    def test_releasing_the_slot_resets_the_time_limit(self) -> None:
        greps = self.successResultOf(self.acquire_session())
        for _ in range(3):
            ran = self.run_grep(greps)
            self.reactor.advance(9)
            self.reactor.processes[-1].end()
            self.successResultOf(ran)
            greps.release_slot()

    def test_an_error_of_grep_depends_on_the_pattern(self) -> None:
        greps = self.successResultOf(self.acquire_session())
        for regex, kind in ((True, BadRequest), (False, GrepFailed)):
            ran = self.run_grep(greps, regex)
            self.reactor.processes[-1].print(errors=b"grep: Unmatched (\n")
            self.reactor.processes[-1].end(2)
            self.failureResultOf(ran, kind)

    def test_a_slot_is_held_until_a_killed_grep_has_ended(self) -> None:
        greps = self.successResultOf(self.acquire_session())
        ran = self.run_grep(greps)
        ran.cancel()
        self.failureResultOf(ran, CancelledError)
        greps.release_slot()
        waiting = self.acquire_session()
        self.assertNoResult(waiting)
        self.reactor.processes[0].end(signal=9)
        self.successResultOf(waiting)


class MetricsTests(GrepRunnerTestCase):
    """Tests for the metrics of greps."""

    def read_metric(self, name: str) -> float:
        """Return the value of a metric."""
        return metric_values(self.metrics)[f"quotes_{name}"]

    def assert_greps(self, total: int, running: int) -> None:
        """Assert how many greps were started, and how many are running."""
        counts = self.read_metric("greps_total"), self.read_metric("greps_running")
        self.assertEqual(counts, (total, running))

    def killed_count(self, reason: str) -> float:
        """Return how many greps were killed for a reason."""
        return self.read_metric(f'greps_killed_total{{reason="{reason}"}}')

    def start_grep(self) -> tuple[Deferred[Outcome], FakeProcess]:
        """Run a grep in a new slot."""
        ran = self.run_grep(self.successResultOf(self.acquire_new_slot()))
        return ran, self.reactor.processes[-1]

    def test_greps_are_counted_until_they_have_ended(self) -> None:
        ran, process = self.start_grep()
        self.assert_greps(1, running=1)
        ran.cancel()
        self.failureResultOf(ran, CancelledError)
        self.assert_greps(1, running=1)
        process.end(signal=9)
        self.assert_greps(1, running=0)

    def test_killed_greps_are_counted_by_reason(self) -> None:
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

    def test_spawn_failures_are_counted(self) -> None:
        self.reactor.spawn_error = OSError("no more processes")
        ran = self.run_grep(self.successResultOf(self.acquire_session()))
        self.failureResultOf(ran, OSError)
        self.assertEqual(self.read_metric("spawn_failures_total"), 1)
        self.assert_greps(0, running=0)

    def test_the_bytes_that_grep_reads_are_counted(self) -> None:
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
        """Wait for a session with a new slot."""
        self.runner = replace(self.runner, limiter=ConcurrencyLimiter(1, 1))
        return self.acquire_session()
