"""
Tests for L{bench.floor}.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.trial.unittest import SynchronousTestCase

from bench.errors import RunFailed
from bench.floor import (
    find_grep,
    measure_floor,
    run_grep,
    run_loop,
    summarize_durations,
)


class FloorTests(SynchronousTestCase):
    """Tests of grep alone."""

    def setUp(self) -> None:
        """Write a dictionary and terms."""
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.dictionary = Path(folder.name, "dictionary")
        self.dictionary.write_text("some love\nno luck\nmore love\n")
        self.terms = Path(folder.name, "terms")
        self.terms.write_text("love\nluck\n")

    def test_grep_is_run_as_the_service_runs_it(self) -> None:
        """It reads the dictionary on its standard input, and all is read."""
        found = run_grep(find_grep(), ["-e", "love"], str(self.dictionary))
        self.assertEqual(found, b"some love\nmore love\n")

    def test_no_file_is_left_open(self) -> None:
        """Thousands are run one after another."""
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            run_grep(find_grep(), ["-e", "love"], str(self.dictionary))
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    def test_a_loop_ends_in_time(self) -> None:
        """It says how long each grep took, one after another."""
        start = time.monotonic()
        durations = run_loop(["love"], str(self.dictionary), start, start + 0.2)
        self.assertGreater(len(durations), 1)
        self.assertLess(sum(durations[:-1]), 0.2)

    def test_loops_run_as_processes_at_one_time(self) -> None:
        """Their numbers are those of a server."""
        numbers = measure_floor(self.terms, self.dictionary, 2, 1, 1)
        self.assertEqual(set(numbers), {"rate", "p50", "p99", "mean"})
        self.assertGreater(numbers["rate"], 0)

    def test_more_cores_than_there_are_cannot_be_measured(self) -> None:
        """What would be printed were not what it is called."""
        cores = len(os.sched_getaffinity(0)) + 1
        self.assertRaises(
            RunFailed, measure_floor, self.terms, self.dictionary, 1, cores, 1
        )

    def test_a_loop_that_fails_says_why(self) -> None:
        """A missing dictionary is no quick grep."""
        error = self.assertRaises(
            RunFailed, measure_floor, self.terms, Path("/no/such"), 1, 1, 1
        )
        self.assertIn("No such file", str(error))


class SummaryTests(SynchronousTestCase):
    """Tests of L{summarize_durations}."""

    def test_numbers_are_in_milliseconds(self) -> None:
        """As those of wrk are."""
        numbers = summarize_durations([0.001] * 50 + [0.003] * 50, 2.0)
        self.assertEqual(numbers["rate"], 50.0)
        self.assertAlmostEqual(numbers["mean"], 2.0)
        self.assertAlmostEqual(numbers["p99"], 3.0)

    def test_next_to_nothing_is_nothing(self) -> None:
        """One grep has no percentiles."""
        self.assertRaises(RunFailed, summarize_durations, [0.1], 1.0)
