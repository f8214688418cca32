"""
Tests for L{twisted_quotes.processes.resource_limits}, on real processes.
"""

from __future__ import annotations

import os
import subprocess
from resource import RLIMIT_AS, RLIMIT_CPU, prlimit

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.processes.resource_limits import (
    MAX_MEMORY,
    NICENESS_INCREMENT,
    apply_limits,
)


class ApplyLimitsTests(SynchronousTestCase):
    """Tests of what a process may use."""

    def start(self) -> int:
        """Start a process, and kill it after the test; return its id."""
        process = subprocess.Popen(["sleep", "60"])
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process.pid

    def test_memory_and_processor_time_are_limited(self) -> None:
        pid = self.start()
        apply_limits(pid, 2.5)
        self.assertEqual(prlimit(pid, RLIMIT_AS), (MAX_MEMORY,) * 2)
        self.assertEqual(prlimit(pid, RLIMIT_CPU), (4, 4))

    def test_a_lower_limit_is_not_raised(self) -> None:
        """The service itself may be limited."""
        pid = self.start()
        prlimit(pid, RLIMIT_CPU, (2, 2))
        apply_limits(pid, 30)
        self.assertEqual(prlimit(pid, RLIMIT_CPU), (2, 2))

    def test_a_slow_process_has_a_lower_priority(self) -> None:
        own = os.getpriority(os.PRIO_PROCESS, 0)
        for niceness in (own, 19):
            pid = self.start()
            os.setpriority(os.PRIO_PROCESS, pid, niceness)
            apply_limits(pid, 30)
            self.assertEqual(os.getpriority(os.PRIO_PROCESS, pid), niceness)
            apply_limits(pid, 30, slow=True)
            expected = min(niceness + NICENESS_INCREMENT, 19)
            self.assertEqual(os.getpriority(os.PRIO_PROCESS, pid), expected)

    def test_a_process_that_has_ended_is_ignored(self) -> None:
        process = subprocess.Popen(["true"])
        process.wait()
        apply_limits(process.pid, 1, slow=True)
