"""
Tests for L{twisted_quotes.search.batching.search_batcher}.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.errors import (
    DictionaryNotFound,
    SearchTimedOut,
    TooBusy,
    TooManyRequests,
)
from twisted_quotes.grep.arguments import any_term_arguments, line_arguments
from twisted_quotes.query.queries import All, Search
from twisted_quotes.search.batching import batch_queue, search_batcher
from twisted_quotes.search.batching.batch_queue import BATCHING_DELAY
from twisted_quotes.search.finder import Finder
from twisted_quotes.text.lines import lines_containing

from ...cases import RealGrepTestCase, as_text, run_real_grep
from ...fakes import CollectedEntries, FakeProcess, FakeReactor, find_entries
from ...metrics import metric_values
from .cases import ANY_TERM, ANY_TEXT, TEXT, FakeGrepTestCase


class SplitOutputTests(SynchronousTestCase):
    """Tests for splitting the output of one grep, with the real grep."""

    @settings(max_examples=150)
    @given(ANY_TEXT, st.lists(ANY_TERM, min_size=1))
    def test_the_part_of_a_term_is_what_a_grep_for_it_prints(
        self, text: bytes, terms: list[str]
    ) -> None:
        output = run_real_grep(any_term_arguments(terms), text)
        for term in terms:
            alone = run_real_grep(line_arguments(Search(term=term), None), text)
            self.assertEqual(lines_containing(term, output), alone, term)


class BatchingTestCase(FakeGrepTestCase):
    """Has a finder that batches searches."""

    def setUp(self) -> None:
        super().setUp()
        self.reactor = FakeReactor()
        self.finder = self.make_finder()

    def make_finder(self, batch_threshold: int = 100, **kwargs: Any) -> Finder:
        """Return a finder, with one slot by default."""
        return super().make_finder(batch_threshold=batch_threshold, **kwargs)

    def end_grep(self, output: bytes | None = None, status: int = 0) -> FakeProcess:
        """
        Have the one grep that runs end.

        @param output: what it prints; L{None} for what the real one would.
        """
        [grep] = self.running_greps()
        if output is None:
            output = run_real_grep(grep.arguments[1:], TEXT)
        grep.print(output)
        grep.end(status)
        return grep

    def searched_terms(self, grep: FakeProcess) -> list[str]:
        """Return the terms of a grep."""
        pairs = pairwise(grep.arguments)
        return [value for option, value in pairs if option == "-e"]

    def start_searches(self, *terms: str) -> list[Deferred[list[str]]]:
        """Search for several terms."""
        return [self.start_search(term) for term in terms]

    def cancel(self, found: Deferred[list[str]]) -> None:
        """Cancel a search."""
        found.cancel()
        self.failureResultOf(found, CancelledError)

    def assert_next_greps(self, *terms: list[str]) -> None:
        """End one grep after another, and assert what terms each searched for."""
        self.assertEqual(
            [self.searched_terms(self.end_grep()) for _ in terms], [*terms]
        )

    def assert_found(self, searches: list[Deferred[list[str]]], *counts: int) -> None:
        """Assert how many lines each search has found."""
        found = [len(self.successResultOf(each)) for each in searches]
        self.assertEqual(found, [*counts])


class BatchingTests(BatchingTestCase):
    """Tests with one slot, which is in use."""

    def setUp(self) -> None:
        super().setUp()
        self.finder = self.make_finder(waiting=5)
        self.first = self.start_search("first")

    def test_a_search_that_need_not_wait_runs_at_once(self) -> None:
        self.assertEqual(self.searched_terms(self.running_greps()[0]), ["first"])

    def test_searches_that_wait_share_a_grep(self) -> None:
        """Each gets the lines with its own term, in order."""
        waiting = self.start_searches("love", "life", "none", "of life")
        self.end_grep()
        self.assertEqual(self.successResultOf(self.first), [])
        self.assert_next_greps(["love", "life", "none", "of life"])
        love, life, none, of_life = map(self.successResultOf, waiting)
        self.assertEqual(love, ["love and life", "love", "love of life"])
        self.assertEqual(life, ["love and life", "life", "love of life"])
        self.assertEqual((none, of_life), ([], ["love of life"]))
        self.assertEqual(len(self.reactor.processes), 2)
        values = metric_values(self.metrics)
        self.assertEqual(values["quotes_searches_together_total"], 3)

    def test_each_search_gets_its_own_page(self) -> None:
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

    def test_only_bytewise_searches_of_one_dictionary_are_batched(self) -> None:
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

    def test_the_number_of_terms_of_a_grep_is_limited(self) -> None:
        self.patch(batch_queue, "MAX_TERMS", 2)
        waiting = self.start_searches("love", "life", "none")
        self.assert_next_greps(["first"], ["love", "life"], ["none"])
        self.assert_found(waiting, 3, 3, 0)

    def test_searches_of_a_large_dictionary_are_not_batched(self) -> None:
        self.patch(search_batcher, "MAX_BUFFERED", len(TEXT))
        self.start_searches("love", "life")
        self.assert_next_greps(["first"], ["love"], ["life"])

    def test_searches_that_wait_for_a_batch_count_as_waiting(self) -> None:
        for _ in range(5):
            self.start_search("love")
        self.failureResultOf(self.start_search("love"), TooBusy)
        self.end_grep()
        self.end_grep()
        self.assertFalse(self.running_greps())

    def test_another_client_may_replace_a_search_that_waits_for_a_batch(
        self,
    ) -> None:
        waiting = [self.start_search("love") for _ in range(5)]
        query = Search(term="life")
        other = self.finder.find_entries(query, CollectedEntries(), "another")
        self.failureResultOf(waiting.pop(), TooManyRequests)
        self.end_grep()
        self.end_grep()
        for each in waiting:
            self.assertTrue(self.successResultOf(each))
        self.successResultOf(other)

    def test_a_cancelled_search_is_not_part_of_a_batch(self) -> None:
        leaving, staying = self.start_searches("love", "life")
        self.cancel(leaving)
        self.assert_next_greps(["first"], ["life"])
        self.assert_found([staying], 3)

    def test_a_search_cancelled_during_its_batch_does_not_stop_the_grep(self) -> None:
        staying, leaving, other = self.start_searches("love", "life", "of")
        self.end_grep()
        self.cancel(leaving)
        self.end_grep()
        self.assert_found([staying, other], 3, 1)
        self.assertFalse(self.running_greps())

    def test_if_the_search_with_the_slot_is_cancelled_others_wait_again(self) -> None:
        """Even if the queue is full by then."""
        leaving, *staying = self.start_searches("love", "life", "of")
        self.end_grep()
        [grep] = self.running_greps()
        for _ in range(5):
            self.start_search("more", dictionary="beta")
        self.cancel(leaving)
        self.assertEqual(grep.signals, ["KILL"])
        grep.end(signal=9)
        while self.running_greps():
            self.end_grep()
        self.assert_found(staying, 3, 1)
        found = [self.searched_terms(each) for each in self.reactor.processes]
        self.assertEqual(found.count(["life", "of"]), 1)

    def test_after_repeated_failures_a_search_runs_alone(self) -> None:
        self.patch(search_batcher, "MAX_ATTEMPTS", 0)
        leaving, *staying = self.start_searches("love", "life", "of")
        self.end_grep()
        self.cancel(leaving)
        self.running_greps()[0].end(signal=9)
        self.assert_next_greps(["life"], ["of"])
        self.assert_found(staying, 3, 1)

    def test_the_size_of_the_terms_of_a_grep_is_limited(self) -> None:
        self.patch(batch_queue, "MAX_BYTES", 10)
        batch = ["love", "life", "\N{EURO SIGN}" * 2]
        self.start_searches(*batch, "of")
        self.assert_next_greps(["first"], batch, ["of"])

    def test_unexpected_output_leaves_no_search_waiting(self) -> None:
        waiting = self.start_searches("love", "life", "of")
        self.end_grep()
        self.end_grep(b"life\nlove of life")
        self.assert_found(waiting, 1, 2, 1)

    def test_a_failure_of_grep_fails_only_the_search_with_the_slot(self) -> None:
        failing, staying = self.start_searches("love", "life")
        self.end_grep()
        self.reactor.advance(10)
        self.failureResultOf(failing, SearchTimedOut)
        self.running_greps()[0].end(signal=9)
        self.assert_next_greps(["life"])
        self.assert_found([staying], 3)

    def test_a_dictionary_that_changes_meanwhile_is_searched_again(self) -> None:
        waiting = self.start_searches("love", "life")
        self.end_grep()
        (self.folder / "alpha").write_text("life\n")
        self.end_grep(b"love\nlife\n")
        for _ in waiting:
            self.end_grep(b"love\n")
        self.assertEqual(
            [self.successResultOf(each) for each in waiting], [["love"]] * 2
        )

    def test_a_dictionary_that_is_removed_meanwhile_is_an_error_for_each(self) -> None:
        waiting = self.start_searches("love", "life")
        (self.folder / "alpha").unlink()
        self.end_grep()
        for each in waiting:
            self.failureResultOf(each, DictionaryNotFound)
        self.assertFalse(self.running_greps())

    def test_a_result_may_start_another_search(self) -> None:
        """While results are delivered to the rest of the batch."""
        again: list[Deferred[list[str]]] = []

        def ask_again(lines: list[str]) -> list[str]:
            again.append(self.start_search("love"))
            return lines

        for found in self.start_searches("love", "life", "of"):
            found.addCallback(ask_again)
        while self.running_greps():
            self.end_grep()
        self.assert_found(again, 3, 3, 3)

    def test_batching_can_be_disabled(self) -> None:
        self.finder = self.make_finder(batch_threshold=0)
        self.end_grep()
        self.start_searches("love", "life", "of")
        self.assert_next_greps(["love"], ["life"], ["of"])


class MultipleSlotsTests(BatchingTestCase):
    """Tests with more slots than greps that may read one dictionary without delay."""

    def setUp(self) -> None:
        super().setUp()
        self.finder = self.make_finder(running=8, batch_threshold=2)
        self.start_searches("love", "life")
        self.pending_searches = self.start_searches("love", "of", "none")

    def test_with_as_many_greps_as_cores_further_searches_wait(self) -> None:
        """They share the next grep."""
        first, second = self.running_greps()
        self.assertEqual(
            [self.searched_terms(first), self.searched_terms(second)],
            [["love"], ["life"]],
        )
        first.end()
        second.end()
        self.assert_next_greps(["love", "of", "none"])
        self.assert_found(self.pending_searches, 3, 1, 0)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_further_searches_wait_only_for_a_moment(self) -> None:
        """As long as there are slots."""
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

    def test_a_search_cancelled_during_its_batch_does_not_release_a_slot_again(
        self,
    ) -> None:
        self.running_greps()[0].end()
        self.cancel(self.pending_searches.pop(1))
        for grep in self.running_greps():
            grep.end()
        self.assert_found(self.pending_searches, 0, 0)
        others = [self.start_search("love", ignore_case=True) for _ in range(9)]
        self.assertEqual(len(self.running_greps()), 8)
        while self.running_greps():
            self.running_greps()[0].end()
        self.assert_found(others, *[0] * 9)

    def test_greps_for_other_dictionaries_do_not_count(self) -> None:
        self.start_search("love", dictionary="beta")
        self.assertEqual(len(self.running_greps()), 3)

    def test_a_cancelled_search_releases_its_slot(self) -> None:
        for each in self.pending_searches:
            self.cancel(each)
        for grep in self.running_greps():
            grep.end()
        self.assertFalse(self.running_greps())
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        waiting = [self.start_search("love", dictionary="beta") for _ in range(8)]
        self.reactor.advance(BATCHING_DELAY)
        while self.running_greps():
            self.running_greps()[0].end()
        self.assert_found(waiting, *[0] * 8)


class ManySearchesTests(BatchingTestCase):
    """Tests with many searches that wait."""

    def test_a_thousand_failures_at_once_do_not_nest(self) -> None:
        self.finder = self.make_finder(batch_threshold=1, waiting=2000)
        self.start_search("love")
        waiting = [self.start_search("love") for _ in range(1500)]
        (self.folder / "alpha").unlink()
        self.running_greps()[-1].end()
        for each in waiting:
            self.failureResultOf(each, DictionaryNotFound)


class RealGrepTests(RealGrepTestCase):
    """Tests with the real grep."""

    async def test_batched_searches_find_what_each_finds_alone(self) -> None:
        text = b"caf\xe9 love\r\nlove\0life\r\nL\xc3\xb6ve\nlove" * 20
        self.write("dreams", as_text(text))
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
