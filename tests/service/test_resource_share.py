"""
Tests of the share of a process.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.concurrency.shared_counters import SharedCounters
from twisted_quotes.options import QuotesOptions
from twisted_quotes.service.resource_share import ResourceShare, total_share
from twisted_quotes.workers.inherited_fds import WorkerConfiguration
from twisted_quotes.workers.worker_composition import worker_share

from ..fakes import FakeReactor


class ResourceShareTests(SynchronousTestCase):
    """Tests of L{total_share} and L{worker_share}."""

    def setUp(self) -> None:
        """Make shared counters."""
        self.shared_counters = SharedCounters.create(8)
        self.addCleanup(os.close, self.shared_counters.descriptor)

    def parse_options(self, *arguments: str) -> QuotesOptions:
        """Parse a command line."""
        options = QuotesOptions({})
        options.parseOptions(arguments)
        return options

    def make_resource_share(self, share: int, *arguments: str) -> ResourceShare:
        """Return the share of one of two workers."""
        reactor: Any = FakeReactor()

        return worker_share(
            reactor,
            self.parse_options(*arguments),
            WorkerConfiguration(share, share, 2, 1),
            self.shared_counters,
        )

    def test_a_single_process_has_all_resources(self) -> None:
        """Those of the options."""
        found = total_share(
            FakeReactor(),
            self.parse_options(
                "--max-running=5", "--max-waiting=7", "--max-connections=3"
            ),
        )
        self.assertEqual((found.max_running, found.max_waiting), (5, 7))
        self.assertEqual(
            (found.cache_bytes, found.connection_capacity.limit), (64 * 1024 * 1024, 3)
        )
        self.assertEqual(found.max_waits_per_client, 500)

    def test_limits_are_divided_among_workers(self) -> None:
        """Their sum is the limit of a single process."""
        options = "--max-running=5", "--max-waiting=7", "--cache-bytes=10"
        one, other = (self.make_resource_share(each, *options) for each in (0, 1))
        self.assertEqual((one.max_running, other.max_running), (3, 2))
        self.assertEqual((one.max_waiting, other.max_waiting), (4, 3))
        self.assertEqual((one.cache_bytes, other.cache_bytes), (5, 5))
        self.assertEqual(
            (one.max_waits_per_client, other.max_waits_per_client), (250, 250)
        )
        self.assertEqual(len(one.endpoints), 1)
        none = self.make_resource_share(0, "--max-waiting=0", "--cache-bytes=0")
        self.assertEqual((none.max_waiting, none.cache_bytes), (0, 0))

    def test_one_worker_may_use_all_of_a_shared_limit(self) -> None:
        one, other = (
            self.make_resource_share(each, "--max-connections=3") for each in (0, 1)
        )
        self.assertEqual(one.connection_capacity.limit, 3)
        for name in ("connection_capacity", "wait_capacity"):
            own, others = getattr(one, name), getattr(other, name)
            self.assertTrue(all(own.try_acquire() for _ in range(own.limit)))
            self.assertFalse(own.try_acquire())
            self.assertFalse(others.try_acquire())
            own.release()
            self.assertTrue(others.try_acquire())
