"""
Tests of what the workers know of each other.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.concurrency.shared_counters import Column, Scoreboard, SharedRoom


class ScoreboardTests(SynchronousTestCase):
    """Tests of the scoreboard, and of the room that it tells of."""

    def setUp(self) -> None:
        """Make one, and look at it as two processes do."""
        self.one = Scoreboard.make(3)
        self.addCleanup(os.close, self.one.descriptor)
        self.other = Scoreboard(self.one.descriptor, 3)

    def test_what_one_writes_the_other_reads(self) -> None:
        """In a row for each, which begins empty."""
        self.assertEqual(self.one.total(Column.CONNECTIONS), 0)
        self.one.write(0, Column.CONNECTIONS, 5)
        self.other.write(2, Column.CONNECTIONS, 7)
        self.other.write(2, Column.WAITS, 1)
        self.assertEqual(self.one.read(2, Column.CONNECTIONS), 7)
        self.assertEqual(self.other.total(Column.CONNECTIONS), 12)
        self.one.clear(2)
        self.assertEqual(self.other.total(Column.CONNECTIONS), 5)
        self.assertEqual(self.other.total(Column.WAITS), 0)

    def test_who_has_fewest_connections_is_known(self) -> None:
        """Of those that serve, and without the one who asks."""
        self.assertIsNone(self.one.fewest_elsewhere(0))
        for row, connections in enumerate((1, 4, 2)):
            self.one.write(row, Column.CONNECTIONS, connections)
        self.one.write(0, Column.SERVING, 1)
        self.assertIsNone(self.one.fewest_elsewhere(0))
        self.one.write(1, Column.SERVING, 1)
        self.assertEqual(self.one.fewest_elsewhere(0), 4)
        self.one.write(2, Column.SERVING, 1)
        self.assertEqual(self.one.fewest_elsewhere(0), 2)
        self.assertEqual(self.one.fewest_elsewhere(1), 1)

    def test_room_is_shared(self) -> None:
        """One may have all of it, and what a worker had that is gone is free."""
        one, other = (
            SharedRoom(2, board, row, Column.CONNECTIONS)
            for row, board in enumerate((self.one, self.other))
        )
        self.assertTrue(one.enter() and one.enter())
        self.assertFalse(other.enter())
        one.leave()
        self.assertTrue(other.enter())
        self.assertFalse(one.enter())
        self.assertEqual((one.taken, other.taken), (1, 1))
        self.one.clear(1)
        self.assertTrue(one.enter())
