"""
Tests of the process that outlives the service, for real.
"""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.processes.reaper import SERVICE_ID_VARIABLE

from ..integration.server import has_exited, wait_until

ROOT = Path(__file__).parents[2]


class ReaperTests(SynchronousTestCase):
    """Tests with processes that do nothing for a while."""

    def start(self, command: list[str], mark: str) -> subprocess.Popen[bytes]:
        """Start a process, and end it after the test."""
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={SERVICE_ID_VARIABLE: mark, "PYTHONPATH": str(ROOT)},
        )
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def setUp(self) -> None:
        """Have one service with two processes, and another with one."""
        self.own = [self.start(["sleep", "60"], "a") for _ in range(2)]
        self.other = self.start(["sleep", "60"], "ab")
        command = [sys.executable, "-P", "-S", "-m", "twisted_quotes.processes.reaper"]
        self.reaper = self.start(command, "a")

    def test_what_a_killed_service_ran_is_killed(self) -> None:
        """And nothing else."""
        output, _ = self.reaper.communicate()
        self.assertEqual((self.reaper.returncode, output), (0, b""))
        for process in self.own:
            wait_until(partial(has_exited, process.pid), "its end")
        self.assertIsNone(self.other.poll())
