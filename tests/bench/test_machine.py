"""
Tests for L{bench.machine}.
"""

from __future__ import annotations

import platform
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from bench import machine
from bench.machine import OtherWork, find_versions


class MachineTests(SynchronousTestCase):
    """Tests of what is told of the machine."""

    def test_its_name_is_not_told(self) -> None:
        """What is published says what it is, not whose."""
        told = " ".join(machine.describe_machine().values())
        self.assertIn(platform.python_version(), told)
        self.assertNotIn(platform.node(), told.split())
        self.assertNotIn(platform.release(), told.split())

    def test_versions_are_told_of_what_is_there(self) -> None:
        """What is missing is said to be."""
        self.patch(machine, "_MODULES", ("Twisted", "no-such-module"))
        self.patch(machine, "_PACKAGES", ("no-such-package",))
        told = find_versions()
        self.assertRegex(told["Twisted"], r"^\d+\.\d+")
        self.assertEqual(told["no-such-module"], "missing")
        self.assertIn(told["no-such-package"], ("missing", "unknown"))


class OtherWorkTests(SynchronousTestCase):
    """Tests of L{OtherWork}, with times of its own."""

    def measure_share(self, *times: tuple[float, float, float]) -> float:
        """The share between two moments."""
        moments = iter(times)
        self.patch(machine, "_times", lambda: next(moments))
        return OtherWork().share()

    def test_what_we_use_does_not_count(self) -> None:
        """Of 20 seconds 15 were busy, and 10 of these were ours."""
        self.assertEqual(self.measure_share((1, 100, 200), (11, 115, 220)), 0.25)

    def test_it_is_never_less_than_nothing(self) -> None:
        """The kernel counts in ticks, and rounds."""
        self.assertEqual(self.measure_share((0, 0, 0), (10.1, 10, 20)), 0)
        self.assertEqual(self.measure_share((0, 0, 0), (0, 0, 0)), 0)

    def test_children_are_ours_once_they_have_ended(self) -> None:
        """What they used is told with what we did."""
        before = machine._times()
        subprocess.run([sys.executable, "-c", "sum(range(10_000_000))"], check=True)
        own, _, total = (
            now - then for then, now in zip(before, machine._times(), strict=True)
        )
        self.assertGreater(own, 0.02)
        self.assertGreater(total, 0)
