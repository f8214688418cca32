"""
Tests for L{bench.targets}.
"""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.trial.unittest import SynchronousTestCase

from bench import small_loads
from bench.big_loads import BIG_LOADS, BIG_SERVERS, BigLoads
from bench.fortune_loads import FORTUNE_LOADS, FortuneLoads
from bench.library_corpus import Libraries
from bench.library_loads import LIBRARY_LOADS, RIPGREP, LibraryLoads
from bench.library_targets import LIBRARY_TARGETS
from bench.ours import OURS, TWO_WORKERS, VARIANTS
from bench.peers.catalogue import FASTAPI, PEERS, WEBHOOK
from bench.queries import ZIPF_TERMS
from bench.rounds import Outcome, Spread
from bench.scale import FULL, QUICK
from bench.servers import Server
from bench.small_loads import SmallLoads, small_load_names
from bench.targets import TARGETS, Target, judge_target
from bench.wrk import WrkReport

TARGET = Target("a load", "load", "ours", "peer", "rate", 2.0)
MAXIMUM = Target("", "load", "ours", "peer", "rate", 1.1, at_least=False)
ABSOLUTE = Target("", "load", "ours", None, "rate", 10)
DIFFERENCE = Target("", "load", "ours", "peer", "rate", 5, False, difference=True)


def make_outcome(*values: float | None) -> Outcome:
    """Make the results of a contestant."""
    return Outcome([None if value is None else {"rate": value} for value in values])


class JudgeTests(SynchronousTestCase):
    def test_the_median_is_compared_with_the_limit(self) -> None:
        """A ratio needs a round in which neither contestant failed."""
        three = make_outcome(10.0, 10.0, 10.0)
        for target, ours, peer, verdict in (
            (TARGET, make_outcome(20.0, 5.0, 30.0), three, "reached"),
            (TARGET, make_outcome(19.0, 90.0, 3.0), three, "missed"),
            (MAXIMUM, make_outcome(11.0), make_outcome(10.0), "reached"),
            (MAXIMUM, make_outcome(12.0), make_outcome(10.0), "missed"),
            (DIFFERENCE, make_outcome(104.0), make_outcome(100.0), "reached"),
            (ABSOLUTE, make_outcome(9.0, 10.0, 10.0), three, "reached"),
            (ABSOLUTE, make_outcome(9.0), three, "missed"),
            (TARGET, make_outcome(20.0, None), make_outcome(None, 10.0), "failed"),
        ):
            results = {"load": {"ours": ours, "peer": peer}}
            self.assertEqual(judge_target(target, results, {}).verdict, verdict)

    def test_the_measured_difference_is_reported(self) -> None:
        results = {"load": {"ours": make_outcome(104.0), "peer": make_outcome(100.0)}}
        judged = judge_target(DIFFERENCE, results, {})
        self.assertEqual(judged.seen, Spread(4.0, 4.0, 4.0))

    def test_the_limit_has_its_unit(self) -> None:
        """A ratio has none."""
        self.assertEqual(
            [each.formatted_limit for each in (TARGET, MAXIMUM, ABSOLUTE, DIFFERENCE)],
            [">= 2 x", "<= 1.1 x", ">= 10 rate", "<= 5 rate more"],
        )

    def test_the_verdict_says_why_there_is_no_result(self) -> None:
        """A contestant is absent, or the load was not measured."""
        absent = {"peer": "missing: apt-get install peer"}
        self.assertEqual(
            [judge_target(TARGET, {}, each).verdict for each in (absent, {})],
            [
                "left out: peer: missing: apt-get install peer",
                "not measured in this run",
            ],
        )


class TargetsTests(SynchronousTestCase):
    def test_all_contestants_on_large_dictionaries_are_started(self) -> None:
        """Otherwise there would be no result in any run."""
        servers = {WEBHOOK.name, FASTAPI.name, *(each.name for each in VARIANTS)}
        for target in TARGETS:
            if target.load in BIG_LOADS:
                self.assertLessEqual({target.ours, target.peer} & servers, BIG_SERVERS)

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

    def test_the_contestants_of_the_targets_for_libraries_are_measured(self) -> None:
        """Only ripgrep may be missing."""
        folder = Path("folder")
        server = Server(OURS, folder, folder)
        many, fortunes = (
            [
                *LibraryLoads(
                    folder, Libraries(*[folder] * 5), QUICK, server, server
                ).loads()
            ],
            [*FortuneLoads(folder, QUICK, server, server).loads()],
        )
        self.assertEqual([load.name for load in many], [*LIBRARY_LOADS])
        self.assertEqual([load.name for load in fortunes], [*FORTUNE_LOADS])
        big = BigLoads({OURS.name: server}, folder).loads()
        entries = {x.name: [*x.entries, *x.absent] for x in (*many, *fortunes, *big)}
        for target in LIBRARY_TARGETS:
            self.assertIn(target.ours, entries[target.load], target)
            self.assertIn(target.peer or target.ours, entries[target.load], target)
        self.assertIn(RIPGREP, entries["many-rare"])


class DistinctTermsTests(SynchronousTestCase):
    def test_no_server_gets_a_term_twice(self) -> None:
        """Terms of which wrk sent no request are used in the next run."""
        used = iter((4, 9, 3))
        sent: list[str] = []

        def run(url: str, bodies: Path, clients: int, seconds: int) -> WrkReport:
            count = next(used)
            lines = bodies.read_text().splitlines()[:count]
            sent.extend(json.loads(line)["term"] for line in lines)
            return WrkReport(count, count, 1, 10**6, {}, {})

        self.patch(small_loads, "run_wrk", run)
        folder = Path(self.enterContext(TemporaryDirectory()))
        terms = [f"term {number}" for number in range(ZIPF_TERMS + 20)]
        servers = {each.name: Server(each, folder, folder) for each in VARIANTS}
        small = SmallLoads(servers, terms, folder, folder, QUICK)
        measure = next(small.loads()).entries
        for name in (OURS.name, OURS.name, TWO_WORKERS.name):
            measure[name](0)
        self.assertEqual(sent, [*terms[-20:-7], *terms[-20:-17]])
