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
    def test_the_description_has_no_host_name(self) -> None:
        """It does not have the exact release of the kernel either."""
        description = " ".join(machine.describe_machine().values())
        self.assertIn(platform.python_version(), description)
        self.assertNotIn(platform.node(), description.split())
        self.assertNotIn(platform.release(), description.split())

    def test_versions_say_what_is_missing(self) -> None:
        """They include Python modules and Debian packages."""
        self.patch(machine, "_MODULES", ("Twisted", "no-such-module"))
        self.patch(machine, "_PACKAGES", ("no-such-package",))
        versions = find_versions()
        self.assertRegex(versions["Twisted"], r"^\d+\.\d+")
        self.assertEqual(versions["no-such-module"], "missing")
        self.assertIn(versions["no-such-package"], ("missing", "unknown"))


class OtherWorkTests(SynchronousTestCase):
    def test_own_time_does_not_count(self) -> None:
        """The share is never negative, although the kernel rounds the times."""
        for before, after, share in (
            # 15 of 20 seconds were used, and 10 of these by this process.
            ((1, 100, 200), (11, 115, 220), 0.25),
            ((0, 0, 0), (10.1, 10, 20), 0),
            ((0, 0, 0), (0, 0, 0), 0),
        ):
            times = iter((before, after))
            self.patch(machine, "_processor_times", lambda times=times: next(times))
            self.assertEqual(OtherWork().share(), share)

    def test_children_that_have_ended_count_as_own(self) -> None:
        """Their time is added to that of this process."""
        before = machine._processor_times()
        subprocess.run([sys.executable, "-c", "sum(range(10_000_000))"], check=True)
        own, _, total = (
            now - then
            for then, now in zip(before, machine._processor_times(), strict=True)
        )
        self.assertGreater(own, 0.02)
        self.assertGreater(total, 0)
