"""
Tests for L{twisted_quotes.concurrency.recent}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.concurrency.recent import CachedResult


class RecentTests(SynchronousTestCase):
    """Tests of results that are used for a while."""

    def setUp(self) -> None:
        """Have something made that a test makes by hand."""
        clock: Any = Clock()
        self.clock = clock
        self.pending: list[Deferred[str]] = []
        self.recent = CachedResult(clock, 1, self.make)

    async def make(self) -> str:
        """Make it."""
        self.pending.append(Deferred())
        return await self.pending[-1]

    def test_all_who_ask_meanwhile_wait_for_the_same(self) -> None:
        """It is made once."""
        waiting = [self.recent.get() for _ in range(3)]
        [made] = self.pending
        made.callback("x")
        self.assertEqual([self.successResultOf(each) for each in waiting], ["x"] * 3)

    def test_it_is_made_anew_when_it_is_too_old(self) -> None:
        """It is as old as its making, which may have taken a while."""
        self.recent.get()
        self.clock.advance(0.5)
        self.pending[0].callback("x")
        self.clock.advance(0.4)
        self.assertEqual(self.successResultOf(self.recent.get()), "x")
        self.clock.advance(0.1)
        again = self.recent.get()
        self.assertNoResult(again)
        self.pending[1].callback("y")
        self.assertEqual(self.successResultOf(again), "y")

    def test_an_error_is_told_and_not_kept(self) -> None:
        """Who asks next has it made anew."""
        failing = self.recent.get()
        self.pending[0].errback(KeyError())
        self.failureResultOf(failing, KeyError)
        self.recent.get()
        self.assertEqual(len(self.pending), 2)

    def test_who_waits_no_longer_stops_nobody(self) -> None:
        """Nor is it made a second time at the same time."""
        leaving = self.recent.get()
        leaving.cancel()
        self.failureResultOf(leaving, CancelledError)
        staying = self.recent.get()
        [made] = self.pending
        made.callback("x")
        self.assertEqual(self.successResultOf(staying), "x")
