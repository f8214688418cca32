"""
Tests for L{bench.rounds}.
"""

from __future__ import annotations

from functools import partial
from operator import truediv

from twisted.trial.unittest import SynchronousTestCase

from bench.errors import RunFailed
from bench.rounds import (
    Load,
    Numbers,
    Spread,
    compare_paired,
    measure_load,
    rotate_names,
    summarize,
)


class SpreadTests(SynchronousTestCase):
    """Tests of what is made of the rounds."""

    def test_a_spread_is_of_the_rounds_that_there_are(self) -> None:
        """A failed round is passed over; without any there is nothing to say."""
        self.assertEqual(summarize([3.0, None, 1.0, 8.0]), Spread(3.0, 1.0, 8.0))
        self.assertIsNone(summarize([None, None]))

    def test_ratios_are_of_the_same_round(self) -> None:
        """When the machine is slow it is slow for both; a half-failed round is none."""
        seen = compare_paired(
            [10.0, 100.0, None, 30.0], [5.0, 50.0, 1.0, None], truediv
        )
        self.assertEqual(seen, Spread(2.0, 2.0, 2.0))


class MeasureTests(SynchronousTestCase):
    """Tests of L{measure}."""

    def test_another_goes_first_in_each_round(self) -> None:
        """Nobody always runs after the same one."""
        names = ["a", "b", "c"]
        self.assertEqual(rotate_names(names, 0), ["a", "b", "c"])
        self.assertEqual(rotate_names(names, 1), ["b", "c", "a"])
        self.assertEqual(rotate_names(names, 5), ["c", "a", "b"])

    def test_contestants_take_turns(self) -> None:
        """Each runs once a round, and its numbers are kept by round."""
        ran = []

        def run(name: str, number: int) -> Numbers:
            ran.append(name)
            return {"rate": 10.0 * number}

        entries = {name: partial(run, name) for name in ("a", "b")}
        load = Load("load", "A load", entries)
        outcomes = measure_load(load, 2, lambda _: None)
        self.assertEqual(ran, ["a", "b", "b", "a"])
        self.assertEqual(outcomes["a"].values("rate"), [0.0, 10.0])
        self.assertEqual(outcomes["a"].values("ms"), [None, None])

    def test_a_failed_run_is_told_and_not_counted(self) -> None:
        """Its round has no number, and the others go on."""

        def run(number: int) -> Numbers:
            if number == 1:
                raise RunFailed("errors: 3 status")
            return {"rate": 1.0}

        told: list[str] = []
        outcomes = measure_load(Load("load", "A load", {"a": run}), 3, told.append)
        self.assertEqual(outcomes["a"].values("rate"), [1.0, None, 1.0])
        self.assertEqual(outcomes["a"].failures, ["errors: 3 status"])
        self.assertIn("load 2/3 a: failed: errors: 3 status", told)
