"""
Tests for L{twisted_quotes.processes.reaper}, and the program that it runs.
"""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

from twisted.internet.interfaces import IReactorProcess
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.processes.reaper import Reaper
from twisted_quotes.processes.reaper_process import SERVICE_ID_VARIABLE

from ..fakes import FakeReactor
from ..integration.server import has_exited, wait_until

ROOT = Path(__file__).parents[2]
PROGRAM = "twisted_quotes.processes.reaper_process"


class ReaperTests(SynchronousTestCase):
    """Tests with a fake process."""

    def setUp(self) -> None:
        self.reactor = FakeReactor()
        reactor: IReactorProcess = self.reactor
        self.reaper = Reaper(reactor)

    def test_its_input_stays_open_while_the_service_lives(self) -> None:
        self.reaper.start()
        [process] = self.reactor.processes
        self.assertIn(PROGRAM, process.arguments)
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


class KillOrphansTests(SynchronousTestCase):
    """Tests with the processes of two services."""

    def start(self, command: list[str], service_id: str) -> subprocess.Popen[bytes]:
        """Start a process, and kill it after the test."""
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={SERVICE_ID_VARIABLE: service_id, "PYTHONPATH": str(ROOT)},
        )
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def test_only_processes_of_the_killed_service_are_killed(self) -> None:
        own = [self.start(["sleep", "60"], "a") for _ in range(2)]
        other = self.start(["sleep", "60"], "ab")
        reaper = self.start([sys.executable, "-P", "-S", "-m", PROGRAM], "a")
        output, _ = reaper.communicate()
        self.assertEqual((reaper.returncode, output), (0, b""))
        for process in own:
            wait_until(partial(has_exited, process.pid), "its end")
        self.assertIsNone(other.poll())
