"""
Tests for L{twisted_quotes.places}.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.errors import TooBusy
from twisted_quotes.places import Places


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
