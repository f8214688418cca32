"""
Tests for L{twisted_quotes.concurrency.fair_queue}.
"""

from __future__ import annotations

import time
from collections import Counter
from itertools import count

from hypothesis import given
from hypothesis.strategies import integers, lists, sampled_from, tuples
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.concurrency.fair_queue import BucketQueue, FairQueue


class RanksTests(SynchronousTestCase):
    """Tests of keys in the order of their numbers."""

    @given(lists(tuples(sampled_from("abcdef"), integers(0, 4))))
    def test_whatever_is_put_and_removed(self, steps: list[tuple[str, int]]) -> None:
        """A sorted list of the keys tells the same."""
        ranks: BucketQueue[str] = BucketQueue(count())
        expected: dict[str, tuple[int, int]] = {}
        for turn, (key, number) in enumerate(steps):
            ranks.remove(key)
            expected.pop(key, None)
            if number:
                ranks.put(key, number)
                expected[key] = number, turn
            self.assertEqual(len(ranks), len(expected))
            self.assertEqual(ranks[key], number)
            if expected:
                self.assertEqual(
                    ranks.lowest()[2], min(expected, key=expected.__getitem__)
                )
                most = max(each for each, _ in expected.values())
                self.assertEqual(ranks[ranks.highest()], most)


class FairQueueTests(SynchronousTestCase):
    """Tests of items that wait, of several clients."""

    def setUp(self) -> None:
        """Have an empty queue."""
        self.queue: FairQueue[str, int] = FairQueue(count())

    def serve_items(self, items: list[tuple[str, int]]) -> list[tuple[str, int]]:
        """Add items, then serve all; what is served is held for good."""
        clients = {item: client for client, item in items}
        held = Counter[str]()
        for client, item in items:
            self.queue.add(client, item, 0)
        served = []
        while self.queue.next_rank() is not None:
            item = self.queue.pop()
            client = clients[item]
            held[client] += 1
            self.queue.update_held(client, held[client])
            served.append((client, item))
        return served

    @given(lists(sampled_from("aaaabbc")))
    def test_clients_are_served_in_turn(self, asked: list[str]) -> None:
        """Each has its nth item served before any has its item after that."""
        items = [(client, number) for number, client in enumerate(asked)]
        served = self.serve_items(items)
        self.assertEqual(sorted(served), sorted(items))
        for client in set(asked):
            own = [item for each, item in served if each == client]
            self.assertEqual(own, sorted(own))
        turns = Counter[str]()
        order = []
        for client, _ in served:
            order.append(turns[client])
            turns[client] += 1
        self.assertEqual(order, sorted(order))

    def test_who_holds_least_is_next(self) -> None:
        """Whoever came first."""
        self.queue.add("a", 1, 2)
        self.queue.add("b", 2, 1)
        self.assertEqual(self.queue.pop(), 2)

    def test_what_is_given_back_counts_no_more(self) -> None:
        """A client comes after those that have waited there for longer."""
        for client, item, held in (("a", 1, 1), ("b", 2, 0), ("c", 3, 1)):
            self.queue.add(client, item, held)
        self.queue.update_held("a", 0)
        self.assertEqual([self.queue.pop() for _ in range(3)], [2, 1, 3])

    def test_two_queues_can_be_compared(self) -> None:
        """The one whose next item has the lower rank comes first."""
        turns = count()
        one, other = (FairQueue[str, int](turns) for _ in range(2))
        self.assertIsNone(one.next_rank())
        one.add("a", 1, 1)
        other.add("b", 2, 1)
        self.assertLess(one.next_rank() or (), other.next_rank() or ())
        one.update_held("a", 2)
        self.assertGreater(one.next_rank() or (), other.next_rank() or ())

    def test_many_clients_take_no_longer_each_than_a_few(self) -> None:
        """What an operation takes does not grow with the clients."""

        def seconds_each(clients: int) -> float:
            self.queue = FairQueue(count())
            best = 1.0
            for _ in range(3):
                began = time.perf_counter()
                self.serve_items([(str(each), each) for each in range(clients)])
                best = min(best, (time.perf_counter() - began) / clients)
            return best

        self.assertLess(seconds_each(20_000), 8 * seconds_each(500))
