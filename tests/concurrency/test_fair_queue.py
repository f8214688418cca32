"""
Tests for L{twisted_quotes.concurrency.fair_queue}.
"""

from __future__ import annotations

import time
from collections import Counter

from hypothesis import given
from hypothesis.strategies import integers, lists, sampled_from, tuples
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.concurrency.fair_queue import FairQueue


class FairQueueTests(SynchronousTestCase):
    """Tests of items of several clients."""

    def setUp(self) -> None:
        self.queue: FairQueue[int] = FairQueue()

    def pop(self) -> int:
        """Remove and return the oldest item of the first client."""
        client = self.queue.first()[2]
        item = self.queue.oldest(client)
        self.queue.remove(client, item)
        return item

    def serve_items(self, items: list[tuple[str, int]]) -> list[tuple[str, int]]:
        """Add items, then serve all; each served item adds to its client's priority."""
        clients = {item: client for client, item in items}
        held = Counter[str]()
        for client, item in items:
            self.queue.add(client, item, 0)
        served = []
        while self.queue:
            item = self.pop()
            client = clients[item]
            held[client] += 1
            self.queue.set_priority(client, held[client])
            served.append((client, item))
        return served

    @given(lists(tuples(sampled_from("abcdef"), integers(0, 4))))
    def test_clients_are_ordered_by_priority_and_time_of_change(
        self, steps: list[tuple[str, int]]
    ) -> None:
        """The order is that of a sorted list. Priority 0 stands for a removal."""
        self.setUp()
        expected: dict[str, tuple[int, int]] = {}
        for turn, (client, priority) in enumerate(steps):
            if not priority:
                self.queue.remove(client, 0)
                expected.pop(client, None)
            else:
                self.queue.add(client, 0, priority)
                if client not in expected or expected[client][0] != priority:
                    expected[client] = priority, turn
            self.assertEqual(len(self.queue), len(expected))
            if expected:
                first = min(expected, key=expected.__getitem__)
                self.assertEqual(self.queue.first()[2], first)

    @given(lists(sampled_from("aaaabbc")))
    def test_clients_are_served_in_turn(self, clients: list[str]) -> None:
        """The nth item of every client is served before any further item."""
        self.setUp()
        items = [(client, number) for number, client in enumerate(clients)]
        served = self.serve_items(items)
        self.assertEqual(sorted(served), sorted(items))
        for client in set(clients):
            own = [item for each, item in served if each == client]
            self.assertEqual(own, sorted(own))
        turns = Counter[str]()
        order = []
        for client, _ in served:
            order.append(turns[client])
            turns[client] += 1
        self.assertEqual(order, sorted(order))

    def test_a_changed_priority_places_a_client_behind_its_equals(self) -> None:
        for client, item, priority in (("a", 1, 1), ("b", 2, 0), ("c", 3, 1)):
            self.queue.add(client, item, priority)
        self.queue.set_priority("a", 0)
        self.queue.set_priority("absent", 0)
        self.assertEqual([self.pop() for _ in range(3)], [2, 1, 3])

    def test_the_oldest_item_of_a_client_is_known(self) -> None:
        for item in (1, 2, 3):
            self.queue.add("a", item, 0)
        self.queue.remove("a", 4)
        self.assertEqual(self.queue.oldest("a"), 1)

    def test_two_queues_can_be_compared(self) -> None:
        one, other = FairQueue[int](), FairQueue[int]()
        one.add("a", 1, 1)
        other.add("b", 2, 1)
        self.assertLess(one.first(), other.first())
        one.set_priority("a", 2)
        self.assertGreater(one.first(), other.first())

    def test_the_cost_does_not_grow_with_the_number_of_clients(self) -> None:
        def seconds_per_item(clients: int) -> float:
            self.setUp()
            best = 1.0
            for _ in range(3):
                started_at = time.process_time()
                self.serve_items([(str(each), each) for each in range(clients)])
                best = min(best, (time.process_time() - started_at) / clients)
            return best

        self.assertLess(seconds_per_item(20_000), 8 * seconds_per_item(500))
