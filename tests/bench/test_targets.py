"""
Tests for L{bench.targets}.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.trial.unittest import SynchronousTestCase

from bench.big_loads import BIG_LOADS, BIG_SERVERS, BigLoads
from bench.ours import VARIANTS
from bench.peers.catalogue import FASTAPI, PEERS, WEBHOOK
from bench.rounds import Outcome, Spread
from bench.scale import FULL, QUICK
from bench.servers import Server
from bench.small_loads import SmallLoads, small_load_names
from bench.targets import TARGETS, Target, judge_target

EXAMPLE_TARGET = Target("a load", "load", "ours", "peer", "rate", 2.0)


def make_outcome(*values: float | None) -> Outcome:
    """Make the results of a contestant."""
    return Outcome([None if value is None else {"rate": value} for value in values])


def verdict_of(target: Target, ours: Outcome, peer: Outcome) -> str:
    """Return the verdict for two contestants."""
    return judge_target(target, {"load": {"ours": ours, "peer": peer}}, {}).verdict


class JudgeTests(SynchronousTestCase):
    """Tests of L{judge_target}."""

    def test_the_median_decides(self) -> None:
        """One round does not decide."""
        peer = make_outcome(10.0, 10.0, 10.0)
        self.assertEqual(
            verdict_of(EXAMPLE_TARGET, make_outcome(20.0, 5.0, 30.0), peer), "reached"
        )
        self.assertEqual(
            verdict_of(EXAMPLE_TARGET, make_outcome(19.0, 90.0, 3.0), peer), "missed"
        )

    def test_a_limit_can_be_a_maximum(self) -> None:
        """A lower latency is better."""
        target = Target("", "load", "ours", "peer", "rate", 1.1, at_least=False)
        self.assertEqual(
            verdict_of(target, make_outcome(11.0), make_outcome(10.0)), "reached"
        )
        self.assertEqual(
            verdict_of(target, make_outcome(12.0), make_outcome(10.0)), "missed"
        )

    def test_a_target_can_be_a_difference(self) -> None:
        """For example a number of milliseconds."""
        target = Target("", "load", "ours", "peer", "rate", 5, False, difference=True)
        judged = judge_target(
            target,
            {"load": {"ours": make_outcome(104.0), "peer": make_outcome(100.0)}},
            {},
        )
        self.assertEqual(judged.seen, Spread(4.0, 4.0, 4.0))
        self.assertEqual(judged.verdict, "reached")

    def test_all_contestants_on_large_dictionaries_are_started(self) -> None:
        """Otherwise there would be no result in any run."""
        servers = {WEBHOOK.name, FASTAPI.name, *(each.name for each in VARIANTS)}
        for target in TARGETS:
            if target.load in BIG_LOADS:
                self.assertLessEqual({target.ours, target.peer} & servers, BIG_SERVERS)

    def test_the_verdict_names_an_absent_contestant(self) -> None:
        """With the reason."""
        judged = judge_target(
            EXAMPLE_TARGET, {}, {"peer": "missing: apt-get install peer"}
        )
        self.assertEqual(
            judged.verdict, "left out: peer: missing: apt-get install peer"
        )

    def test_a_ratio_needs_a_round_without_failures(self) -> None:
        """Both contestants must have run in it."""
        self.assertEqual(
            verdict_of(
                EXAMPLE_TARGET, make_outcome(20.0, None), make_outcome(None, 10.0)
            ),
            "failed",
        )

    def test_a_load_that_was_not_measured_has_no_verdict(self) -> None:
        """A run can be limited to some loads."""
        self.assertEqual(
            judge_target(EXAMPLE_TARGET, {}, {}).verdict, "not measured in this run"
        )


class TargetsTests(SynchronousTestCase):
    """Tests of L{TARGETS}."""

    def test_the_contestants_of_all_targets_are_measured(self) -> None:
        """If all servers are installed, there is a result for each target."""
        with TemporaryDirectory() as folder:
            library = Path(folder)
            servers = {
                each.name: Server(each, library, library)
                for each in (*VARIANTS, *PEERS)
            }
            for scale in (FULL, QUICK):
                small = SmallLoads(servers, ["term"], library, library, scale)
                loads = [*small.loads(), *BigLoads(servers, library).loads()]
                entries = {load.name: load.entries for load in loads}
                self.assertEqual(list(entries), [*small_load_names(scale), *BIG_LOADS])
                for target in TARGETS:
                    self.assertIn(target.ours, entries[target.load], target)
                    self.assertIn(target.peer, entries[target.load], target)
