"""
Tests for L{twisted_quotes.concurrency.limiter}.
"""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis.strategies import integers, lists, sampled_from, tuples
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.concurrency.limiter import ConcurrencyLimiter, Slot, SlotRequest
from twisted_quotes.errors import TooBusy, TooManyRequests

REQUEST = SlotRequest()


class ConcurrencyLimiterTests(SynchronousTestCase):
    """Tests of one slot, and a queue of two, where nothing else is said."""

    def setUp(self) -> None:
        self.limiter = ConcurrencyLimiter(max_running=1, max_waiting=2)

    def release_slot(self, *process_ends: Deferred[None]) -> None:
        """Acquire the free slot, and close it while processes run in it."""
        with self.successResultOf(self.limiter.acquire(REQUEST)) as slot:
            for ended in process_ends:
                slot.hold_until(ended)

    def test_requests_of_one_client_are_served_in_order(self) -> None:
        with self.successResultOf(self.limiter.acquire(REQUEST)):
            first, second = (
                self.limiter.acquire(REQUEST),
                self.limiter.acquire(REQUEST),
            )
        with self.successResultOf(first):
            self.assertNoResult(second)
        self.successResultOf(second)

    def test_a_full_queue_refuses_a_request(self) -> None:
        for max_waiting in (0, 2):
            limiter = ConcurrencyLimiter(max_running=1, max_waiting=max_waiting)
            for _ in range(1 + max_waiting):
                limiter.acquire(REQUEST)
            self.assertRaises(TooBusy, limiter.acquire, REQUEST)

    def test_a_cancelled_request_leaves_the_queue(self) -> None:
        with self.successResultOf(self.limiter.acquire(REQUEST)):
            first, second = (
                self.limiter.acquire(REQUEST),
                self.limiter.acquire(REQUEST),
            )
            first.cancel()
            self.failureResultOf(first, CancelledError)
            third = self.limiter.acquire(REQUEST)
        with self.successResultOf(second):
            self.assertNoResult(third)
        self.successResultOf(third)

    def test_a_slot_is_released_after_an_error(self) -> None:
        with (
            self.assertRaises(KeyError),
            self.successResultOf(self.limiter.acquire(REQUEST)),
        ):
            raise KeyError("x")
        self.successResultOf(self.limiter.acquire(REQUEST))

    def test_a_closed_slot_is_held_until_its_processes_have_ended(self) -> None:
        first, second = Deferred[None](), Deferred[None]()
        self.release_slot(first, second)
        waiting = self.limiter.acquire(REQUEST)
        first.callback(None)
        self.assertNoResult(waiting)
        second.callback(None)
        self.successResultOf(waiting)

    def test_a_process_that_ended_before_does_not_hold_the_slot(self) -> None:
        self.release_slot(succeed(None))
        self.successResultOf(self.limiter.acquire(REQUEST))

    def test_thousands_of_slots_released_in_a_row_do_not_recurse(self) -> None:
        limiter = ConcurrencyLimiter(max_running=1, max_waiting=5000)

        async def acquire_and_release() -> None:
            with await limiter.acquire(REQUEST):
                pass

        with self.successResultOf(limiter.acquire(REQUEST)):
            done = [Deferred.fromCoroutine(acquire_and_release()) for _ in range(5000)]
        for each in done:
            self.successResultOf(each)
        self.successResultOf(limiter.acquire(REQUEST))

    def test_reacquiring_is_never_refused_but_waits_its_turn(self) -> None:
        with self.successResultOf(self.limiter.acquire(REQUEST)):
            waiting = [self.limiter.acquire(REQUEST) for _ in range(2)]
            again = self.limiter.reacquire(REQUEST)
            self.assertNoResult(again)
        for each in waiting:
            with self.successResultOf(each):
                self.assertNoResult(again)
        self.successResultOf(again)


