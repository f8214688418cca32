"""
Tests of what is to become of running processes when the service is killed.
"""

from __future__ import annotations

from twisted.internet.interfaces import IReactorProcess
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.processes.orphans import Reaper

from ..fakes import FakeReactor


class ReaperTests(SynchronousTestCase):
    """Tests with a process that a test ends."""

    def setUp(self) -> None:
        """Start the other process."""
        self.reactor = FakeReactor()
        reactor: IReactorProcess = self.reactor
        self.reaper = Reaper(reactor)

    def test_it_waits_for_the_end_of_the_service(self) -> None:
        """Its standard input is open as long as the service lives."""
        self.reaper.start()
        [process] = self.reactor.processes
        self.assertIn("twisted_quotes.processes.reaper", process.arguments)
        self.assertEqual(process.child_fds[0], "w")
        self.assertEqual((process.written, process.closed), (b"", []))

    def test_at_a_good_end_it_is_killed(self) -> None:
        """However it is, nothing is left for it to do; and its end is waited for."""
        self.reaper.start()
        [process] = self.reactor.processes
        stopped = self.reaper.stop()
        self.assertEqual((process.signals, process.closed), (["KILL"], []))
        self.assertNoResult(stopped)
        process.end()
        self.successResultOf(stopped)
        self.successResultOf(self.reaper.stop())

    def test_the_service_goes_on_without_it(self) -> None:
        """But says so, whether it cannot be started or ends too early."""
        with capturedLogs() as captured:
            self.reactor.spawn_error = OSError(11, "no more processes")
            self.reaper.start()
            self.reactor.spawn_error = None
            self.reaper.start()
            self.reactor.processes[0].end(signal=9)
        errors = [e["reason"] for e in captured if e["log_level"] == LogLevel.error]
        self.assertEqual(len(errors), 2)
        self.assertIn("no more processes", errors[0])
        self.successResultOf(self.reaper.stop())

    def test_one_that_was_never_started_is_stopped_at_once(self) -> None:
        """There is nothing to wait for."""
        self.successResultOf(self.reaper.stop())
