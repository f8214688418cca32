"""
Tests for L{twisted_quotes.grep.parallel}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.concurrency.limiter import ConcurrencyLimiter, SlotRequest
from twisted_quotes.concurrency.outstanding import Outstanding
from twisted_quotes.grep.parallel import run_in_parallel
from twisted_quotes.grep.runner import GrepRunner, GrepSession

from ..fakes import FakeReactor, apply_no_limits


class ParallelTests(SynchronousTestCase):
    """Tests of L{run_in_parallel} with eight slots, the default for two cores."""

    def setUp(self) -> None:
        self.limiter = ConcurrencyLimiter(8, 100)
        reactor: Any = FakeReactor()
        runner = GrepRunner(
            *(reactor, "/bin/grep", self.limiter, 9.0, Outstanding(), apply_no_limits)
        )
        self.session = self.successResultOf(
            Deferred.fromCoroutine(runner.acquire_session(SlotRequest()))
        )
        self.running: dict[str, Deferred[str]] = {}

    def start(self, items: str) -> Deferred[list[str]]:
        """Call a function for each item; the test ends the calls."""

        async def function(session: GrepSession, item: str) -> str:
            self.running[item] = Deferred()
            return await self.running[item]

        return Deferred.fromCoroutine(run_in_parallel(self.session, function, items))

    def finish(self, *items: str) -> None:
        """End some calls."""
        for item in items:
            self.running.pop(item).callback(item.upper())

    def test_results_are_in_the_order_of_the_items(self) -> None:
        results = self.start("abcd")
        self.assertEqual(list(self.running), ["a", "b"])
        self.finish("b", "c")
        self.assertEqual(list(self.running), ["a", "d"])
        self.finish("d", "a")
        self.assertEqual(self.successResultOf(results), ["A", "B", "C", "D"])

    def test_all_other_slots_are_released(self) -> None:
        results = self.start("abc")
        self.assertEqual(self.limiter.in_use, 2)
        self.finish("a", "b", "c")
        self.successResultOf(results)
        self.assertEqual(self.limiter.in_use, 1)

    def test_no_slot_is_taken_that_is_not_free(self) -> None:
        """Or that another request waits for."""
        slots = [self.limiter.acquire(SlotRequest()) for _ in range(7)]
        self.start("ab")
        self.assertEqual(list(self.running), ["a"])
        self.successResultOf(slots[0]).close()
        waiting = [self.limiter.acquire(SlotRequest(None, True)) for _ in range(8)]
        self.running.clear()
        self.start("xy")
        self.assertEqual(list(self.running), ["x"])
        del waiting

    def test_one_item_needs_one_slot(self) -> None:
        results = self.start("a")
        self.assertEqual(self.limiter.in_use, 1)
        self.finish("a")
        self.assertEqual(self.successResultOf(results), ["A"])

    def test_no_items_have_no_results(self) -> None:
        self.assertEqual(self.successResultOf(self.start("")), [])

    def test_the_first_error_cancels_the_others(self) -> None:
        results = self.start("abc")
        other = self.running["a"]
        cancelled: list[bool] = []
        other._canceller = lambda _: cancelled.append(True)
        self.running["b"].errback(ValueError())
        self.failureResultOf(results, ValueError)
        self.assertEqual((cancelled, self.limiter.in_use), ([True], 1))

    def test_a_cancellation_cancels_all(self) -> None:
        results = self.start("abc")
        results.cancel()
        self.failureResultOf(results, CancelledError)
        self.assertEqual(self.limiter.in_use, 1)
        self.assertNotIn("c", self.running)
