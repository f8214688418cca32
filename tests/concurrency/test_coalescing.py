"""
Tests for L{twisted_quotes.concurrency.coalescing}.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.concurrency.coalescing import CoalescedCall


class CoalescedCallTests(SynchronousTestCase):
    """Tests of L{CoalescedCall}."""

    def setUp(self) -> None:
        self.pending: list[Deferred[int]] = []

        async def function() -> int:
            self.pending.append(Deferred())
            return await self.pending[-1]

        self.call = CoalescedCall(function)

    def test_requests_during_a_call_share_the_next_one(self) -> None:
        """Theirs starts after they came."""
        first = self.call.request()
        second, third = self.call.request(), self.call.request()
        self.assertEqual((len(self.pending), self.call.waiting_count), (1, 2))
        self.pending[0].callback(1)
        self.assertEqual(self.successResultOf(first), 1)
        self.assertNoResult(second)
        self.assertEqual((len(self.pending), self.call.waiting_count), (2, 0))
        self.pending[1].callback(2)
        for each in (second, third):
            self.assertEqual(self.successResultOf(each), 2)
        self.assertEqual(len(self.pending), 2)

    def test_an_error_is_passed_on(self) -> None:
        """The next request starts another call."""
        for _ in range(2):
            waiter = self.call.request()
            self.pending[-1].errback(ValueError())
            self.failureResultOf(waiter, ValueError)
        self.assertEqual(len(self.pending), 2)

    def test_a_cancelled_request_does_not_end_the_call(self) -> None:
        first, second = self.call.request(), self.call.request()
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.pending[0].callback(1)
        self.pending[1].callback(2)
        self.assertEqual(self.successResultOf(second), 2)

    def test_a_cancelled_request_does_not_wait(self) -> None:
        self.call.request()
        waiting = self.call.request()
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.assertEqual(self.call.waiting_count, 0)
        self.pending[0].callback(1)
        self.assertEqual(len(self.pending), 1)

    def test_a_request_may_be_made_when_another_one_fires(self) -> None:
        results: list[Deferred[int]] = []
        self.call.request().addCallback(lambda _: results.append(self.call.request()))
        self.pending[0].callback(1)
        self.pending[1].callback(2)
        self.assertEqual(self.successResultOf(results[0]), 2)

    def test_a_cancellable_call_ends_with_the_last_request_that_waits_for_it(
        self,
    ) -> None:
        """A request that waits for the next call starts it then."""
        self.call.cancellable = True
        self.call.request()
        first, second = self.call.request(), self.call.request()
        self.pending[0].callback(1)
        later = self.call.request()
        for waiter, is_cancelled in ((first, False), (second, True)):
            waiter.cancel()
            self.failureResultOf(waiter, CancelledError)
            self.assertEqual(self.pending[1].called, is_cancelled)
        self.pending[2].callback(3)
        self.assertEqual(self.successResultOf(later), 3)
        self.assertFalse(self.call.is_running)
