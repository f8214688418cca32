"""
Tests for L{bench.library_loads}, with a small library and real servers.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

from twisted.trial.unittest import SynchronousTestCase

from bench import library_loads
from bench.benchmark_run import BenchmarkRun
from bench.errors import RunFailed
from bench.library_loads import CHANGED_LINES, LIBRARY_LOADS, time_median
from bench.library_targets import LIBRARY_TARGETS
from bench.ours import OURS
from bench.scale import QUICK
from bench.targets import judge_target


class LibraryLoadsTests(SynchronousTestCase):
    def test_all_loads_are_measured(self) -> None:
        """Each target has a result, unless ripgrep is missing."""
        folder = Path(self.enterContext(TemporaryDirectory()))
        scale = replace(QUICK, rounds=1, files=10)
        run = BenchmarkRun(folder, scale, LIBRARY_LOADS, [OURS])
        run.run()
        self.assertEqual([load.name for load in run.loads], [*LIBRARY_LOADS])
        for load in run.loads:
            for name, outcome in run.results[load.name].items():
                self.assertEqual(outcome.failures, [], name)
        absent = {name: "missing" for load in run.loads for name in load.absent}
        for target in LIBRARY_TARGETS:
            if target.load in LIBRARY_LOADS and target.peer not in absent:
                judged = judge_target(target, run.results, absent)
                self.assertIn(judged.verdict, ("reached", "missed"), target)
        [change] = [load for load in run.loads if load.name == "many-change"]
        # The servers have been stopped.
        self.assertRaises(RunFailed, change.entries[CHANGED_LINES], 1)


class MedianTests(SynchronousTestCase):
    def test_one_slow_request_does_not_count(self) -> None:
        """The duration is in milliseconds."""
        times = iter((0, 1, 10, 90, 100, 103))
        self.patch(
            library_loads, "time", SimpleNamespace(monotonic=lambda: next(times))
        )
        self.assertEqual(time_median([lambda: None] * 3), {"ms": 3000})
