"""
Tests of answers that are found once, and kept.
"""

from __future__ import annotations

import gc
import os
import tracemalloc
from functools import partial

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.errors import TooManyRequests
from twisted_quotes.monitoring.metrics import Metrics
from twisted_quotes.web.api.response_cache import Answer, SharedAnswers, key_of


class SharedAnswersTests(SynchronousTestCase):
    """Tests with searches that a test ends by hand."""

    def setUp(self) -> None:
        """Keep as much as two answers of a thousand bytes take."""
        self.metrics = Metrics()
        self.shared = SharedAnswers(2600, self.metrics)
        self.searches: list[Deferred[Answer]] = []

    def get(self, key: str = "love", client: str | None = None) -> Deferred[Answer]:
        """Ask something."""

        def find() -> Deferred[Answer]:
            self.searches.append(Deferred())
            return self.searches[-1]

        kept = self.shared.kept(key.encode())
        if kept is not None:
            return succeed(kept)
        return self.shared.find(key.encode(), find, client)

    def put(self, key: str, size: int = 1000) -> Answer:
        """Have something asked, and answered."""
        answer = Answer(1, b"x" * size)
        waiting = self.get(key)
        self.searches[-1].callback(answer)
        self.assertIs(self.successResultOf(waiting), answer)
        return answer

    def is_kept(self, key: str) -> bool:
        """Whether the answer to something is kept."""
        before = len(self.searches)
        got = self.get(key)
        kept = len(self.searches) == before
        if not kept:
            got.cancel()
            self.failureResultOf(got, CancelledError)
        return kept

    def counted_bytes(self) -> float:
        """How many bytes are kept, as the metrics tell."""
        _, text = self.metrics.text("")
        [line] = [x for x in text.splitlines() if x.startswith(b"quotes_cache_bytes ")]
        return float(line.split()[1])

    def test_who_asks_the_same_meanwhile_shares_the_search(self) -> None:
        """And who asks something else does not."""
        waiting = [self.get(), self.get(), self.get("hate"), self.get()]
        self.assertEqual(len(self.searches), 2)
        answer = Answer(0, b"[]")
        self.searches[0].callback(answer)
        for index in (0, 1, 3):
            self.assertIs(self.successResultOf(waiting[index]), answer)
        self.assertNoResult(waiting[2])

    def test_who_asks_the_same_later_gets_what_was_kept(self) -> None:
        """Nothing is searched."""
        answer = self.put("love")
        self.assertIs(self.successResultOf(self.get()), answer)
        self.assertEqual(len(self.searches), 1)

    def test_an_error_is_told_to_all_and_not_kept(self) -> None:
        """The next who asks has it tried anew."""
        waiting = [self.get(), self.get()]
        self.searches[0].errback(ValueError())
        for each in waiting:
            self.failureResultOf(each, ValueError)
        self.put("love")

    def test_a_search_goes_on_while_anybody_waits_for_it(self) -> None:
        """Whoever began it may leave."""
        first, second = self.get(), self.get()
        first.cancel()
        self.failureResultOf(first, CancelledError)
        answer = Answer(0, b"[]")
        self.searches[0].callback(answer)
        self.assertIs(self.successResultOf(second), answer)

    def test_a_search_that_nobody_waits_for_ends(self) -> None:
        """And who asks then has it begun anew."""
        killed: list[bool] = []
        found: Deferred[Answer] = Deferred(lambda _: killed.append(True))
        waiting = [self.shared.find(b"love", lambda: found), self.get()]
        for each in waiting:
            each.cancel()
            self.failureResultOf(each, CancelledError)
        self.assertEqual(killed, [True])
        self.put("love")

    def test_no_client_waits_for_the_turn_of_another(self) -> None:
        """Each begins a search; the first that finds the answer ends the others."""
        waiting = [self.get(client=client) for client in ("a", "b", "b", "c")]
        self.assertEqual(len(self.searches), 3)
        answer = Answer(0, b"[]")
        self.searches[1].callback(answer)
        for each in waiting:
            self.assertIs(self.successResultOf(each), answer)
        self.assertTrue(self.is_kept("love"))
        self.assertTrue(all(each.called for each in self.searches))

    def test_the_error_of_one_client_is_not_that_of_another(self) -> None:
        """One may be refused because it asks for too much."""
        one, other = self.get(client="a"), self.get(client="b")
        self.searches[0].errback(TooManyRequests())
        self.failureResultOf(one, TooManyRequests)
        self.assertNoResult(other)
        other.cancel()
        self.failureResultOf(other, CancelledError)
        self.put("love")

    def test_what_was_asked_for_longest_ago_goes_first(self) -> None:
        """So many bytes are kept, and no more."""
        self.put("a")
        self.put("b")
        self.successResultOf(self.get("a"))
        self.put("c")
        self.assertEqual([self.is_kept(key) for key in "abc"], [True, False, True])
        self.assertLess(self.counted_bytes(), 2600)
        self.assertGreater(self.counted_bytes(), 2000)

    def test_what_is_too_large_is_not_kept(self) -> None:
        """And nothing goes for its sake."""
        self.put("a")
        self.put("b", 5000)
        self.assertEqual([self.is_kept(key) for key in "ab"], [True, False])

    def test_what_is_kept_is_no_work_for_the_garbage_collector(self) -> None:
        """Or it would hold up everybody for longer, the more is kept."""
        self.shared = SharedAnswers(10**6, Metrics())
        gc.collect()
        before = len(gc.get_objects())
        for number in range(100):
            self.put(f"love {number}", 10)
        self.searches.clear()
        gc.collect()
        self.assertTrue(self.is_kept("love 0"))
        self.assertLess(len(gc.get_objects()) - before, 50)

    def test_how_questions_are_answered_is_counted(self) -> None:
        """By what was kept, with others, or by themselves."""
        self.get("x")
        self.get("x")
        self.put("a")
        self.successResultOf(self.get("a"))
        _, text = self.metrics.text("")
        for result, count in (("hit", 1), ("shared", 1), ("miss", 2)):
            line = f'quotes_cache_total{{result="{result}"}} {count}.0\n'
            self.assertIn(line.encode(), text)

    def test_a_long_answer_is_marked_once_and_searched_for_by_each(self) -> None:
        """The mark takes no more room when it is looked at, and counts one miss."""
        waiting = self.get("x")
        self.searches[-1].callback(Answer(0, None))
        self.successResultOf(waiting)
        counted = self.counted_bytes()
        for _ in range(5):
            kept = self.shared.kept(b"x")
            assert kept is not None
            self.assertIsNone(kept.body)
        self.assertEqual(self.counted_bytes(), counted)
        _, text = self.metrics.text("")
        self.assertIn(b'quotes_cache_total{result="miss"} 6.0\n', text)
        self.assertIn(b'quotes_cache_total{result="hit"} 0.0\n', text)

    def test_an_answer_that_is_kept_again_takes_the_room_of_the_first(self) -> None:
        """Whatever was kept of it before, and however often."""
        self.put("a", 10)
        counted = self.counted_bytes()
        for size in (1000, 0, 500, 10):
            answer = Answer(1, b"x" * size)
            self.shared.find(b"a", partial(succeed, answer))
        self.assertEqual(self.counted_bytes(), counted)
        self.assertTrue(self.is_kept("a"))

    def test_what_is_counted_is_what_is_kept(self) -> None:
        """Keys, answers and all that holds them, whatever their sizes."""
        for size in (0, 10, 100, 1000):
            self.metrics = Metrics()
            self.shared = SharedAnswers(2**30, self.metrics)
            tracemalloc.start()
            try:
                before, _ = tracemalloc.get_traced_memory()
                for number in range(10_000):
                    answer = Answer(number, os.urandom(size))
                    key = key_of(b"x" * 500 + b"%d" % number, [])
                    self.shared.find(key, partial(succeed, answer))
                after, _ = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            ratio = self.counted_bytes() / (after - before)
            self.assertGreater(ratio, 0.8, size)
            self.assertLess(ratio, 1.3, size)

    def test_it_can_be_off(self) -> None:
        """With no bytes to keep."""
        self.assertFalse(self.shared.is_off)
        self.assertTrue(SharedAnswers(0, Metrics()).is_off)


class KeyTests(SynchronousTestCase):
    """Tests of the keys of answers."""

    def test_a_key_is_short_whatever_it_tells_apart(self) -> None:
        """A long question about many dictionaries has no longer one."""
        self.assertEqual(len(key_of(b"x" * 5000, range(3000))), len(key_of(b"", [])))

    def test_each_question_and_each_state_has_its_own_key(self) -> None:
        """Wherever one ends and the other begins."""
        asked = [(b"a", []), (b"a", [1]), (b"a", [1, 2]), (b"a", [12]), (b"a\x01", [])]
        self.assertEqual(len({key_of(*each) for each in asked}), len(asked))
        self.assertEqual(key_of(b"a", [1, 2]), key_of(b"a", [1, 2]))
