"""
Tests of what the workers know of each other.
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
    """Tests of the scoreboard, and of the room that it tells of."""

    def setUp(self) -> None:
        """Make one, and look at it as two processes do."""
        self.counters = SharedCounters.create(3)
        self.addCleanup(os.close, self.counters.descriptor)
        self.other_counters = SharedCounters(self.counters.descriptor, 3)

    def test_what_one_writes_the_other_reads(self) -> None:
        """In a row for each, which begins empty."""
        self.assertEqual(self.counters.total(Column.CONNECTIONS), 0)
        self.counters.write(0, Column.CONNECTIONS, 5)
        self.other_counters.write(2, Column.CONNECTIONS, 7)
        self.other_counters.write(2, Column.WAITS, 1)
        self.assertEqual(self.counters.read(2, Column.CONNECTIONS), 7)
        self.assertEqual(self.other_counters.total(Column.CONNECTIONS), 12)
        self.counters.clear(2)
        self.assertEqual(self.other_counters.total(Column.CONNECTIONS), 5)
        self.assertEqual(self.other_counters.total(Column.WAITS), 0)

    def test_who_has_fewest_connections_is_known(self) -> None:
        """Of those that serve, and without the one who asks."""
        self.assertIsNone(self.counters.minimum_connections_elsewhere(0))
        for row, connections in enumerate((1, 4, 2)):
            self.counters.write(row, Column.CONNECTIONS, connections)
        self.counters.write(0, Column.SERVING, 1)
        self.assertIsNone(self.counters.minimum_connections_elsewhere(0))
        self.counters.write(1, Column.SERVING, 1)
        self.assertEqual(self.counters.minimum_connections_elsewhere(0), 4)
        self.counters.write(2, Column.SERVING, 1)
        self.assertEqual(self.counters.minimum_connections_elsewhere(0), 2)
        self.assertEqual(self.counters.minimum_connections_elsewhere(1), 1)

    def test_room_is_shared(self) -> None:
        """One may have all of it, and what a worker had that is gone is free."""
        one, other = (
            SharedCapacity(2, board, row, Column.CONNECTIONS)
            for row, board in enumerate((self.counters, self.other_counters))
        )
        self.assertTrue(one.try_acquire() and one.try_acquire())
        self.assertFalse(other.try_acquire())
        one.release()
        self.assertTrue(other.try_acquire())
        self.assertFalse(one.try_acquire())
        self.assertEqual((one.in_use, other.in_use), (1, 1))
        self.counters.clear(1)
        self.assertTrue(one.try_acquire())
