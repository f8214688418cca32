"""
Tests for L{bench.memory}.
"""

from __future__ import annotations

import os
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from bench.memory import PeakMemory, descendants, resident_megabytes

from ..integration.server import wait_until

# Starts a child, and allocates 40 MB when it reads a line.
SCRIPT = (
    "import subprocess, sys\n"
    "child = subprocess.Popen(['cat'], stdin=subprocess.PIPE)\n"
    "print(child.pid, flush=True)\n"
    "sys.stdin.readline()\n"
    "data = bytearray(40_000_000)\n"
    "sys.stdin.readline()\n"
)


class MemoryTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(self.process.__exit__, None, None, None)
        self.addCleanup(self.process.kill)
        assert self.process.stdout is not None
        self.child = int(self.process.stdout.readline())

    def test_children_count(self) -> None:
        """The memory of a grep is that of its server."""
        self.assertEqual(descendants(self.process.pid), [self.process.pid, self.child])
        both = resident_megabytes([self.process.pid])
        self.assertGreater(both, resident_megabytes([self.child]))
        self.assertGreater(resident_megabytes([self.child]), 0)

    def test_the_peak_is_measured(self) -> None:
        """Memory that is allocated during the C{with} statement counts."""
        assert self.process.stdin is not None
        before = resident_megabytes([self.process.pid])
        with PeakMemory([self.process.pid]) as memory:
            self.process.stdin.write("\n")
            self.process.stdin.flush()
            wait_until(lambda: memory.peak > before + 35, "40 MB more")
        self.assertLess(memory.peak, before + 60)

    def test_a_process_that_has_ended_uses_no_memory(self) -> None:
        """A child may end during the measurement."""
        ended = subprocess.Popen(["true"])
        ended.wait()
        self.assertEqual(resident_megabytes([ended.pid]), 0)
        self.assertNotIn(ended.pid, descendants(os.getpid()))
