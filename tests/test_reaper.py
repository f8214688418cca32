"""
Tests of the process that outlives the service, for real.
"""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.reaper import GOODBYE, MARK

from .integration.server import is_gone, until

ROOT = Path(__file__).parents[1]


class ReaperTests(SynchronousTestCase):
    """Tests with processes that do nothing for a while."""

    def start(self, command: list[str], mark: str) -> subprocess.Popen[bytes]:
        """Start a process, and end it after the test."""
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={MARK: mark, "PYTHONPATH": str(ROOT)},
        )
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def setUp(self) -> None:
        """Have one service with two processes, and another with one."""
        self.own = [self.start(["sleep", "60"], "a") for _ in range(2)]
        self.other = self.start(["sleep", "60"], "ab")
        command = [sys.executable, "-P", "-S", "-m", "twisted_quotes.reaper"]
        self.reaper = self.start(command, "a")

    def end_with(self, last_words: bytes) -> None:
        """Have the service end."""
        output, _ = self.reaper.communicate(last_words)
        self.assertEqual((self.reaper.returncode, output), (0, b""))

    def test_what_a_killed_service_ran_is_killed(self) -> None:
        """And nothing else."""
        self.end_with(b"")
        for process in self.own:
            until(partial(is_gone, process.pid), "its end")
        self.assertIsNone(self.other.poll())

    def test_where_all_is_over_nothing_is_killed(self) -> None:
        """Somebody may still have use for it."""
        self.end_with(GOODBYE)
        self.assertEqual([each.poll() for each in self.own], [None, None])

    def test_half_a_goodbye_is_none(self) -> None:
        """The service may be killed at any moment."""
        self.end_with(GOODBYE[:3])
        for process in self.own:
            until(partial(is_gone, process.pid), "its end")
