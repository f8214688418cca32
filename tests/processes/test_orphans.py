"""
Tests for L{twisted_quotes.processes.orphans}.
"""

from __future__ import annotations

from twisted.internet.interfaces import IReactorProcess
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.processes.orphans import Reaper

from ..fakes import FakeReactor


class ReaperTests(SynchronousTestCase):
    """Tests with a fake process."""

    def setUp(self) -> None:
        self.reactor = FakeReactor()
        reactor: IReactorProcess = self.reactor
        self.reaper = Reaper(reactor)

    def test_its_input_stays_open_while_the_service_lives(self) -> None:
        self.reaper.start()
        [process] = self.reactor.processes
        self.assertIn("twisted_quotes.processes.reaper", process.arguments)
        self.assertEqual(process.child_fds[0], "w")
        self.assertEqual((process.written, process.closed), (b"", []))

    def test_stop_kills_the_process_and_waits_for_its_end(self) -> None:
        self.successResultOf(self.reaper.stop())
        self.reaper.start()
        [process] = self.reactor.processes
        stopped = self.reaper.stop()
        self.assertEqual((process.signals, process.closed), (["KILL"], []))
        self.assertNoResult(stopped)
        process.end()
        self.successResultOf(stopped)
        self.successResultOf(self.reaper.stop())

    def test_the_service_goes_on_without_the_process(self) -> None:
        """A failed start and an early end are logged."""
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
