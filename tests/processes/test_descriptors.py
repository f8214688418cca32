"""
Tests of open files. How many there may be is tested with the real process.
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
    list_inheritable_descriptors,
    restrict_descriptor_scan,
)
from twisted_quotes.processes.process import Command, spawn


class SpawnTests(TestCase):
    """Tests of what processes inherit, with real ones."""

    def setUp(self) -> None:
        """Have what is changed changed back."""
        detector: Any = process.detector
        self.patch(detector, "_listOpenFDs", detector._listOpenFDs)

    def open(self, inherited: bool) -> int:
        """Open a file."""
        descriptor = os.open(os.devnull, os.O_RDONLY)
        self.addCleanup(os.close, descriptor)
        os.set_inheritable(descriptor, inherited)
        return descriptor

    async def descriptors_in_child(
        self, child_fds: Mapping[int, int] | None = None
    ) -> set[int]:
        """What is open in a child, less what it opens to find that out."""
        from twisted.internet import reactor

        command = Command("/bin/ls", ("/proc/self/fd",), {})
        child = spawn(reactor, command, extra_descriptors=child_fds or {})
        outcome = await child.result
        return {int(each) for each in outcome.stdout.split()} - {3}

    def test_what_children_would_inherit_is_found(self) -> None:
        """The standard files in any case, and what was opened to be inherited."""
        ours, theirs = self.open(inherited=False), self.open(inherited=True)
        found = list_inheritable_descriptors()
        self.assertLessEqual({0, 1, 2, theirs}, set(found))
        self.assertNotIn(ours, found)

    async def test_children_have_their_own_three_files(self) -> None:
        """Neither what was there at the start, nor what was opened since."""
        for _ in range(3):
            self.open(inherited=True)
        restrict_descriptor_scan(
            list_inheritable_descriptors(), child_descriptor_limit=3
        )
        for _ in range(20):
            self.open(inherited=False)
        self.assertEqual(await self.descriptors_in_child(), {0, 1, 2})

    async def test_a_file_may_be_given_under_the_number_that_it_has_here(self) -> None:
        """One that children would not inherit, too."""
        for inherited in (False, True):
            ours = self.open(inherited)
            restrict_descriptor_scan(
                list_inheritable_descriptors(), child_descriptor_limit=ours + 1
            )
            self.assertEqual(
                await self.descriptors_in_child({ours: ours}), {0, 1, 2, ours}
            )

    async def test_no_other_file_is_looked_at(self) -> None:
        """So that it does not matter how many there are."""
        restrict_descriptor_scan([0, 1, 2], child_descriptor_limit=3)
        listed: list[str] = []
        self.patch(os, "listdir", listed.append)
        await self.descriptors_in_child()
        self.assertEqual(listed, [])

    def test_where_that_cannot_be_said_it_is_logged(self) -> None:
        """All works, but more slowly."""
        self.patch(process, "detector", object())
        with capturedLogs() as events:
            restrict_descriptor_scan([0], child_descriptor_limit=3)
        self.assertEqual(len(events), 1)


class AllotmentTests(TestCase):
    """Tests of what a number of open files is enough for."""

    def test_with_enough_files_all_is_as_asked_for(self) -> None:
        """Each connection may receive an answer that holds files."""
        for files in (None, 40_000):
            self.assertEqual(
                compute_descriptor_budget(4000, files), (4000, 1000, 4000, 1024)
            )

    def test_with_too_few_files_nothing_is_promised_that_cannot_be(self) -> None:
        """All that may be open at the same time fits, and there is some of each."""
        for files in (40, 100, 864, 3936, 19_840, 31_000):
            allowance = compute_descriptor_budget(4000, files)
            self.assertLessEqual(allowance.required_files, files)
            self.assertGreater(min(allowance), 0)

    def test_half_of_few_files_is_for_connections(self) -> None:
        """The other half is for what they ask for."""
        self.assertEqual(compute_descriptor_budget(4000, 1000).max_connections, 500)
        self.assertEqual(compute_descriptor_budget(100, 1000).max_connections, 100)
