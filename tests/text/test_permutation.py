"""
Tests for L{twisted_quotes.text.permutation}.
"""

from __future__ import annotations

from collections import Counter
from itertools import permutations

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.text import permutation
from twisted_quotes.text.permutation import RandomPermutation


def chi_square(counts: Counter[object], possible: int) -> float:
    """Return how uneven the counts are."""
    expected = counts.total() / possible
    missing = possible - len(counts)
    return (
        sum((count - expected) ** 2 for count in counts.values()) / expected
        + missing * expected
    )


class PermutationTests(SynchronousTestCase):
    """Tests of L{RandomPermutation} with short and with long ranges."""

    def test_every_number_occurs_once(self) -> None:
        for max_shuffled in (-1, 4096):
            self.patch(permutation, "_MAX_SHUFFLED", max_shuffled)
            for count in (*range(40), 99, 100, 101, 500, 1023, 1024, 1025):
                order = RandomPermutation(count, count * 7)
                drawn = [order[index] for index in range(count)]
                self.assertEqual(sorted(drawn), list(range(count)))

    def test_the_same_seed_gives_the_same_order(self) -> None:
        """Another seed, or none, gives another order."""
        for count in (1000, 10_000_000):
            order = RandomPermutation(count, 7)
            self.assertEqual(len(order), count)
            for seed, same in ((7, True), (8, False), (-7, False), (None, False)):
                other = RandomPermutation(count, seed)
                equal = all(order[n] == other[n] for n in range(10))
                self.assertEqual(equal, same, seed)

    def test_an_index_out_of_range_is_an_error(self) -> None:
        for count in (0, 5, 10_000):
            order = RandomPermutation(count, 1)
            self.assertRaises(IndexError, order.__getitem__, count)
            self.assertRaises(IndexError, order.__getitem__, -1)

    def test_every_order_of_a_short_range_has_the_same_probability(self) -> None:
        orders = Counter[object]()
        for seed in range(100_000):
            order = RandomPermutation(4, seed)
            orders[order[0], order[1], order[2]] += 1
        self.assertEqual(set(orders), set(permutations(range(4), 3)))
        # 23 degrees of freedom; the probability of more is 0.001.
        self.assertLess(chi_square(orders, 24), 49.7)

    def test_any_number_of_a_long_range_may_have_any_index(self) -> None:
        count = 5000
        for position in (0, 1, count - 1):
            drawn = Counter[object](
                RandomPermutation(count, seed)[position] * 10 // count
                for seed in range(20_000)
            )
            # 9 degrees of freedom.
            self.assertLess(chi_square(drawn, 10), 27.9)

    def test_the_distances_of_neighbours_are_uniformly_distributed(self) -> None:
        count = 5000
        order = RandomPermutation(count, 3)
        steps = Counter[object](
            (order[n + 1] - order[n]) % count * 10 // count for n in range(count - 1)
        )
        self.assertLess(chi_square(steps, 10), 27.9)
