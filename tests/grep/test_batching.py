"""
Tests of searching batching.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.filepath import FilePath
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.errors import (
    DictionaryNotFound,
    SearchTimedOut,
    TooBusy,
    TooManyRequests,
)
from twisted_quotes.grep import batching
from twisted_quotes.grep.arguments import any_term_arguments, line_arguments
from twisted_quotes.grep.batch_queue import BATCHING_DELAY
from twisted_quotes.library.library import Library
from twisted_quotes.monitoring.metrics import Metrics
from twisted_quotes.query.queries import All, Search
from twisted_quotes.search.finder import Finder
from twisted_quotes.text.lines import lines_containing

from ..cases import RealGrepTestCase, run_real_grep
from ..fakes import (
    CollectedEntries,
    FakeProcess,
    FakeReactor,
    find_entries,
    make_test_finder,
)

TEXT = "love and life\nlove\nlife\nlove of life\nnothing\n"


class SplitOutputTests(SynchronousTestCase):
    """Tests of dealing out what grep printed, with the real grep."""

    # Few bytes, so that terms are found, with all that is not text among them.
    @settings(max_examples=150)
    @given(
        st.lists(st.sampled_from(list(b"aab \n\n\r\0\xc3\xa9\xff\\.*")), max_size=60),
        st.lists(st.text("ab \r\u00e9\\.*-", min_size=1, max_size=3), min_size=1),
    )
    def test_each_gets_what_a_grep_of_its_own_prints(
        self, text: list[int], terms: list[str]
    ) -> None:
        """Byte for byte, whatever the terms have in common."""
        data = bytes(text)
        output = run_real_grep(any_term_arguments(terms), data)
        for term in terms:
            alone = run_real_grep(line_arguments(Search(term=term), None), data)
            self.assertEqual(lines_containing(term, output), alone, term)


class BatchingTestCase(SynchronousTestCase):
    """Has greps that do what a test says."""

    def setUp(self) -> None:
        """Make a library of two dictionaries."""
        temporary_directory = TemporaryDirectory()
        self.addCleanup(temporary_directory.cleanup)
        self.folder = Path(temporary_directory.name, "library")
        self.folder.mkdir()
        for name in ("alpha", "beta"):
            (self.folder / name).write_text(TEXT)
        self.reactor = FakeReactor()
        self.metrics = Metrics()
        self.library = Library(FilePath(str(self.folder)))
        self.finder = self.make_finder()

    def make_finder(self, batch_threshold: int = 100, **kwargs: Any) -> Finder:
        """A finder on the library, with one place if nothing else is said."""
        cache = self.folder.parent / "cache"
        finder = make_test_finder(
            *(self.reactor, self.library, cache),
            metrics=self.metrics,
            batch_threshold=batch_threshold,
            **kwargs,
        )
        self.addCleanup(self.end_all, finder)
        return finder

    def end_all(self, finder: Finder) -> None:
        """End what a test has left."""
        finder.outstanding.cancel()
        for grep in self.running_greps():
            grep.end(signal=9)

    def start_search(self, term: str, **fields: object) -> Deferred[list[str]]:
        """Look for a term."""
        query = Search(term=term, **fields)  # type: ignore[arg-type]
        found = find_entries(self.finder, query)
        self.addCleanup(found.addErrback, lambda failure: None)
        return found

    def running_greps(self) -> list[FakeProcess]:
        """The greps that run."""
        return [each for each in self.reactor.processes if each.pid is not None]

    def end_grep(self, output: bytes | None = None, status: int = 0) -> FakeProcess:
        """
        Have the one grep that runs end.

        @param output: what it prints; L{None} for what the real one would.
        """
        [grep] = self.running_greps()
        if output is None:
            output = run_real_grep(grep.arguments[1:], TEXT.encode())
        grep.print(output)
        grep.end(status)
        return grep

    def searched_terms(self, grep: FakeProcess) -> list[str]:
        """What a grep looks for."""
        pairs = zip(grep.arguments, grep.arguments[1:], strict=False)
        return [value for option, value in pairs if option == "-e"]


class BatchingTests(BatchingTestCase):
    """Tests with one place, which is taken."""

    def setUp(self) -> None:
        """Take the place; five may wait for it."""
        super().setUp()
        self.finder = self.make_finder(waiting=5)
        self.first = self.start_search("first")

    def test_who_need_not_wait_is_searched_alone(self) -> None:
        """At once."""
        self.assertEqual(self.searched_terms(self.running_greps()[0]), ["first"])

    def test_who_waits_shares_a_grep(self) -> None:
        """Each gets the lines with its own term, in order."""
        waiting = [
            self.start_search(term) for term in ("love", "life", "none", "of life")
        ]
        self.end_grep()
        self.assertEqual(self.successResultOf(self.first), [])
        self.assertEqual(
            self.searched_terms(self.end_grep()), ["love", "life", "none", "of life"]
        )
        love, life, none, of_life = map(self.successResultOf, waiting)
        self.assertEqual(love, ["love and life", "love", "love of life"])
        self.assertEqual(life, ["love and life", "life", "love of life"])
        self.assertEqual((none, of_life), ([], ["love of life"]))
        self.assertEqual(len(self.reactor.processes), 2)
        self.assertIn(
            b"quotes_searches_together_total 3.0", self.metrics.render("text/plain")[1]
        )

    def test_each_gets_the_part_that_it_asked_for(self) -> None:
        """What a grep of its own would not have printed is left out."""
        waiting = [
            self.start_search("love", nresults=1),
            self.start_search("love", nresults=1, offset=1),
            self.start_search("love", offset=2),
        ]
        self.end_grep()
        self.end_grep()
        self.assertEqual(
            [self.successResultOf(each) for each in waiting],
            [["love and life"], ["love"], ["love of life"]],
        )

    def test_only_what_can_be_dealt_out_is_searched_together(self) -> None:
        """Neither patterns nor context, nor what is in another dictionary."""
        alone = (
            {"regex": True},
            {"ignore_case": True},
            {"n_after": 1},
            {"dictionary": "beta"},
        )
        self.start_search("life")
        for fields in alone:
            self.start_search("love", **fields)
        self.end_grep()
        while self.running_greps():
            self.assertEqual(len(self.searched_terms(self.end_grep(b"1:love\n"))), 1)
        self.assertGreater(len(self.reactor.processes), 1 + len(alone))

    def test_no_more_terms_than_one_grep_may_have(self) -> None:
        """The others are searched after them."""
        self.patch(batching, "MAX_TERMS", 2)
        waiting = [self.start_search(term) for term in ("love", "life", "none")]
        self.end_grep()
        self.assertEqual(self.searched_terms(self.end_grep()), ["love", "life"])
        self.assertEqual(self.searched_terms(self.end_grep()), ["none"])
        self.assertEqual(
            [len(self.successResultOf(each)) for each in waiting], [3, 3, 0]
        )

    def test_a_large_dictionary_is_searched_alone(self) -> None:
        """What grep printed for all could be much."""
        self.patch(batching, "MAX_BUFFERED", len(TEXT))
        for term in ("love", "life"):
            self.start_search(term)
        self.end_grep()
        self.assertEqual(self.searched_terms(self.end_grep()), ["love"])
        self.assertEqual(self.searched_terms(self.end_grep()), ["life"])

    def test_who_waits_with_others_counts_as_waiting(self) -> None:
        """Beyond the limit there is no more room."""
        for _ in range(5):
            self.start_search("love")
        self.failureResultOf(self.start_search("love"), TooBusy)
        self.end_grep()
        self.end_grep()
        self.assertFalse(self.running_greps())

    def test_who_waits_with_others_can_lose_the_position_to_another_client(
        self,
    ) -> None:
        """The one that came last is told so, and the others are answered."""
        waiting = [self.start_search("love") for _ in range(5)]
        query = Search(term="life")
        other = self.finder.find_entries(query, CollectedEntries(), "another")
        self.failureResultOf(waiting.pop(), TooManyRequests)
        self.end_grep()
        self.end_grep()
        for each in waiting:
            self.assertTrue(self.successResultOf(each))
        self.successResultOf(other)

    def test_who_leaves_is_not_looked_for(self) -> None:
        """Nobody else minds."""
        leaving, staying = self.start_search("love"), self.start_search("life")
        leaving.cancel()
        self.failureResultOf(leaving, CancelledError)
        self.end_grep()
        self.assertEqual(self.searched_terms(self.end_grep()), ["life"])
        self.assertEqual(len(self.successResultOf(staying)), 3)

    def test_who_leaves_while_others_find_for_it_stops_nobody(self) -> None:
        """The grep goes on for those who stay."""
        staying, leaving, other = map(self.start_search, ("love", "life", "of"))
        self.end_grep()
        leaving.cancel()
        self.failureResultOf(leaving, CancelledError)
        self.end_grep()
        self.assertEqual(len(self.successResultOf(staying)), 3)
        self.assertEqual(len(self.successResultOf(other)), 1)
        self.assertFalse(self.running_greps())

    def test_where_the_one_with_the_place_leaves_the_others_gather_again(self) -> None:
        """However many wait by then: who leaves cannot have each searched alone."""
        leaving, *staying = map(self.start_search, ("love", "life", "of"))
        self.end_grep()
        [grep] = self.running_greps()
        for _ in range(5):
            self.start_search("more", dictionary="beta")
        leaving.cancel()
        self.failureResultOf(leaving, CancelledError)
        self.assertEqual(grep.signals, ["KILL"])
        grep.end(signal=9)
        while self.running_greps():
            self.end_grep()
        self.assertEqual([len(self.successResultOf(each)) for each in staying], [3, 1])
        found = [self.searched_terms(each) for each in self.reactor.processes]
        self.assertEqual(found.count(["life", "of"]), 1)

    def test_who_is_let_down_again_and_again_searches_alone(self) -> None:
        """Nobody can hold it up for ever."""
        self.patch(batching, "MAX_ATTEMPTS", 0)
        leaving, *staying = map(self.start_search, ("love", "life", "of"))
        self.end_grep()
        leaving.cancel()
        self.failureResultOf(leaving, CancelledError)
        self.running_greps()[0].end(signal=9)
        self.assertEqual(self.searched_terms(self.end_grep()), ["life"])
        self.assertEqual(self.searched_terms(self.end_grep()), ["of"])
        self.assertEqual([len(self.successResultOf(each)) for each in staying], [3, 1])

    def test_no_more_bytes_than_one_grep_may_have(self) -> None:
        """The kernel would refuse to start it."""
        self.patch(batching, "MAX_BYTES", 10)
        for term in ("love", "life", "\N{EURO SIGN}" * 2, "of"):
            self.start_search(term)
        self.end_grep()
        self.assertEqual(
            self.searched_terms(self.end_grep()), ["love", "life", "\N{EURO SIGN}" * 2]
        )
        self.assertEqual(self.searched_terms(self.end_grep()), ["of"])

    def test_a_grep_that_prints_garbage_leaves_nobody_waiting(self) -> None:
        """Though its last line does not end."""
        waiting = [self.start_search(term) for term in ("love", "life", "of")]
        self.end_grep()
        self.end_grep(b"life\nlove of life")
        self.assertEqual(
            [len(self.successResultOf(each)) for each in waiting], [1, 2, 1]
        )

    def test_a_grep_that_fails_fails_the_one_who_ran_it(self) -> None:
        """The others search by themselves."""
        failing, staying = self.start_search("love"), self.start_search("life")
        self.end_grep()
        self.reactor.advance(10)
        self.failureResultOf(failing, SearchTimedOut)
        self.running_greps()[0].end(signal=9)
        self.assertEqual(self.searched_terms(self.end_grep()), ["life"])
        self.assertEqual(len(self.successResultOf(staying)), 3)

    def test_a_dictionary_that_changes_meanwhile_is_searched_alone(self) -> None:
        """Each answer is from one state of it."""
        waiting = [self.start_search(term) for term in ("love", "life")]
        self.end_grep()
        (self.folder / "alpha").write_text("life\n")
        self.end_grep(b"love\nlife\n")
        for _ in waiting:
            self.end_grep(b"love\n")
        self.assertEqual(
            [self.successResultOf(each) for each in waiting], [["love"]] * 2
        )

    def test_a_dictionary_that_is_gone_meanwhile_is_missed_by_each(self) -> None:
        """Each is told which are there."""
        waiting = [self.start_search(term) for term in ("love", "life")]
        (self.folder / "alpha").unlink()
        self.end_grep()
        for each in waiting:
            self.failureResultOf(each, DictionaryNotFound)
        self.assertFalse(self.running_greps())

    def test_who_asks_again_as_soon_as_it_is_answered_is_answered(self) -> None:
        """While the answers of those who waited with it are still dealt out."""
        again: list[Deferred[list[str]]] = []

        def ask_again(lines: list[str]) -> list[str]:
            again.append(self.start_search("love"))
            return lines

        for term in ("love", "life", "of"):
            self.start_search(term).addCallback(ask_again)
        while self.running_greps():
            self.end_grep()
        self.assertEqual([len(self.successResultOf(each)) for each in again], [3] * 3)

    def test_it_can_be_off(self) -> None:
        """Then each is searched alone."""
        self.finder = self.make_finder(batch_threshold=0)
        self.end_grep()
        for term in ("love", "life", "of"):
            self.start_search(term)
        for term in ("love", "life", "of"):
            self.assertEqual(self.searched_terms(self.end_grep()), [term])


class MultipleSlotsTests(BatchingTestCase):
    """Tests with more places than greps that should look through one dictionary."""

    def setUp(self) -> None:
        """Have two greps run, and three searches wait."""
        super().setUp()
        self.finder = self.make_finder(running=8, batch_threshold=2)
        self.running_searches = [self.start_search("love"), self.start_search("life")]
        self.pending_searches = [
            self.start_search(term) for term in ("love", "of", "none")
        ]

    def test_more_greps_than_cores_would_help_nobody(self) -> None:
        """Who comes then waits for one of them to end, and shares the next."""
        first, second = self.running_greps()
        self.assertEqual(
            [self.searched_terms(first), self.searched_terms(second)],
            [["love"], ["life"]],
        )
        first.end()
        second.end()
        self.assertEqual(self.searched_terms(self.end_grep()), ["love", "of", "none"])
        self.assertEqual(
            [len(self.successResultOf(each)) for each in self.pending_searches],
            [3, 1, 0],
        )
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_greps_that_take_long_hold_up_nobody_for_long(self) -> None:
        """After a moment the next begins beside them, as long as there are places."""
        self.reactor.advance(BATCHING_DELAY)
        *_, third = self.running_greps()
        self.assertEqual(self.searched_terms(third), ["love", "of", "none"])
        for count in range(4, 9):
            self.start_search("more")
            self.reactor.advance(BATCHING_DELAY)
            self.assertEqual(len(self.running_greps()), count)
        self.start_search("more")
        self.reactor.advance(BATCHING_DELAY)
        self.assertEqual(len(self.running_greps()), 8)

    def test_who_leaves_while_another_searches_for_it_gives_back_no_place_twice(
        self,
    ) -> None:
        """It has left it to others already."""
        self.running_greps()[0].end()
        leaving = self.pending_searches[1]
        leaving.cancel()
        self.failureResultOf(leaving, CancelledError)
        for grep in self.running_greps():
            grep.end()
        self.assertEqual(
            [self.successResultOf(self.pending_searches[each]) for each in (0, 2)],
            [[], []],
        )
        others = [self.start_search("love", ignore_case=True) for _ in range(9)]
        self.assertEqual(len(self.running_greps()), 8)
        while self.running_greps():
            self.running_greps()[0].end()
        self.assertEqual([self.successResultOf(each) for each in others], [[]] * 9)

    def test_another_dictionary_is_another_matter(self) -> None:
        """Nobody waits for greps that look through something else."""
        self.start_search("love", dictionary="beta")
        self.assertEqual(len(self.running_greps()), 3)

    def test_who_leaves_gives_back_its_place(self) -> None:
        """And nothing is left of it."""
        for each in self.pending_searches:
            each.cancel()
            self.failureResultOf(each, CancelledError)
        for grep in self.running_greps():
            grep.end()
        self.assertFalse(self.running_greps())
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        waiting = [self.start_search("love", dictionary="beta") for _ in range(8)]
        self.reactor.advance(BATCHING_DELAY)
        while self.running_greps():
            self.running_greps()[0].end()
        self.assertEqual([self.successResultOf(each) for each in waiting], [[]] * 8)


class ManySearchesTests(BatchingTestCase):
    """Tests of many who wait."""

    def test_a_thousand_that_fail_at_once_do_not_nest(self) -> None:
        """However many wait for what is gone."""
        self.finder = self.make_finder(batch_threshold=1, waiting=2000)
        self.start_search("love")
        waiting = [self.start_search("love") for _ in range(1500)]
        (self.folder / "alpha").unlink()
        self.running_greps()[-1].end()
        for each in waiting:
            self.failureResultOf(each, DictionaryNotFound)


class RealGrepTests(RealGrepTestCase):
    """Tests with the real grep."""

    async def test_many_at_once_get_what_each_gets_alone(self) -> None:
        """Two at a time, beside searches of other kinds."""
        self.write("dreams", b"caf\xe9 love\r\nlove\0life\r\nL\xc3\xb6ve\nlove" * 20)
        searches = [
            Search(term=term, ignore_case=ignore_case)
            for term in ("love", "life", "caf", "\u00f6", "\r", "L", "none")
            for ignore_case in (False, True)
        ]
        alone = self.make_finder()
        expected = [await find_entries(alone, search) for search in searches]
        finder = self.make_finder(batch_threshold=2)
        asked = [find_entries(finder, search) for search in searches]
        asked.append(find_entries(finder, All()))
        found = [await each for each in asked]
        self.assertEqual(found[:-1], expected)
