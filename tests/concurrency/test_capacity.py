"""
Tests of room for so many.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.concurrency.capacity import Capacity


class CapacityTests(SynchronousTestCase):
    """Tests of room in one process."""

    def test_there_is_room_for_so_many(self) -> None:
        """One that leaves makes room for another."""
        capacity = Capacity(2)
        self.assertEqual(
            [capacity.try_acquire() for _ in range(3)], [True, True, False]
        )
        capacity.release()
        self.assertEqual(
            (capacity.in_use, capacity.try_acquire(), capacity.try_acquire()),
            (1, True, False),
        )
