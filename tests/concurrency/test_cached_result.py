"""
Tests for L{twisted_quotes.concurrency.cached_result}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.concurrency.cached_result import CachedResult


class CachedResultTests(SynchronousTestCase):
    """Tests of a function whose results a test provides."""

    def setUp(self) -> None:
        clock: Any = Clock()
        self.clock = clock
        self.calls: list[Deferred[str]] = []
        self.cached = CachedResult(clock, 1, self.compute)

    async def compute(self) -> str:
        """Wait for a result."""
        self.calls.append(Deferred())
        return await self.calls[-1]

    def test_concurrent_requests_share_one_call(self) -> None:
        waiting = [self.cached.get() for _ in range(3)]
        [call] = self.calls
        call.callback("x")
        self.assertEqual([self.successResultOf(each) for each in waiting], ["x"] * 3)

    def test_a_result_expires(self) -> None:
        """Its lifetime begins with the call."""
        self.cached.get()
        self.clock.advance(0.5)
        self.calls[0].callback("x")
        self.clock.advance(0.4)
        self.assertEqual(self.successResultOf(self.cached.get()), "x")
        self.clock.advance(0.1)
        again = self.cached.get()
        self.assertNoResult(again)
        self.calls[1].callback("y")
        self.assertEqual(self.successResultOf(again), "y")

    def test_an_error_is_passed_on_and_not_cached(self) -> None:
        failing = self.cached.get()
        self.calls[0].errback(KeyError())
        self.failureResultOf(failing, KeyError)
        self.cached.get()
        self.assertEqual(len(self.calls), 2)

    def test_a_cancelled_request_does_not_stop_the_call(self) -> None:
        """A later request uses the call that is in progress."""
        cancelled = self.cached.get()
        cancelled.cancel()
        self.failureResultOf(cancelled, CancelledError)
        waiting = self.cached.get()
        [call] = self.calls
        call.callback("x")
        self.assertEqual(self.successResultOf(waiting), "x")

    def test_a_request_after_an_error_starts_a_new_call(self) -> None:
        """This holds also while the error is passed on to the others."""
        first, second = self.cached.get(), self.cached.get()
        first.addErrback(lambda _: self.cached.get())
        second.addErrback(lambda _: self.cached.get())
        self.calls[0].errback(KeyError())
        self.assertEqual(len(self.calls), 2)
        self.calls[1].callback("x")
        for each in (first, second):
            self.assertEqual(self.successResultOf(each), "x")
