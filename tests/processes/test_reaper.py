"""
Tests for L{twisted_quotes.processes.reaper}, with real processes.
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
        command = [sys.executable, "-P", "-S", "-m", "twisted_quotes.processes.reaper"]
        reaper = self.start(command, "a")
        output, _ = reaper.communicate()
        self.assertEqual((reaper.returncode, output), (0, b""))
        for process in own:
            wait_until(partial(has_exited, process.pid), "its end")
        self.assertIsNone(other.poll())
