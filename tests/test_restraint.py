"""
Tests for L{twisted_quotes.restraint}, on real processes.
"""

from __future__ import annotations

import subprocess
from resource import RLIMIT_AS, RLIMIT_CPU, prlimit

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.restraint import MOST_MEMORY, restrain


class RestrainTests(SynchronousTestCase):
    """Tests of what a process may use."""

    def test_a_process_has_limits(self) -> None:
        """In memory, and in processor time a little beyond its own limit."""
        process = subprocess.Popen(["sleep", "60"])
        try:
            restrain(process.pid, 2.5)
            self.assertEqual(prlimit(process.pid, RLIMIT_AS), (MOST_MEMORY,) * 2)
            self.assertEqual(prlimit(process.pid, RLIMIT_CPU), (4, 4))
        finally:
            process.kill()
            process.wait()

    def test_one_that_has_less_is_given_no_more(self) -> None:
        """Who started the service may have limited it further."""
        process = subprocess.Popen(["sleep", "60"])
        try:
            prlimit(process.pid, RLIMIT_CPU, (2, 2))
            restrain(process.pid, 30)
            self.assertEqual(prlimit(process.pid, RLIMIT_CPU), (2, 2))
        finally:
            process.kill()
            process.wait()

    def test_a_process_that_has_ended_is_left_alone(self) -> None:
        """It needs no limits any more."""
        process = subprocess.Popen(["true"])
        process.wait()
        restrain(process.pid, 1)
