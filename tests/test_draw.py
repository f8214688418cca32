"""
Tests for drawing by chance.
"""

from __future__ import annotations

from collections import Counter
from itertools import islice, permutations
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.draw import permutation

DRAWS = 100_000


def chi_square(counts: Counter[object], possible: int) -> float:
    """How far the counts are from even."""
    expected = counts.total() / possible
    missing = possible - len(counts)
    return (
        sum((count - expected) ** 2 for count in counts.values()) / expected
        + missing * expected
    )


class PermutationTests(SynchronousTestCase):
    """Tests of drawing from a range."""

    def test_each_is_drawn_once(self) -> None:
        """All that is drawn is the whole range, in some order."""

        @given(st.integers(0, 300), st.integers())
        def check(count: int, seed: int) -> None:
            drawn = list(permutation(count, Random(seed)))
            self.assertEqual(sorted(drawn), list(range(count)))

        check()

    def test_a_seed_repeats_it(self) -> None:
        """The first ones are the same, however many are drawn."""
        whole = list(permutation(1000, Random(7)))
        self.assertEqual(list(islice(permutation(1000, Random(7)), 10)), whole[:10])
        self.assertNotEqual(list(islice(permutation(1000, Random(8)), 10)), whole[:10])

    def test_the_first_is_drawn_evenly(self) -> None:
        """Of a hundred thousand draws from 20, each of these has its part."""
        random = Random(1)
        first = Counter[object](next(permutation(20, random)) for _ in range(DRAWS))
        # With 19 degrees of freedom, more comes once in a thousand times.
        self.assertLess(chi_square(first, 20), 43.8)

    def test_every_order_is_as_likely_as_any(self) -> None:
        """Of three out of four, all 24 orders come alike often."""
        random = Random(2)
        orders = Counter[object](
            tuple(islice(permutation(4, random), 3)) for _ in range(DRAWS)
        )
        self.assertEqual(set(orders), set(permutations(range(4), 3)))
        # With 23 degrees of freedom.
        self.assertLess(chi_square(orders, 24), 49.7)
