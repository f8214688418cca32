"""
Tests of an order that chance has chosen.
"""

from __future__ import annotations

from collections import Counter
from itertools import permutations

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.text import permutation
from twisted_quotes.text.permutation import RandomPermutation

SAMPLE_COUNT = 100_000


def chi_square(counts: Counter[object], possible: int) -> float:
    """How far the counts are from even."""
    expected = counts.total() / possible
    missing = possible - len(counts)
    return (
        sum((count - expected) ** 2 for count in counts.values()) / expected
        + missing * expected
    )


class PermutationTests(SynchronousTestCase):
    """Tests of ranges that are shuffled, and of those that are too long for that."""

    def test_each_is_drawn_once(self) -> None:
        """All that is drawn is the whole range, in some order, either way."""

        for few in (-1, 4096):
            self.patch(permutation, "_MAX_SHUFFLED", few)
            for count in (*range(40), 99, 100, 101, 500, 1023, 1024, 1025):
                order = RandomPermutation(count, count * 7)
                drawn = [order[index] for index in range(count)]
                self.assertEqual(sorted(drawn), list(range(count)))

    def test_a_seed_repeats_it(self) -> None:
        """And another one, or none, gives another order."""
        for count in (1000, 10_000_000):
            permuted = RandomPermutation(count, 7)
            self.assertEqual(len(permuted), count)
            for seed, same in ((7, True), (8, False), (-7, False), (None, False)):
                other = RandomPermutation(count, seed)
                equal = all(permuted[n] == other[n] for n in range(10))
                self.assertEqual(equal, same, seed)

    def test_there_is_nothing_beyond_its_end(self) -> None:
        """As in any sequence."""
        for count in (0, 5, 10_000):
            order = RandomPermutation(count, 1)
            self.assertRaises(IndexError, order.__getitem__, count)
            self.assertRaises(IndexError, order.__getitem__, -1)

    def test_the_first_is_drawn_evenly(self) -> None:
        """Of a hundred thousand draws from 20, each of these has its part."""
        first = Counter[object](
            RandomPermutation(20, seed)[0] for seed in range(SAMPLE_COUNT)
        )
        # With 19 degrees of freedom, more comes once in a thousand times.
        self.assertLess(chi_square(first, 20), 43.8)

    def test_every_order_is_as_likely_as_any(self) -> None:
        """Of three out of four, all 24 orders come alike often."""
        orders = Counter[object]()
        for seed in range(SAMPLE_COUNT):
            order = RandomPermutation(4, seed)
            orders[order[0], order[1], order[2]] += 1
        self.assertEqual(set(orders), set(permutations(range(4), 3)))
        # With 23 degrees of freedom.
        self.assertLess(chi_square(orders, 24), 49.7)

    def test_any_of_many_may_stand_anywhere(self) -> None:
        """Of a range too long to be shuffled, each tenth comes alike often."""
        count = 5000
        for position in (0, 1, count - 1):
            drawn = Counter[object](
                RandomPermutation(count, seed)[position] * 10 // count
                for seed in range(20_000)
            )
            # With 9 degrees of freedom, more comes once in a thousand times.
            self.assertLess(chi_square(drawn, 10), 27.9)

    def test_neighbours_in_the_order_are_none_in_the_range(self) -> None:
        """How far one stands from the next is as even as may be."""
        count = 5000
        order = RandomPermutation(count, 3)
        steps = Counter[object](
            (order[n + 1] - order[n]) % count * 10 // count for n in range(count - 1)
        )
        self.assertLess(chi_square(steps, 10), 27.9)
