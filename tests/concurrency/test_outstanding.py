"""
Tests for L{twisted_quotes.concurrency.outstanding}.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.concurrency.outstanding import Outstanding


class OutstandingTests(SynchronousTestCase):
    """Tests of work in progress, and of waiting for it."""

    def setUp(self) -> None:
        self.outstanding = Outstanding()
        self.done = Deferred[str]()

    def test_there_is_no_wait_without_work(self) -> None:
        self.assertEqual(self.successResultOf(self.outstanding.when_done()), [])
        self.assertEqual(len(self.outstanding), 0)

    def test_work_is_counted_once_until_it_is_done(self) -> None:
        for _ in range(2):
            self.assertIs(self.outstanding.add(self.done), self.done)
            self.assertEqual(len(self.outstanding), 1)
        self.done.callback("done")
        self.assertEqual(len(self.outstanding), 0)
        self.assertEqual(self.successResultOf(self.done), "done")

    def test_work_that_is_done_already_is_not_counted(self) -> None:
        self.done.callback("done")
        self.outstanding.add(self.done)
        self.assertEqual(len(self.outstanding), 0)

    def test_a_failure_ends_the_wait_and_stays_with_its_deferred(self) -> None:
        self.outstanding.add(self.done)
        waiting = self.outstanding.when_done()
        self.done.errback(KeyError("x"))
        self.assertEqual(len(self.outstanding), 0)
        self.assertEqual(self.successResultOf(waiting), [(True, None)])
        self.failureResultOf(self.done, KeyError)

    def test_the_wait_ends_when_all_is_done(self) -> None:
        other = Deferred[None]()
        self.outstanding.add(self.done)
        self.outstanding.add(other)
        waits = [self.outstanding.when_done() for _ in range(2)]
        other.callback(None)
        for waiting in waits:
            self.assertNoResult(waiting)
        self.done.callback("done")
        for waiting in waits:
            self.assertEqual(self.successResultOf(waiting), [(True, None)] * 2)

    def test_additional_deferreds_are_waited_for(self) -> None:
        """A failure of one of them is part of the result."""
        waiting = self.outstanding.when_done(self.done)
        self.assertNoResult(waiting)
        self.done.errback(KeyError("x"))
        [(succeeded, failure)] = self.successResultOf(waiting)
        self.assertFalse(succeeded)
        self.assertIsNotNone(failure.check(KeyError))

    def test_later_work_is_not_waited_for(self) -> None:
        self.outstanding.add(self.done)
        waiting = self.outstanding.when_done()
        self.outstanding.add(Deferred[None]())
        self.done.callback("done")
        self.successResultOf(waiting)
        self.assertEqual(len(self.outstanding), 1)

    def test_cancelling_one_wait_affects_nothing_else(self) -> None:
        self.outstanding.add(self.done)
        cancelled, kept = (self.outstanding.when_done() for _ in range(2))
        cancelled.addErrback(lambda _: None)
        cancelled.cancel()
        self.assertEqual(len(self.outstanding), 1)
        self.assertNoResult(kept)
        self.done.callback("done")
        self.successResultOf(kept)

    def test_cancel_ends_what_can_be_ended_early(self) -> None:
        """This includes work that is added later."""
        endless = Deferred[None]()
        self.outstanding.add(self.done, cancellable=True)
        self.outstanding.add(endless)
        self.outstanding.cancel()
        self.failureResultOf(self.done, CancelledError)
        self.assertNoResult(endless)
        self.assertEqual(len(self.outstanding), 1)
        late: Deferred[None] = Deferred()
        self.outstanding.add(late, cancellable=True)
        self.failureResultOf(late, CancelledError)
        self.outstanding.add(Deferred())
        self.assertEqual(len(self.outstanding), 2)

    def test_discard_ends_the_wait_and_not_the_work(self) -> None:
        self.outstanding.add(self.done)
        waiting = self.outstanding.when_done()
        self.outstanding.discard()
        self.assertEqual(self.successResultOf(waiting), [(True, None)])
        self.assertEqual(len(self.outstanding), 0)
        self.assertNoResult(self.done)
        self.done.callback("done")
        self.assertEqual(self.successResultOf(self.done), "done")
