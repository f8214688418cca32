"""
Tests for L{bench.floor}.
"""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.trial.unittest import SynchronousTestCase

from bench.errors import RunFailed
from bench.floor import (
    measure_floor,
    run_grep,
    run_loop,
    summarize_durations,
)


class FloorTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.dictionary = Path(self.enterContext(TemporaryDirectory()), "dictionary")
        self.dictionary.write_text("some love\nno luck\nmore love\n")

    def test_grep_reads_the_dictionary_and_leaves_no_file_open(self) -> None:
        """The whole output is returned."""
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            output = run_grep(["-e", "love"], str(self.dictionary))
            self.assertEqual(output, b"some love\nmore love\n")
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    def test_a_loop_ends_in_time(self) -> None:
        """It returns the duration of each grep."""
        durations = run_loop(["love"], str(self.dictionary), 0.2)
        self.assertTrue(durations)
        self.assertLess(sum(durations[:-1]), 0.2)

    def test_loops_run_in_parallel_processes(self) -> None:
        """The metrics are the same as those of a server."""
        numbers = measure_floor(["love", "luck"], self.dictionary, 2, 1, 1)
        self.assertEqual(set(numbers), {"rate", "p50", "p99", "mean"})
        self.assertGreater(numbers["rate"], 0)

    def test_missing_cores_and_files_fail_the_run(self) -> None:
        """The message has the reason."""
        cores = len(os.sched_getaffinity(0)) + 1
        for dictionary, count, message in (
            (self.dictionary, cores, f"only {cores - 1} cores are available"),
            (Path("/no/such"), 1, "No such file"),
        ):
            error = self.assertRaises(
                RunFailed, measure_floor, ["love"], dictionary, 1, count, 1
            )
            self.assertIn(message, str(error))


class SummaryTests(SynchronousTestCase):
    def test_latencies_are_in_milliseconds(self) -> None:
        """The report of wrk has the same unit."""
        numbers = summarize_durations([0.001] * 50 + [0.003] * 50, 2.0)
        self.assertEqual(numbers["rate"], 50.0)
        self.assertAlmostEqual(numbers["mean"], 2.0)
        self.assertAlmostEqual(numbers["p99"], 3.0)

    def test_one_duration_is_not_enough(self) -> None:
        """It has no percentiles."""
        self.assertRaises(RunFailed, summarize_durations, [0.1], 1.0)
