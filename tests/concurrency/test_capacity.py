"""
Tests of room for so many.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.concurrency.capacity import Room


class RoomTests(SynchronousTestCase):
    """Tests of room in one process."""

    def test_there_is_room_for_so_many(self) -> None:
        """One that leaves makes room for another."""
        room = Room(2)
        self.assertEqual([room.enter() for _ in range(3)], [True, True, False])
        room.leave()
        self.assertEqual((room.taken, room.enter(), room.enter()), (1, True, False))
