"""
Tests for L{twisted_quotes.concurrency.capacity}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.concurrency.capacity import Capacity


class CapacityTests(SynchronousTestCase):
    """Tests of a capacity of one process."""

    def test_no_more_than_the_limit_are_acquired(self) -> None:
        capacity = Capacity(2)
        self.assertEqual(
            [capacity.try_acquire() for _ in range(3)], [True, True, False]
        )
        capacity.release()
        self.assertEqual(capacity.in_use, 1)
        self.assertEqual([capacity.try_acquire() for _ in range(2)], [True, False])
