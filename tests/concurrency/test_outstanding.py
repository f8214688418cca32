"""
Tests for L{twisted_quotes.concurrency.outstanding}.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.concurrency.outstanding import Outstanding


class OutstandingTests(SynchronousTestCase):
    """What is under way, and the wait for it."""

    def setUp(self) -> None:
        """Have nothing under way, and one thing that could be."""
        self.outstanding = Outstanding()
        self.finished = Deferred[str]()

    def test_nothing_is_over_at_once(self) -> None:
        """With nothing under way there is no wait."""
        self.assertEqual(self.successResultOf(self.outstanding.when_done()), [])
        self.assertEqual(len(self.outstanding), 0)

    def test_what_is_added_is_counted(self) -> None:
        """It counts from when it is added until it is over."""
        self.outstanding.add(self.finished)
        self.assertEqual(len(self.outstanding), 1)
        self.finished.callback("done")
        self.assertEqual(len(self.outstanding), 0)

    def test_what_is_added_twice_is_counted_once(self) -> None:
        """One thing is one thing."""
        self.outstanding.add(self.finished)
        self.outstanding.add(self.finished)
        self.assertEqual(len(self.outstanding), 1)
        self.finished.callback("done")
        self.assertEqual(len(self.outstanding), 0)

    def test_what_is_over_already_is_not_counted(self) -> None:
        """It is over as soon as it is added."""
        self.finished.callback("done")
        self.outstanding.add(self.finished)
        self.assertEqual(len(self.outstanding), 0)

    def test_the_result_is_passed_on(self) -> None:
        """One who adds a result keeps it."""
        self.assertIs(self.outstanding.add(self.finished), self.finished)
        self.finished.callback("done")
        self.assertEqual(self.successResultOf(self.finished), "done")

    def test_a_failure_is_passed_on(self) -> None:
        """One that ends badly is over, and its failure is its owner's."""
        self.outstanding.add(self.finished)
        self.finished.errback(KeyError("x"))
        self.assertEqual(len(self.outstanding), 0)
        self.failureResultOf(self.finished, KeyError)

    def test_the_wait_ends_with_the_last(self) -> None:
        """All have to be over."""
        other = Deferred[None]()
        self.outstanding.add(self.finished)
        self.outstanding.add(other)
        waited = self.outstanding.when_done()
        other.callback(None)
        self.assertNoResult(waited)
        self.finished.callback("done")
        self.assertEqual(self.successResultOf(waited), [(True, None)] * 2)

    def test_the_wait_never_fails(self) -> None:
        """A failure ends the wait like a success."""
        self.outstanding.add(self.finished)
        waited = self.outstanding.when_done()
        self.finished.errback(KeyError("x"))
        self.assertEqual(self.successResultOf(waited), [(True, None)])
        self.failureResultOf(self.finished, KeyError)

    def test_the_wait_is_for_more_too(self) -> None:
        """What else is given is waited for, and a failure of it is no matter."""
        waited = self.outstanding.when_done(self.finished)
        self.assertNoResult(waited)
        self.finished.errback(KeyError("x"))
        [(succeeded, failure)] = self.successResultOf(waited)
        self.assertFalse(succeeded)
        self.assertIsNotNone(failure.check(KeyError))

    def test_the_wait_is_for_what_is_under_way_now(self) -> None:
        """What comes later is not waited for."""
        self.outstanding.add(self.finished)
        waited = self.outstanding.when_done()
        self.outstanding.add(Deferred[None]())
        self.finished.callback("done")
        self.successResultOf(waited)
        self.assertEqual(len(self.outstanding), 1)

    def test_several_may_wait(self) -> None:
        """Each who waits is told."""
        self.outstanding.add(self.finished)
        waits = [self.outstanding.when_done() for _ in range(2)]
        self.finished.callback("done")
        for waited in waits:
            self.successResultOf(waited)

    def test_giving_up_one_wait_leaves_the_others(self) -> None:
        """A wait that is cancelled neither ends what it waits for nor the rest."""
        self.outstanding.add(self.finished)
        given_up, kept = (self.outstanding.when_done() for _ in range(2))
        given_up.addErrback(lambda _: None)
        given_up.cancel()
        self.assertEqual(len(self.outstanding), 1)
        self.assertNoResult(kept)
        self.finished.callback("done")
        self.successResultOf(kept)

    def test_cancel_ends_what_can_be_ended(self) -> None:
        """What has no way to be ended early stays under way."""
        endless = Deferred[None]()
        self.outstanding.add(self.finished, self.finished.cancel)
        self.outstanding.add(endless)
        self.outstanding.cancel()
        self.failureResultOf(self.finished, CancelledError)
        self.assertNoResult(endless)
        self.assertEqual(len(self.outstanding), 1)

    def test_what_comes_after_that_is_ended_at_once(self) -> None:
        """Where it can be."""
        self.outstanding.cancel()
        late: Deferred[None] = Deferred()
        self.outstanding.add(late, late.cancel)
        self.failureResultOf(late, CancelledError)
        self.outstanding.add(Deferred())
        self.assertEqual(len(self.outstanding), 1)

    def test_abandon_ends_the_wait(self) -> None:
        """Whoever waits is let go, though nothing is over."""
        self.outstanding.add(self.finished)
        waited = self.outstanding.when_done()
        self.outstanding.discard()
        self.assertEqual(self.successResultOf(waited), [(True, None)])
        self.assertEqual(len(self.outstanding), 0)
        self.assertNoResult(self.finished)

    def test_abandoned_things_may_end_later(self) -> None:
        """The end of what nobody waits for is nothing special."""
        self.outstanding.add(self.finished)
        self.outstanding.discard()
        self.finished.callback("done")
        self.assertEqual(self.successResultOf(self.finished), "done")
