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
    def test_failed_rounds_are_left_out(self) -> None:
        """If all failed there is no summary."""
        self.assertEqual(summarize([3.0, None, 1.0, 8.0]), Spread(3.0, 1.0, 8.0))
        self.assertIsNone(summarize([None, None]))

    def test_ratios_are_of_the_same_round(self) -> None:
        """Both contestants are slow when the machine is."""
        spread = compare_paired(
            [10.0, 100.0, None, 30.0], [5.0, 50.0, 1.0, None], truediv
        )
        self.assertEqual(spread, Spread(2.0, 2.0, 2.0))


class MeasureTests(SynchronousTestCase):
    def test_each_round_starts_with_another_contestant(self) -> None:
        """No contestant always runs after the same one."""
        for number, names in ((0, "abc"), (1, "bca"), (5, "cab")):
            self.assertEqual(rotate_names("abc", number), list(names))

    def test_contestants_take_turns(self) -> None:
        """Each runs once per round, and its numbers are ordered by round."""
        order = []

        def run(name: str, number: int) -> Numbers:
            order.append(name)
            return {"rate": 10.0 * number}

        entries = {name: partial(run, name) for name in ("a", "b")}
        outcomes = measure_load(Load("load", "A load", entries), 2)
        self.assertEqual(order, ["a", "b", "b", "a"])
        self.assertEqual(outcomes["a"].values("rate"), [0.0, 10.0])
        self.assertEqual(outcomes["a"].values("ms"), [None, None])

    def test_a_failed_run_is_reported_and_not_counted(self) -> None:
        """Its round has no number, and the next run follows."""

        def run(number: int) -> Numbers:
            if number == 1:
                raise RunFailed("errors: 3 status")
            return {"rate": 1.0}

        with self.assertLogs("bench", "INFO") as logs:
            outcomes = measure_load(Load("load", "A load", {"a": run}), 3)
        self.assertEqual(outcomes["a"].values("rate"), [1.0, None, 1.0])
        self.assertEqual(outcomes["a"].failures, ["errors: 3 status"])
        self.assertIn("load 2/3 a: failed: errors: 3 status", logs.output[1])
