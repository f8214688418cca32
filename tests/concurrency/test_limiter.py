"""
Tests for L{twisted_quotes.concurrency.limiter}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis.strategies import booleans, integers, lists, sampled_from, tuples
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.concurrency.limiter import Claim, Place, Places
from twisted_quotes.errors import TooBusy, TooManyRequests


class PlacesTests(SynchronousTestCase):
    """Bounded running and waiting."""

    def setUp(self) -> None:
        """Have one place, and room for two to wait."""
        self.places = Places(running=1, waiting=2)

    def leave(self, *taken: Deferred[None]) -> None:
        """Take the free place, and leave it with these still to end."""
        with self.successResultOf(self.places.take()) as place:
            for each in taken:
                place.hold_until(each)

    def test_a_free_place_is_taken_at_once(self) -> None:
        """There is no wait where there is a place."""
        self.successResultOf(self.places.take())

    def test_a_taken_place_is_waited_for(self) -> None:
        """One who finds no place waits until one is left."""
        with self.successResultOf(self.places.take()):
            waiting = self.places.take()
            self.assertNoResult(waiting)
        self.successResultOf(waiting)

    def test_several_run_at_once(self) -> None:
        """There are as many places as were asked for."""
        places = Places(running=3, waiting=1)
        for _ in range(3):
            self.successResultOf(places.take())
        self.assertNoResult(places.take())

    def test_how_many_are_taken_and_waited_for_is_known(self) -> None:
        """At any moment."""
        with self.successResultOf(self.places.take()):
            self.places.take()
            self.assertEqual((self.places.taken, self.places.queue), (1, 1))
        self.assertEqual((self.places.taken, self.places.queue), (1, 0))

    def test_places_come_in_the_order_of_asking(self) -> None:
        """The first to wait is the first to get a place."""
        with self.successResultOf(self.places.take()):
            first, second = self.places.take(), self.places.take()
        with self.successResultOf(first):
            self.assertNoResult(second)
        self.successResultOf(second)

    def test_too_many_may_not_wait(self) -> None:
        """One more than may wait is turned away at once."""
        for _ in range(3):
            self.places.take()
        self.assertRaises(TooBusy, self.places.take)

    def test_nobody_may_wait(self) -> None:
        """Without room to wait the places themselves can still be taken."""
        places = Places(running=1, waiting=0)
        with self.successResultOf(places.take()):
            self.assertRaises(TooBusy, places.take)
        self.successResultOf(places.take())

    def test_giving_up_the_wait_makes_room(self) -> None:
        """One who waits no longer gets no place and keeps none from waiting."""
        with self.successResultOf(self.places.take()):
            first, second = self.places.take(), self.places.take()
            first.cancel()
            self.failureResultOf(first, CancelledError)
            third = self.places.take()
        with self.successResultOf(second):
            self.assertNoResult(third)
        self.successResultOf(third)

    def test_a_place_is_given_back_after_an_error(self) -> None:
        """Leaving badly is leaving, and the error goes on its way."""
        with (
            self.assertRaises(KeyError),
            self.successResultOf(self.places.take()),
        ):
            raise KeyError("x")
        self.successResultOf(self.places.take())

    def test_a_place_is_held_until_its_processes_ended(self) -> None:
        """A place that was left is not free while anything still runs in it."""
        first, second = Deferred[None](), Deferred[None]()
        self.leave(first, second)
        waiting = self.places.take()
        first.callback(None)
        self.assertNoResult(waiting)
        second.callback(None)
        self.successResultOf(waiting)

    def test_a_place_whose_processes_ended_is_free_when_left(self) -> None:
        """What ended before does not hold it."""
        ended = Deferred[None]()
        ended.callback(None)
        self.leave(ended)
        self.successResultOf(self.places.take())

    def test_any_number_may_leave_as_soon_as_they_come(self) -> None:
        """However many fail at once, one after another, the place is not lost."""
        places = Places(running=1, waiting=5000)

        async def leave_at_once() -> None:
            with await places.take():
                pass

        with self.successResultOf(places.take()):
            leaving = [Deferred.fromCoroutine(leave_at_once()) for _ in range(5000)]
        for each in leaving:
            self.successResultOf(each)
        self.successResultOf(places.take())

    def test_who_had_a_place_may_always_wait_for_another(self) -> None:
        """What has begun is not turned away halfway, but waits its turn."""
        with self.successResultOf(self.places.take()):
            waiting = [self.places.take() for _ in range(2)]
            again = self.places.take_again()
            self.assertNoResult(again)
        for each in waiting:
            with self.successResultOf(each):
                self.assertNoResult(again)
        self.successResultOf(again)


class FairPlacesTests(SynchronousTestCase):
    """Tests of several clients that want places."""

    def setUp(self) -> None:
        """Have two places, and room for four to wait."""
        self.places = Places(running=2, waiting=4)
        self.got: list[tuple[str | None, Place]] = []
        self.refused: list[str] = []

    def ask(self, client: str | None, slow: bool = False) -> Deferred[None]:
        """Ask for a place."""
        asked = self.places.take(Claim(client, slow))

        def get(place: Place) -> None:
            self.got.append((client, place))

        def refuse(failure: Failure) -> None:
            failure.trap(TooManyRequests, CancelledError)
            self.refused.append(str(client))

        return asked.addCallbacks(get, refuse)

    def leave(self) -> None:
        """Leave the place that was taken first."""
        self.got.pop(0)[1].close()

    def test_a_client_that_has_no_place_comes_before_one_that_has(self) -> None:
        """Whoever asked first."""
        for client in ("a", "a", "a", "a", "b", "c"):
            self.ask(client)
        self.leave()
        self.assertEqual([client for client, _ in self.got], ["a", "b"])
        self.leave()
        self.assertEqual([client for client, _ in self.got], ["b", "c"])
        self.leave()
        self.assertEqual([client for client, _ in self.got], ["c", "a"])

    def test_one_client_alone_has_all_places_and_may_wait(self) -> None:
        """And beyond that the service is too busy, as it says."""
        for _ in range(6):
            self.ask("a")
        self.assertEqual((self.places.taken, self.places.queue), (2, 4))
        with self.assertRaises(TooBusy):
            self.ask("a")

    def test_another_client_takes_the_newest_position_of_a_full_queue(self) -> None:
        """Of the client with most waiting, which is told to ask for less."""
        for _ in range(6):
            self.ask("a")
        self.ask("b")
        self.assertEqual(self.refused, ["a"])
        self.ask("b")
        self.assertEqual(self.refused, ["a", "a"])
        # Both have an equal share now.
        for client in ("a", "b"):
            with self.assertRaises(TooManyRequests):
                self.ask(client)
        self.assertEqual(self.places.queue, 4)

    def test_the_share_is_smaller_the_more_clients_wait(self) -> None:
        """Where each of them has one position, there is none for a further one."""
        for _ in range(6):
            self.ask("a")
        for client in "bcd":
            self.ask(client)
        self.assertEqual(self.refused, ["a"] * 3)
        with self.assertRaises(TooBusy):
            self.ask("e")
        with self.assertRaises(TooManyRequests):
            self.ask("b")

    def test_what_had_a_place_before_is_not_refused(self) -> None:
        """It is halfway, and may have sent something of its answer."""
        self.ask("a")
        self.ask("a")
        again = [self.places.take_again(Claim("a")) for _ in range(4)]
        with self.assertRaises(TooBusy):
            self.ask("b")
        self.leave()
        self.leave()
        for each in again[:2]:
            self.successResultOf(each)
        self.assertEqual(self.refused, [])

    def test_clients_that_cannot_be_told_apart_are_one(self) -> None:
        """They have places in the order of asking, and nobody takes a position."""
        for _ in range(6):
            self.ask(None)
        with self.assertRaises(TooBusy):
            self.ask(None)
        self.assertEqual(self.refused, [])

    def test_what_is_slow_leaves_places_to_what_is_not(self) -> None:
        """A quarter of them, one at least, where there is more than one."""
        for running, slow in ((1, 1), (2, 1), (3, 2), (4, 3), (8, 6), (32, 24)):
            self.places = Places(running, running)
            for _ in range(running):
                self.places.take(Claim("a", slow=True))
            self.assertEqual(self.places.taken, slow)
            quick = [self.places.take(Claim("a")) for _ in range(running - slow)]
            for each in quick:
                self.successResultOf(each)

    def test_what_is_slow_waits_for_something_slow_to_end(self) -> None:
        """Though there is a place that something else could have."""
        self.ask("a", slow=True)
        self.ask("b", slow=True)
        self.assertEqual((self.places.taken, self.places.queue), (1, 1))
        self.ask("c")
        self.ask("c")
        self.leave()
        self.assertEqual([client for client, _ in self.got], ["c", "b"])

    def test_who_leaves_and_asks_again_at_once_waits_behind_others(self) -> None:
        """Even where it does so in the moment in which it got the place."""
        places = Places(running=1, waiting=9)
        order: list[str] = []

        async def twice(client: str) -> None:
            for _ in range(2):
                with await places.take(Claim(client)):
                    order.append(client)

        with self.successResultOf(places.take()):
            for client in "abc":
                Deferred.fromCoroutine(twice(client))
        self.assertEqual(order, list("abcabc"))

    def test_nothing_is_kept_of_clients_that_are_gone(self) -> None:
        """However many there were."""
        for number in range(100):
            self.ask(f"{number}").cancel()
            while self.got:
                self.leave()
        self.assertEqual((self.places._held, self.places._new), ({}, {}))

    @given(
        integers(1, 5),
        integers(0, 5),
        lists(tuples(sampled_from("aaabcd"), booleans(), booleans())),
    )
    def test_whatever_is_asked_for_and_left(
        self, running: int, waiting: int, steps: list[tuple[str, bool, bool]]
    ) -> None:
        """No place is lost or idle, the queue is bounded, each is answered once."""
        self.places = places = Places(running, waiting)
        self.got, self.refused = [], []
        asked = refused_at_once = 0
        for client, slow, leave in steps:
            if leave and self.got:
                self.leave()
            else:
                asked += 1
                try:
                    self.ask(client, slow)
                except TooBusy:
                    refused_at_once += 1
                except TooManyRequests:
                    refused_at_once += 1
            left = asked - refused_at_once - len(self.refused)
            self.assertEqual(places.taken, len(self.got))
            self.assertLessEqual(places.queue, waiting)
            if any(not claim.slow for claim in places._waiting.values()):
                self.assertEqual(places.free, 0)
            self.assertGreaterEqual(left, places.taken + places.queue)
        while self.got:
            self.leave()
        self.assertEqual((places.taken, places.queue), (0, 0))
