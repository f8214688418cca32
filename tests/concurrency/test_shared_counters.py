"""
Tests for L{twisted_quotes.concurrency.shared_counters}.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.concurrency.shared_counters import (
    Column,
    SharedCapacity,
    SharedCounters,
)


class SharedCountersTests(SynchronousTestCase):
    """Tests of counters that are mapped twice, as by two processes."""

    def setUp(self) -> None:
        self.counters = SharedCounters.create(3)
        self.addCleanup(os.close, self.counters.descriptor)
        self.other_counters = SharedCounters(self.counters.descriptor)

    def test_what_one_process_writes_the_other_reads(self) -> None:
        self.assertEqual(self.counters.total(Column.CONNECTIONS), 0)
        self.counters.write(0, Column.CONNECTIONS, 5)
        self.other_counters.write(2, Column.CONNECTIONS, 7)
        self.other_counters.write(2, Column.WAITS, 1)
        self.assertEqual(self.counters.read(2, Column.CONNECTIONS), 7)
        self.assertEqual(self.other_counters.total(Column.CONNECTIONS), 12)
        self.counters.clear(2)
        self.assertEqual(self.other_counters.total(Column.CONNECTIONS), 5)
        self.assertEqual(self.other_counters.total(Column.WAITS), 0)

    def test_the_fewest_connections_of_the_serving_workers_are_known(self) -> None:
        """The worker itself does not count."""
        self.assertIsNone(self.counters.minimum_connections_elsewhere(0))
        for row, connections in enumerate((1, 4, 2)):
            self.counters.write(row, Column.CONNECTIONS, connections)
        for serving, row, minimum in ((0, 0, None), (1, 0, 4), (2, 0, 2), (2, 1, 1)):
            self.counters.write(serving, Column.SERVING, 1)
            self.assertEqual(self.counters.minimum_connections_elsewhere(row), minimum)

    def test_a_capacity_is_shared(self) -> None:
        """One process may use all of it; what an ended process used is free."""
        one, other = (
            SharedCapacity(2, counters, row, Column.CONNECTIONS)
            for row, counters in enumerate((self.counters, self.other_counters))
        )
        self.assertTrue(one.try_acquire() and one.try_acquire())
        self.assertFalse(other.try_acquire())
        one.release()
        self.assertTrue(other.try_acquire())
        self.assertFalse(one.try_acquire())
        self.assertEqual((one.in_use, other.in_use), (1, 1))
        self.counters.clear(1)
        self.assertTrue(one.try_acquire())
