"""
Tests for L{twisted_quotes.concurrency.scheduler}, and of the loops that use it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.concurrency.scheduler import TIME_SLICE, CooperativeScheduler
from twisted_quotes.library.dictionary import Dictionary
from twisted_quotes.library.library import Library
from twisted_quotes.query.quote_queries import SampleQuotes, StreamQuotes

from ..cases import CollectedQuotes
from ..fakes import FakeReactor, make_test_finder

COST = TIME_SLICE / 5
"""The time that each item takes, in seconds."""


def run_turn(clock: Clock) -> None:
    """Make the calls that are due now, without those that they schedule."""
    due = [call for call in clock.calls if call.getTime() <= clock.seconds()]
    for call in due:
        clock.calls.remove(call)
        call.called = 1
        call.func(*call.args, **call.kw)


class CooperativeSchedulerTests(SynchronousTestCase):
    """Tests of loops and their turns."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.scheduler = CooperativeScheduler(self.clock)
        self.processed: list[object] = []

    def start_loop(self, items: Iterable[object]) -> Deferred[None]:
        """Iterate over items, each of which takes some time."""

        async def process_items() -> None:
            async for item in self.scheduler.iterate(items):
                self.processed.append(item)
                self.clock.rightNow += COST

        return Deferred.fromCoroutine(process_items())

    def test_a_short_loop_does_not_pause(self) -> None:
        self.successResultOf(self.start_loop(range(4)))
        self.assertEqual(self.processed, [0, 1, 2, 3])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_long_loop_pauses(self) -> None:
        finished = self.start_loop(range(12))
        for count in (5, 10):
            self.assertEqual(self.processed, list(range(count)))
            self.assertNoResult(finished)
            run_turn(self.clock)
        self.successResultOf(finished)
        self.assertEqual(self.processed, list(range(12)))

    def test_many_loops_share_the_turns(self) -> None:
        """One of them resumes in each turn, in the order in which they paused."""
        loops = [self.start_loop([name] * 11) for name in "abc"]
        for name in "abcabc":
            self.processed.clear()
            run_turn(self.clock)
            self.assertEqual(set(self.processed), {name})
        for each in loops:
            self.successResultOf(each)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_cancelled_loop_ends_and_delays_no_other(self) -> None:
        first, second = self.start_loop(["a"] * 6), self.start_loop(["b"] * 6)
        first.cancel()
        self.failureResultOf(first, CancelledError)
        run_turn(self.clock)
        self.successResultOf(second)
        self.assertEqual(self.processed.count("a"), 5)


class LargeLibraryTests(SynchronousTestCase):
    """Tests of operations on all dictionaries of a library."""

    count = 60

    def setUp(self) -> None:
        """Create many small dictionaries, each of which takes some time to open."""
        temporary_folder = Path(self.enterContext(TemporaryDirectory()))
        folder = temporary_folder / "library"
        folder.mkdir()
        for number in range(self.count):
            (folder / f"{number:03}").write_text(f"one {number}\n")
        self.reactor = FakeReactor()
        self.library = Library(folder)
        self.finder = make_test_finder(
            self.reactor, self.library, temporary_folder / "cache"
        )
        real = self.library.open
        self.open_count = 0

        def slow_open(name: str) -> Dictionary:
            self.open_count += 1
            self.reactor.rightNow += COST
            return real(name)

        self.patch(self.library, "open", slow_open)

    def check(self, operation: Callable[[], Deferred[Any]]) -> Any:
        """Check that an operation takes little time in each reactor turn."""
        result, turns = operation(), 0
        while not result.called:
            self.assertLess(self.open_count, 10)
            self.open_count = 0
            turns += 1
            run_turn(self.reactor)
        self.assertGreater(turns, self.count // 10)
        return self.successResultOf(result)

    def test_no_look_at_many_dictionaries_blocks_the_reactor(self) -> None:
        names = tuple(f"{number:03}" for number in range(self.count))
        states = self.check(lambda: self.finder.read_states(names))
        self.assertEqual(len(states), self.count)

    def test_no_search_without_grep_blocks_the_reactor(self) -> None:
        texts = [f"one {number}" for number in range(self.count)]
        names = tuple(f"{number:03}" for number in range(self.count))
        stream = StreamQuotes(dictionary=names)
        sample = SampleQuotes(dictionary=names, limit=100, seed=1)
        for quote_query in (stream, sample):
            found = CollectedQuotes(max_quotes=2 * self.count)
            self.check(lambda: self.finder.find_quotes(quote_query, found))  # noqa: B023
            self.assertEqual(sorted(each.text for each in found.quotes), sorted(texts))
