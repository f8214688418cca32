"""
Tests for L{twisted_quotes.processes.descriptors}. The limit of open files is tested
with the real service.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from twisted.internet import process
from twisted.logger import capturedLogs
from twisted.trial.unittest import TestCase

from twisted_quotes.processes.descriptors import (
    compute_descriptor_budget,
    restrict_descriptor_scan,
)
from twisted_quotes.processes.process import Command, spawn


class DescriptorScanTests(TestCase):
    """Tests of what real child processes inherit."""

    def setUp(self) -> None:
        detector: Any = process.detector
        self.patch(detector, "_listOpenFDs", detector._listOpenFDs)

    def open(self, inheritable: bool) -> int:
        """Open a file until the end of the test."""
        descriptor = os.open(os.devnull, os.O_RDONLY)
        self.addCleanup(os.close, descriptor)
        os.set_inheritable(descriptor, inheritable)
        return descriptor

    async def descriptors_in_child(
        self, child_fds: Mapping[int, int] | None = None
    ) -> set[int]:
        """Return the open descriptors of a child, except the one that lists them."""
        from twisted.internet import reactor

        command = Command("/bin/ls", ("/proc/self/fd",), {})
        child = spawn(reactor, command, extra_descriptors=child_fds or {})
        outcome = await child.result
        return {int(each) for each in outcome.stdout.split()} - {3}

    async def test_children_inherit_only_the_standard_files(self) -> None:
        """Neither inheritable files opened before, nor others opened since."""
        for _ in range(3):
            self.open(inheritable=True)
        restrict_descriptor_scan(child_descriptor_limit=3)
        for _ in range(20):
            self.open(inheritable=False)
        self.assertEqual(await self.descriptors_in_child(), {0, 1, 2})

    async def test_a_descriptor_may_be_passed_on_under_its_own_number(self) -> None:
        for inheritable in (False, True):
            passed_on = self.open(inheritable)
            restrict_descriptor_scan(child_descriptor_limit=passed_on + 1)
            self.assertEqual(
                await self.descriptors_in_child({passed_on: passed_on}),
                {0, 1, 2, passed_on},
            )

    async def test_no_other_descriptor_is_examined(self) -> None:
        """The time to start a process does not grow with the open files."""
        closed, kept = (self.open(inheritable) for inheritable in (False, True))
        restrict_descriptor_scan(child_descriptor_limit=3)
        detector: Any = process.detector
        scanned = detector._listOpenFDs()
        self.assertLessEqual({0, 1, 2, kept}, {*scanned})
        self.assertNotIn(closed, scanned)
        listed: list[str] = []
        self.patch(os, "listdir", listed.append)
        await self.descriptors_in_child()
        self.assertEqual(listed, [])

    def test_an_unknown_detector_is_logged(self) -> None:
        """Then processes start as Twisted starts them."""
        self.patch(process, "detector", object())
        with capturedLogs() as events:
            restrict_descriptor_scan(child_descriptor_limit=3)
        self.assertEqual(len(events), 1)


class DescriptorBudgetTests(TestCase):
    """Tests of what a number of descriptors is enough for."""

    def test_enough_descriptors_allow_what_is_desired(self) -> None:
        """Each connection may receive a response that is streamed."""
        for files in (39_024, 2**30):
            self.assertEqual(
                compute_descriptor_budget(4000, files), (4000, 1000, 4000, 1024)
            )

    def test_a_budget_fits_into_few_descriptors(self) -> None:
        for files in (40, 100, 864, 3936, 19_840, 31_000):
            budget = compute_descriptor_budget(4000, files)
            self.assertLessEqual(budget.required_files, files)
            self.assertGreater(min(budget), 0)

    def test_half_of_few_descriptors_are_for_connections(self) -> None:
        self.assertEqual(compute_descriptor_budget(4000, 1000).max_connections, 500)
        self.assertEqual(compute_descriptor_budget(100, 1000).max_connections, 100)
