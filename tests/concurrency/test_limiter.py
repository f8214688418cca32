"""
Tests for L{twisted_quotes.concurrency.limiter}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis.strategies import booleans, integers, lists, sampled_from, tuples
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.concurrency.limiter import ConcurrencyLimiter, Slot, SlotRequest
from twisted_quotes.errors import TooBusy, TooManyRequests


class ConcurrencyLimiterTests(SynchronousTestCase):
    """Bounded running and waiting."""

    def setUp(self) -> None:
        """Have one place, and room for two to wait."""
        self.limiter = ConcurrencyLimiter(max_running=1, max_waiting=2)

    def release_slot(self, *holders: Deferred[None]) -> None:
        """Take the free place, and leave it with these still to end."""
        with self.successResultOf(self.limiter.acquire()) as slot:
            for each in holders:
                slot.hold_until(each)

    def test_a_free_place_is_taken_at_once(self) -> None:
        """There is no wait where there is a place."""
        self.successResultOf(self.limiter.acquire())

    def test_a_taken_place_is_waited_for(self) -> None:
        """One who finds no place waits until one is left."""
        with self.successResultOf(self.limiter.acquire()):
            waiting = self.limiter.acquire()
            self.assertNoResult(waiting)
        self.successResultOf(waiting)

    def test_several_run_at_once(self) -> None:
        """There are as many places as were asked for."""
        limiter = ConcurrencyLimiter(max_running=3, max_waiting=1)
        for _ in range(3):
            self.successResultOf(limiter.acquire())
        self.assertNoResult(limiter.acquire())

    def test_how_many_are_taken_and_waited_for_is_known(self) -> None:
        """At any moment."""
        with self.successResultOf(self.limiter.acquire()):
            self.limiter.acquire()
            self.assertEqual((self.limiter.in_use, self.limiter.queue_length), (1, 1))
        self.assertEqual((self.limiter.in_use, self.limiter.queue_length), (1, 0))

    def test_places_come_in_the_order_of_asking(self) -> None:
        """The first to wait is the first to get a place."""
        with self.successResultOf(self.limiter.acquire()):
            first, second = self.limiter.acquire(), self.limiter.acquire()
        with self.successResultOf(first):
            self.assertNoResult(second)
        self.successResultOf(second)

    def test_too_many_may_not_wait(self) -> None:
        """One more than may wait is turned away at once."""
        for _ in range(3):
            self.limiter.acquire()
        self.assertRaises(TooBusy, self.limiter.acquire)

    def test_nobody_may_wait(self) -> None:
        """Without room to wait the places themselves can still be taken."""
        limiter = ConcurrencyLimiter(max_running=1, max_waiting=0)
        with self.successResultOf(limiter.acquire()):
            self.assertRaises(TooBusy, limiter.acquire)
        self.successResultOf(limiter.acquire())

    def test_giving_up_the_wait_makes_room(self) -> None:
        """One who waits no longer gets no place and keeps none from waiting."""
        with self.successResultOf(self.limiter.acquire()):
            first, second = self.limiter.acquire(), self.limiter.acquire()
            first.cancel()
            self.failureResultOf(first, CancelledError)
            third = self.limiter.acquire()
        with self.successResultOf(second):
            self.assertNoResult(third)
        self.successResultOf(third)

    def test_a_place_is_given_back_after_an_error(self) -> None:
        """Leaving badly is leaving, and the error goes on its way."""
        with (
            self.assertRaises(KeyError),
            self.successResultOf(self.limiter.acquire()),
        ):
            raise KeyError("x")
        self.successResultOf(self.limiter.acquire())

    def test_a_place_is_held_until_its_processes_ended(self) -> None:
        """A place that was left is not free while anything still runs in it."""
        first, second = Deferred[None](), Deferred[None]()
        self.release_slot(first, second)
        waiting = self.limiter.acquire()
        first.callback(None)
        self.assertNoResult(waiting)
        second.callback(None)
        self.successResultOf(waiting)

    def test_a_place_whose_processes_ended_is_free_when_left(self) -> None:
        """What ended before does not hold it."""
        ended = Deferred[None]()
        ended.callback(None)
        self.release_slot(ended)
        self.successResultOf(self.limiter.acquire())

    def test_any_number_may_leave_as_soon_as_they_come(self) -> None:
        """However many fail at once, one after another, the place is not lost."""
        limiter = ConcurrencyLimiter(max_running=1, max_waiting=5000)

        async def leave_at_once() -> None:
            with await limiter.acquire():
                pass

        with self.successResultOf(limiter.acquire()):
            leaving = [Deferred.fromCoroutine(leave_at_once()) for _ in range(5000)]
        for each in leaving:
            self.successResultOf(each)
        self.successResultOf(limiter.acquire())

    def test_who_had_a_place_may_always_wait_for_another(self) -> None:
        """What has begun is not turned away halfway, but waits its turn."""
        with self.successResultOf(self.limiter.acquire()):
            waiting = [self.limiter.acquire() for _ in range(2)]
            again = self.limiter.reacquire()
            self.assertNoResult(again)
        for each in waiting:
            with self.successResultOf(each):
                self.assertNoResult(again)
        self.successResultOf(again)


class FairConcurrencyLimiterTests(SynchronousTestCase):
    """Tests of several clients that want places."""

    def setUp(self) -> None:
        """Have two places, and room for four to wait."""
        self.limiter = ConcurrencyLimiter(max_running=2, max_waiting=4)
        self.acquired: list[tuple[str | None, Slot]] = []
        self.rejected: list[str] = []

    def acquire_slot(self, client: str | None, slow: bool = False) -> Deferred[None]:
        """Ask for a place."""
        pending = self.limiter.acquire(SlotRequest(client, slow))

        def get(place: Slot) -> None:
            self.acquired.append((client, place))

        def refuse(failure: Failure) -> None:
            failure.trap(TooManyRequests, CancelledError)
            self.rejected.append(str(client))

        return pending.addCallbacks(get, refuse)

    def release_first(self) -> None:
        """Leave the place that was taken first."""
        self.acquired.pop(0)[1].close()

    def test_a_client_that_has_no_place_comes_before_one_that_has(self) -> None:
        """Whoever asked first."""
        for client in ("a", "a", "a", "a", "b", "c"):
            self.acquire_slot(client)
        self.release_first()
        self.assertEqual([client for client, _ in self.acquired], ["a", "b"])
        self.release_first()
        self.assertEqual([client for client, _ in self.acquired], ["b", "c"])
        self.release_first()
        self.assertEqual([client for client, _ in self.acquired], ["c", "a"])

    def test_one_client_alone_has_all_places_and_may_wait(self) -> None:
        """And beyond that the service is too busy, as it says."""
        for _ in range(6):
            self.acquire_slot("a")
        self.assertEqual((self.limiter.in_use, self.limiter.queue_length), (2, 4))
        with self.assertRaises(TooBusy):
            self.acquire_slot("a")

    def test_another_client_takes_the_newest_position_of_a_full_queue(self) -> None:
        """Of the client with most waiting, which is told to ask for less."""
        for _ in range(6):
            self.acquire_slot("a")
        self.acquire_slot("b")
        self.assertEqual(self.rejected, ["a"])
        self.acquire_slot("b")
        self.assertEqual(self.rejected, ["a", "a"])
        # Both have an equal share now.
        for client in ("a", "b"):
            with self.assertRaises(TooManyRequests):
                self.acquire_slot(client)
        self.assertEqual(self.limiter.queue_length, 4)

    def test_the_share_is_smaller_the_more_clients_wait(self) -> None:
        """Where each of them has one position, there is none for a further one."""
        for _ in range(6):
            self.acquire_slot("a")
        for client in "bcd":
            self.acquire_slot(client)
        self.assertEqual(self.rejected, ["a"] * 3)
        with self.assertRaises(TooBusy):
            self.acquire_slot("e")
        with self.assertRaises(TooManyRequests):
            self.acquire_slot("b")

    def test_what_had_a_place_before_is_not_refused(self) -> None:
        """It is halfway, and may have sent something of its answer."""
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

    def test_clients_that_cannot_be_told_apart_are_one(self) -> None:
        """They have places in the order of asking, and nobody takes a position."""
        for _ in range(6):
            self.acquire_slot(None)
        with self.assertRaises(TooBusy):
            self.acquire_slot(None)
        self.assertEqual(self.rejected, [])

    def test_what_is_slow_leaves_places_to_what_is_not(self) -> None:
        """A quarter of them, one at least, where there is more than one."""
        for running, slow in ((1, 1), (2, 1), (3, 2), (4, 3), (8, 6), (32, 24)):
            self.limiter = ConcurrencyLimiter(running, running)
            for _ in range(running):
                self.limiter.acquire(SlotRequest("a", slow=True))
            self.assertEqual(self.limiter.in_use, slow)
            quick = [
                self.limiter.acquire(SlotRequest("a")) for _ in range(running - slow)
            ]
            for each in quick:
                self.successResultOf(each)

    def test_what_is_slow_waits_for_something_slow_to_end(self) -> None:
        """Though there is a place that something else could have."""
        self.acquire_slot("a", slow=True)
        self.acquire_slot("b", slow=True)
        self.assertEqual((self.limiter.in_use, self.limiter.queue_length), (1, 1))
        self.acquire_slot("c")
        self.acquire_slot("c")
        self.release_first()
        self.assertEqual([client for client, _ in self.acquired], ["c", "b"])

    def test_who_leaves_and_asks_again_at_once_waits_behind_others(self) -> None:
        """Even where it does so in the moment in which it got the place."""
        limiter = ConcurrencyLimiter(max_running=1, max_waiting=9)
        order: list[str] = []

        async def twice(client: str) -> None:
            for _ in range(2):
                with await limiter.acquire(SlotRequest(client)):
                    order.append(client)

        with self.successResultOf(limiter.acquire()):
            for client in "abc":
                Deferred.fromCoroutine(twice(client))
        self.assertEqual(order, list("abcabc"))

    def test_nothing_is_kept_of_clients_that_are_gone(self) -> None:
        """However many there were."""
        for number in range(100):
            self.acquire_slot(f"{number}").cancel()
            while self.acquired:
                self.release_first()
        self.assertEqual(
            (self.limiter._held_slots, self.limiter._new_waiters), ({}, {})
        )

    @given(
        integers(1, 5),
        integers(0, 5),
        lists(tuples(sampled_from("aaabcd"), booleans(), booleans())),
    )
    def test_whatever_is_asked_for_and_left(
        self, running: int, waiting: int, steps: list[tuple[str, bool, bool]]
    ) -> None:
        """No place is lost or idle, the queue is bounded, each is answered once."""
        self.limiter = places = ConcurrencyLimiter(running, waiting)
        self.acquired, self.rejected = [], []
        asked = refused_at_once = 0
        for client, slow, leave in steps:
            if leave and self.acquired:
                self.release_first()
            else:
                asked += 1
                try:
                    self.acquire_slot(client, slow)
                except TooBusy:
                    refused_at_once += 1
                except TooManyRequests:
                    refused_at_once += 1
            left = asked - refused_at_once - len(self.rejected)
            self.assertEqual(places.in_use, len(self.acquired))
            self.assertLessEqual(places.queue_length, waiting)
            if any(not claim.slow for claim in places._waiting.values()):
                self.assertEqual(places.available, 0)
            self.assertGreaterEqual(left, places.in_use + places.queue_length)
        while self.acquired:
            self.release_first()
        self.assertEqual((places.in_use, places.queue_length), (0, 0))
