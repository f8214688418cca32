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

# Has a child of its own, and both wait until their input ends.
PARENT_AND_CHILD_SCRIPT = (
    "import subprocess, sys\n"
    "child = subprocess.Popen(['cat'], stdin=subprocess.PIPE)\n"
    "print(child.pid, flush=True)\n"
    "sys.stdin.readline()\n"
    "data = bytearray(40_000_000)\n"
    "print(len(data), flush=True)\n"
    "sys.stdin.readline()\n"
)


class MemoryTests(SynchronousTestCase):
    """Tests of a process and its child."""

    def setUp(self) -> None:
        """Start them."""
        self.process = subprocess.Popen(
            [sys.executable, "-c", PARENT_AND_CHILD_SCRIPT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(self.process.__exit__, None, None, None)
        self.addCleanup(self.process.kill)
        self.child = int(self.read_line())

    def read_line(self) -> str:
        """The next line of the process's output."""
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def resume_process(self) -> None:
        """Let the process go on."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def test_a_child_counts(self) -> None:
        """A grep's memory is its server's."""
        self.assertEqual(descendants(self.process.pid), [self.process.pid, self.child])
        both = resident_megabytes([self.process.pid])
        self.assertGreater(both, resident_megabytes([self.child]))
        self.assertGreater(resident_megabytes([self.child]), 0)

    def test_the_peak_is_seen(self) -> None:
        """What is taken for a while is part of it."""
        before = resident_megabytes([self.process.pid])
        with PeakMemory([self.process.pid]) as memory:
            self.resume_process()
            self.read_line()
            wait_until(lambda: memory.peak > before + 35, "40 MB more")
        self.assertLess(memory.peak, before + 60)

    def test_what_is_gone_takes_nothing(self) -> None:
        """A child may end while it is looked at."""
        ended = subprocess.Popen(["true"])
        ended.wait()
        self.assertEqual(resident_megabytes([ended.pid]), 0)
        self.assertNotIn(ended.pid, descendants(os.getpid()))