class FairConcurrencyLimiterTests(SynchronousTestCase):
    """Tests of several clients that share two slots, and a queue of four."""

    def setUp(self) -> None:
        self.limiter = ConcurrencyLimiter(max_running=2, max_waiting=4)
        self.acquired: list[tuple[str | None, Slot]] = []
        self.rejected: list[str | None] = []

    def acquire_slot(self, client: str | None, slow: bool = False) -> Deferred[None]:
        """Request a slot, and record what becomes of the request."""

        def reject(failure: Failure) -> None:
            failure.trap(TooManyRequests, CancelledError)
            self.rejected.append(client)

        return self.limiter.acquire(SlotRequest(client, slow)).addCallbacks(
            lambda slot: self.acquired.append((client, slot)), reject
        )

    def release_first(self) -> None:
        """Release the slot that was acquired first."""
        self.acquired.pop(0)[1].close()

    def test_a_client_without_a_slot_is_served_first(self) -> None:
        for client in ("a", "a", "a", "a", "b", "c"):
            self.acquire_slot(client)
        for expected in (["a", "b"], ["b", "c"], ["c", "a"]):
            self.release_first()
            self.assertEqual([client for client, _ in self.acquired], expected)

    def test_a_single_client_may_use_all_slots_and_the_whole_queue(self) -> None:
        for client in ("a", None):
            self.setUp()
            for _ in range(6):
                self.acquire_slot(client)
            self.assertEqual((self.limiter.in_use, self.limiter.queue_length), (2, 4))
            with self.assertRaises(TooBusy):
                self.acquire_slot(client)
            self.assertEqual(self.rejected, [])

    def test_a_client_replaces_the_newest_request_of_the_busiest(self) -> None:
        for _ in range(6):
            self.acquire_slot("a")
        for count in (1, 2):
            self.acquire_slot("b")
            self.assertEqual(self.rejected, ["a"] * count)
        # Now both have an equal share.
        for client in ("a", "b"):
            with self.assertRaises(TooManyRequests):
                self.acquire_slot(client)
        self.assertEqual(self.limiter.queue_length, 4)

    def test_more_clients_have_smaller_shares(self) -> None:
        """When each client has one waiting request, none is replaced."""
        for _ in range(6):
            self.acquire_slot("a")
        for client in "bcd":
            self.acquire_slot(client)
        self.assertEqual(self.rejected, ["a"] * 3)
        with self.assertRaises(TooBusy):
            self.acquire_slot("e")
        with self.assertRaises(TooManyRequests):
            self.acquire_slot("b")

    def test_requests_that_held_a_slot_before_are_not_replaced(self) -> None:
        """Part of the response may have been sent already."""
        self.acquire_slot("a")
        self.acquire_slot("a")
        again = [self.limiter.reacquire(SlotRequest("a")) for _ in range(4)]
        with self.assertRaises(TooBusy):
            self.acquire_slot("b")
        self.release_first()
        self.release_first()
        for each in again[:2]:
            self.successResultOf(each)
        self.assertEqual(self.rejected, [])

    def test_slow_requests_leave_a_quarter_of_the_slots(self) -> None:
        """At least one, if there is more than one."""
        for running, slow in ((1, 1), (2, 1), (3, 2), (4, 3), (8, 6), (32, 24)):
            limiter = ConcurrencyLimiter(running, running)
            for _ in range(running):
                limiter.acquire(SlotRequest("a", slow=True))
            self.assertEqual(limiter.in_use, slow)
            for _ in range(running - slow):
                self.successResultOf(limiter.acquire(SlotRequest("a")))

    def test_a_slow_request_waits_for_another_to_end(self) -> None:
        """It waits although a slot is free for other requests."""
        self.acquire_slot("a", slow=True)
        self.acquire_slot("b", slow=True)
        self.assertEqual((self.limiter.in_use, self.limiter.queue_length), (1, 1))
        self.acquire_slot("c")
        self.acquire_slot("c")
        self.release_first()
        self.assertEqual([client for client, _ in self.acquired], ["c", "b"])

    def test_a_client_that_requests_again_at_once_waits_behind_others(self) -> None:
        """This holds also while slots are handed out."""
        limiter = ConcurrencyLimiter(max_running=1, max_waiting=9)
        order: list[str] = []

        async def acquire_twice(client: str) -> None:
            for _ in range(2):
                with await limiter.acquire(SlotRequest(client)):
                    order.append(client)

        with self.successResultOf(limiter.acquire(REQUEST)):
            for client in "abc":
                Deferred.fromCoroutine(acquire_twice(client))
        self.assertEqual(order, list("abcabc"))

    def test_no_state_is_kept_of_past_clients(self) -> None:
        for number in range(100):
            self.acquire_slot(f"{number}").cancel()
            while self.acquired:
                self.release_first()
        self.assertEqual(self.limiter._held_slots, {})
        self.assertEqual(self.limiter._evictable, {})
        self.assertEqual([len(queue) for queue in self.limiter._queues], [0, 0])

    @given(
        integers(1, 5),
        integers(0, 5),
        lists(
            tuples(
                sampled_from("aaabcd"),
                sampled_from(("acquire", "acquire slow", "release", "cancel")),
            )
        ),
    )
    def test_any_sequence_of_requests_and_releases(
        self, running: int, waiting: int, steps: list[tuple[str, str]]
    ) -> None:
        """No slot is lost or idle, the queue is bounded, each request ends once."""
        self.setUp()
        self.limiter = limiter = ConcurrencyLimiter(running, waiting)
        requests: list[Deferred[None]] = []
        released = 0
        for client, action in steps:
            if action == "release" and self.acquired:
                self.release_first()
                released += 1
            elif action == "cancel" and requests:
                requests[len(requests) // 2].cancel()
            else:
                with contextlib.suppress(TooBusy, TooManyRequests):
                    requests.append(self.acquire_slot(client, action == "acquire slow"))
            self.assertEqual(limiter.in_use, len(self.acquired))
            self.assertLessEqual(limiter.queue_length, waiting)
            if any(not request.slow for request in limiter._waiting.values()):
                self.assertEqual(limiter.available, 0)
            self.assertEqual(
                len(requests),
                len(self.rejected) + released + limiter.in_use + limiter.queue_length,
            )
        while self.acquired:
            self.release_first()
        self.assertEqual((limiter.in_use, limiter.queue_length), (0, 0))
