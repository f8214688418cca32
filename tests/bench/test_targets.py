"""
Tests for L{bench.reach}.
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
    """What became of a contestant."""
    return Outcome([None if value is None else {"rate": value} for value in values])


def verdict_of(target: Target, ours: Outcome, peer: Outcome) -> str:
    """What is said of two contestants."""
    return judge_target(target, {"load": {"ours": ours, "peer": peer}}, {}).verdict


class JudgeTests(SynchronousTestCase):
    """Tests of L{judge}."""

    def test_the_median_decides(self) -> None:
        """One bad round does not miss a target, and one good does not reach it."""
        peer = make_outcome(10.0, 10.0, 10.0)
        self.assertEqual(
            verdict_of(EXAMPLE_TARGET, make_outcome(20.0, 5.0, 30.0), peer), "reached"
        )
        self.assertEqual(
            verdict_of(EXAMPLE_TARGET, make_outcome(19.0, 90.0, 3.0), peer), "missed"
        )

    def test_some_targets_are_not_to_be_passed(self) -> None:
        """Of a latency, less is better."""
        most = Target("", "load", "ours", "peer", "rate", 1.1, at_least=False)
        self.assertEqual(
            verdict_of(most, make_outcome(11.0), make_outcome(10.0)), "reached"
        )
        self.assertEqual(
            verdict_of(most, make_outcome(12.0), make_outcome(10.0)), "missed"
        )

    def test_some_targets_are_differences(self) -> None:
        """A few milliseconds more, whatever the whole."""
        more = Target("", "load", "ours", "peer", "rate", 5, False, difference=True)
        judged = judge_target(
            more,
            {"load": {"ours": make_outcome(104.0), "peer": make_outcome(100.0)}},
            {},
        )
        self.assertEqual(judged.seen, Spread(4.0, 4.0, 4.0))
        self.assertEqual(judged.verdict, "reached")

    def test_whoever_is_compared_on_big_files_is_started_for_that(self) -> None:
        """Or its row would be empty in every run."""
        servers = {WEBHOOK.name, FASTAPI.name, *(each.name for each in VARIANTS)}
        for target in TARGETS:
            if target.load in BIG_LOADS:
                self.assertLessEqual({target.ours, target.peer} & servers, BIG_SERVERS)

    def test_who_is_absent_is_said(self) -> None:
        """A row is left out with the reason, not silently."""
        judged = judge_target(
            EXAMPLE_TARGET, {}, {"peer": "missing: apt-get install peer"}
        )
        self.assertEqual(
            judged.verdict, "left out: peer: missing: apt-get install peer"
        )

    def test_failed_runs_reach_nothing(self) -> None:
        """Without a round in which both ran there is no ratio."""
        self.assertEqual(
            verdict_of(
                EXAMPLE_TARGET, make_outcome(20.0, None), make_outcome(None, 10.0)
            ),
            "failed",
        )

    def test_a_load_that_was_not_wanted_is_not_judged(self) -> None:
        """A run can be of some loads only."""
        self.assertEqual(
            judge_target(EXAMPLE_TARGET, {}, {}).verdict, "not measured in this run"
        )


class TargetsTests(SynchronousTestCase):
    """Tests of the targets that there are."""

    def test_each_is_of_contestants_that_are_measured(self) -> None:
        """With every variant and every peer there, no row would stay empty."""
        with TemporaryDirectory() as folder:
            library = Path(folder)
            subjects = [variant.make_subject(set()) for variant in VARIANTS]
            servers = {
                each.name: Server(each, library, library)
                for each in (*subjects, *PEERS)
            }
            for scale in (FULL, QUICK):
                small = SmallLoads(servers, ["term"], library, library, scale)
                loads = [*small.loads(), *BigLoads(servers, library).loads()]
                entries = {load.name: load.entries for load in loads}
                self.assertEqual(list(entries), [*small_load_names(scale), *BIG_LOADS])
                for target in TARGETS:
                    self.assertIn(target.ours, entries[target.load], target)
                    self.assertIn(target.peer, entries[target.load], target)
