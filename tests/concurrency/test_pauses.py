"""
Tests for L{twisted_quotes.concurrency.pauses}, and of the loops that pause.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.python.filepath import FilePath
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.concurrency.limiter import DEFAULT_SLOT_REQUEST
from twisted_quotes.concurrency.pauses import TIME_SLICE, CooperativeScheduler
from twisted_quotes.library.dictionary import Dictionary
from twisted_quotes.library.library import Library
from twisted_quotes.query.queries import All, Selection

from ..cases import CollectedQuotes
from ..fakes import FakeReactor, find_entries, make_test_finder

COST = TIME_SLICE / 5
"""How long each item takes, in seconds."""


def run_turn(clock: Clock) -> None:
    """Do what is due in this turn, and not what comes of it: a clock does all."""
    due, clock.calls[:] = clock.calls[:], []
    for call in due:
        call.called = 1
        call.func(*call.args, **call.kw)


class PausesTests(SynchronousTestCase):
    """Tests of loops and their turns."""

    def setUp(self) -> None:
        """Make a clock that goes on with the work."""
        self.clock = Clock()
        self.pauses = CooperativeScheduler(self.clock)
        self.processed: list[object] = []

    def start_loop(self, items: Iterable[object]) -> Deferred[None]:
        """Go through items, each of which takes a while."""

        async def go() -> None:
            async for item in self.pauses.iterate(items):
                self.processed.append(item)
                self.clock.rightNow += COST

        return Deferred.fromCoroutine(go())

    def test_a_short_loop_does_not_pause(self) -> None:
        """It is over at once."""
        self.successResultOf(self.start_loop(range(4)))
        self.assertEqual(self.processed, [0, 1, 2, 3])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_long_loop_pauses(self) -> None:
        """It does as much in each turn as its time allows."""
        finished = self.start_loop(range(12))
        for count in (5, 10):
            self.assertEqual(self.processed, list(range(count)))
            self.assertNoResult(finished)
            run_turn(self.clock)
        self.successResultOf(finished)
        self.assertEqual(self.processed, list(range(12)))

    def test_many_loops_share_the_turns(self) -> None:
        """In each turn one of them goes on, in the order in which they paused."""
        loops = [self.start_loop([name] * 11) for name in "abc"]
        for name in "abcabc":
            self.processed.clear()
            run_turn(self.clock)
            self.assertEqual(set(self.processed), {name})
        for each in loops:
            self.successResultOf(each)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_loop_that_is_cancelled_goes_on_no_more(self) -> None:
        """And holds up none of the others."""
        first, second = self.start_loop(["a"] * 6), self.start_loop(["b"] * 6)
        first.cancel()
        self.failureResultOf(first, CancelledError)
        run_turn(self.clock)
        self.successResultOf(second)
        self.assertEqual(self.processed.count("a"), 5)


class LargeLibraryTests(SynchronousTestCase):
    """Tests of what goes through all dictionaries of a library."""

    count = 60

    def setUp(self) -> None:
        """Make many small dictionaries, of which each takes a while to open."""
        temporary_directory = TemporaryDirectory()
        self.addCleanup(temporary_directory.cleanup)
        folder = Path(temporary_directory.name, "library")
        folder.mkdir()
        for number in range(self.count):
            (folder / f"{number:03}").write_text(f"one {number}\n")
        self.reactor = FakeReactor()
        self.library = Library(FilePath(str(folder)))
        self.finder = make_test_finder(
            self.reactor, self.library, Path(temporary_directory.name, "cache")
        )
        real = self.library.open
        self.open_count = 0

        def slow_open(name: str) -> Dictionary:
            self.open_count += 1
            self.reactor.rightNow += COST
            return real(name)

        self.patch(self.library, "open", slow_open)

    def check(self, ask: Callable[[], Deferred[Any]]) -> Any:
        """Ask something, and see that no turn of the reactor takes long."""
        answer, turns = ask(), 0
        while not answer.called:
            self.assertLess(self.open_count, 10)
            self.open_count = 0
            turns += 1
            run_turn(self.reactor)
        self.assertGreater(turns, self.count // 10)
        return self.successResultOf(answer)

    def test_nothing_holds_up_the_reactor(self) -> None:
        """Whatever is asked of every dictionary."""
        states = self.check(lambda: self.finder.read_states("*"))
        self.assertEqual(len(states), self.count)
        infos, is_complete = self.check(self.finder.list_dictionaries)
        self.assertEqual((len(infos), is_complete), (self.count, True))
        volumes = self.finder.indexed_library
        prepared, _ = self.check(
            lambda: Deferred.fromCoroutine(volumes.ensure_indexes("*"))
        )
        self.assertEqual(len(prepared), self.count)

    def test_no_search_holds_up_the_reactor(self) -> None:
        """Those for which no grep is run, either."""
        texts = [f"one {number}" for number in range(self.count)]
        selection = Selection()
        for ask in (
            lambda found: self.finder.quote_search.find_quotes(
                "*", selection, 0, found, DEFAULT_SLOT_REQUEST
            ),
            lambda found: self.finder.sampler.sample(
                "*", selection, 1, 0, found, DEFAULT_SLOT_REQUEST
            ),
        ):
            found = CollectedQuotes(max_quotes=2 * self.count)
            self.check(lambda: Deferred.fromCoroutine(ask(found)))  # noqa: B023
            self.assertEqual(sorted(each.text for each in found.quotes), sorted(texts))
        query = All(dictionary="*", unit="quote")
        self.assertEqual(self.check(lambda: find_entries(self.finder, query)), texts)
