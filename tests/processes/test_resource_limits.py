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

    def test_a_process_has_limits(self) -> None:
        """In memory, and in processor time a little beyond its own limit."""
        process = subprocess.Popen(["sleep", "60"])
        try:
            apply_limits(process.pid, 2.5)
            self.assertEqual(prlimit(process.pid, RLIMIT_AS), (MAX_MEMORY,) * 2)
            self.assertEqual(prlimit(process.pid, RLIMIT_CPU), (4, 4))
        finally:
            process.kill()
            process.wait()

    def test_one_that_has_less_is_given_no_more(self) -> None:
        """Who started the service may have limited it further."""
        process = subprocess.Popen(["sleep", "60"])
        try:
            prlimit(process.pid, RLIMIT_CPU, (2, 2))
            apply_limits(process.pid, 30)
            self.assertEqual(prlimit(process.pid, RLIMIT_CPU), (2, 2))
        finally:
            process.kill()
            process.wait()

    def test_one_that_may_run_for_long_leaves_the_processors_to_others(self) -> None:
        """It is nicer than it would be, as far as that goes."""
        own = os.getpriority(os.PRIO_PROCESS, 0)
        for niceness in (own, 19):
            process = subprocess.Popen(["sleep", "60"])
            try:
                os.setpriority(os.PRIO_PROCESS, process.pid, niceness)
                apply_limits(process.pid, 30)
                found = [os.getpriority(os.PRIO_PROCESS, process.pid)]
                apply_limits(process.pid, 30, slow=True)
                found.append(os.getpriority(os.PRIO_PROCESS, process.pid))
                self.assertEqual(
                    found, [niceness, min(niceness + NICENESS_INCREMENT, 19)]
                )
            finally:
                process.kill()
                process.wait()

    def test_a_process_that_has_ended_is_left_alone(self) -> None:
        """It needs no limits any more."""
        process = subprocess.Popen(["true"])
        process.wait()
        apply_limits(process.pid, 1, slow=True)
