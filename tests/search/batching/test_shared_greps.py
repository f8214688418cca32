"""
Tests for L{twisted_quotes.search.batching.shared_greps}.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.concurrency.limiter import Slot, SlotRequest
from twisted_quotes.errors import SearchTimedOut
from twisted_quotes.grep.runner import GrepRunner, GrepSession
from twisted_quotes.monitoring.metrics import Metrics
from twisted_quotes.search.batching.batch_queue import BATCHING_DELAY
from twisted_quotes.search.batching.shared_greps import SharedGreps
from twisted_quotes.search.results import TooLargeToBuffer

from ...metrics import metric_values


class FakeSession:
    """A session whose slot is recorded when it is released."""

    def __init__(self, released: list[FakeSession]) -> None:
        self._released = released
        self.time_left = 10.0

    def lend_slot(self) -> Deferred[Slot]:
        """Return a new slot."""
        return succeed(Slot(SlotRequest(), lambda _: self._released.append(self)))

    def return_slot(self, slot: Slot) -> None:
        """Close the slot, as at the end of the session."""
        slot.close()


class SharedGrepsTests(SynchronousTestCase):
    """
    Tests of searches whose greps end when the test says so.

    @ivar alone: what waits for a grep of its own, by term.
    @ivar together: the terms of each shared grep, and what waits for it.
    """

    def setUp(self) -> None:
        self.clock, self.metrics = Clock(), Metrics()
        self.alone: dict[str, Deferred[str]] = {}
        self.together: list[tuple[Sequence[str], Deferred[dict[str, str | None]]]] = []
        self.times_left: list[float] = []
        self.released: list[FakeSession] = []
        self.shared_greps = self.make_shared_greps(1)

    def make_shared_greps(self, max_greps: int) -> SharedGreps:
        runner = SimpleNamespace(reactor=self.clock, metrics=self.metrics)
        return SharedGreps(cast(GrepRunner, runner), max_greps)

    def find(self, term: str, key: object = "pack", size: int = 9) -> Deferred[str]:
        """Start a search."""

        async def find_alone() -> str:
            self.alone[term] = Deferred()
            self.times_left.append(session.time_left)
            return await self.alone[term]

        async def find_each(terms: Sequence[str]) -> Mapping[str, str | None]:
            found: Deferred[dict[str, str | None]] = Deferred()
            self.together.append((terms, found))
            self.times_left.append(session.time_left)
            return await found

        session: Any = FakeSession(self.released)
        return Deferred.fromCoroutine(
            self.shared_greps.find(
                cast(GrepSession, session), key, size, term, find_alone, find_each
            )
        )

    def assert_shared(self, *terms: str) -> Deferred[dict[str, str | None]]:
        """Check the terms of the last shared grep."""
        found_terms, waiting = self.together[-1]
        self.assertEqual(list(found_terms), list(terms))
        return waiting

    def test_without_others_a_search_is_alone(self) -> None:
        found = self.find("a")
        self.alone["a"].callback("A")
        self.assertEqual(self.successResultOf(found), "A")

    def test_searches_that_wait_share_a_grep(self) -> None:
        """Those that only wait for its result have no slot."""
        first, *waiting = map(self.find, "abc")
        self.assertEqual(list(self.alone), ["a"])
        self.alone["a"].callback("A")
        self.assertEqual(self.successResultOf(first), "A")
        self.assert_shared("b", "c").callback({"b": "B", "c": "C"})
        self.assertEqual([self.successResultOf(x) for x in waiting], ["B", "C"])
        self.assertEqual(len(self.released), 3)
        values = metric_values(self.metrics)
        self.assertEqual(values["quotes_searches_together_total"], 1)

    def test_a_search_waits_only_for_a_few_milliseconds(self) -> None:
        for term in "abc":
            self.find(term)
        self.clock.advance(BATCHING_DELAY)
        self.assert_shared("b", "c")

    def test_a_search_of_large_packs_waits_longer(self) -> None:
        for term in "abc":
            self.find(term, size=80_000_000)
        self.clock.advance(9 * BATCHING_DELAY)
        self.assertEqual(self.together, [])
        self.clock.advance(2 * BATCHING_DELAY)
        self.assert_shared("b", "c")

    def test_searches_of_other_packs_do_not_wait(self) -> None:
        self.find("a")
        self.find("b", "another pack")
        self.assertEqual(list(self.alone), ["a", "b"])

    def test_if_a_grep_prints_too_much_each_search_is_alone(self) -> None:
        _, *waiting = map(self.find, "abc")
        self.alone["a"].callback("A")
        self.assert_shared("b", "c").errback(TooLargeToBuffer())
        for term in "bc":
            self.alone[term].callback(term.upper())
        self.assertEqual([self.successResultOf(x) for x in waiting], ["B", "C"])

    def test_a_search_that_finds_too_much_is_alone(self) -> None:
        _, *waiting = map(self.find, "abc")
        self.alone["a"].callback("A")
        self.assert_shared("b", "c").callback({"b": "B", "c": None})
        self.assertEqual(list(self.alone), ["a", "c"])
        self.alone["c"].callback("C")
        self.assertEqual([self.successResultOf(x) for x in waiting], ["B", "C"])

    def test_shared_greps_may_take_half_of_the_time_limit(self) -> None:
        """After that, each search has at least as much for itself."""
        _, *waiting = map(self.find, "abc")
        self.alone["a"].callback("A")
        self.assert_shared("b", "c").errback(SearchTimedOut(10))
        self.assertEqual(self.times_left, [10, 5, 10, 10])
        for term in "bc":
            self.alone[term].callback(term.upper())
        self.assertEqual([self.successResultOf(x) for x in waiting], ["B", "C"])

    def test_a_failure_fails_only_the_search_with_the_slot(self) -> None:
        """The others share the next grep."""
        _, failing, *others = map(self.find, "abcd")
        self.alone["a"].callback("A")
        self.assert_shared("b", "c", "d").errback(ZeroDivisionError())
        self.failureResultOf(failing, ZeroDivisionError)
        self.assert_shared("c", "d").callback({"c": "C", "d": "D"})
        self.assertEqual([self.successResultOf(x) for x in others], ["C", "D"])

    def test_a_search_that_is_cancelled_stops_waiting(self) -> None:
        _, leaving, staying = map(self.find, "abc")
        leaving.cancel()
        self.failureResultOf(leaving, CancelledError)
        self.alone["a"].callback("A")
        self.alone["c"].callback("C")
        self.assertEqual(self.successResultOf(staying), "C")
        self.assertEqual(len(self.released), 3)

    def test_sharing_can_be_turned_off(self) -> None:
        self.shared_greps = self.make_shared_greps(0)
        for term in "abc":
            self.find(term)
        self.assertEqual(list(self.alone), ["a", "b", "c"])
