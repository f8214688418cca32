"""
Tests for L{bench.wrk}.
"""

from __future__ import annotations

import json
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bench.errors import RunFailed
from bench.wrk import WrkReport, WrkRun, parse_report

GOOD_REPORT = {
    "asked": 1005,
    "requests": 1000,
    "microseconds": 2_000_000,
    "bytes": 250_000,
    "connect": 0,
    "read": 0,
    "write": 0,
    "status": 0,
    "timeout": 0,
    "mean": 1500.0,
    "p50": 1000.0,
    "p99": 4000.0,
}


def wrk_output(**changes: float) -> str:
    """What wrk prints, its own words and the script's."""
    return (
        "Running 2s test\n  1000 requests\nreport: "
        f"{json.dumps(GOOD_REPORT | changes)}\n"
    )


def changed_report(**changes: float) -> WrkReport:
    """A report that was read."""
    return parse_report(wrk_output(**changes))


class ReportTests(SynchronousTestCase):
    """Tests of what wrk reports."""

    def test_a_good_run_has_a_rate_and_latencies(self) -> None:
        """The rate is a second's, the latencies are in milliseconds."""
        self.assertEqual(
            changed_report().checked_numbers(200),
            {"rate": 500.0, "p50": 1.0, "p99": 4.0, "mean": 1.5},
        )

    def test_a_run_with_errors_is_not_counted(self) -> None:
        """One bad status or one broken connection among thousands is enough."""
        for kind in ("connect", "read", "write", "status", "timeout"):
            error = self.assertRaises(
                RunFailed, changed_report(**{kind: 1}).checked_numbers, 200
            )
            self.assertEqual(str(error), f"errors: 1 {kind}")

    def test_a_run_without_answers_is_not_counted(self) -> None:
        """There is nothing to divide by."""
        error = self.assertRaises(
            RunFailed, changed_report(requests=0).checked_numbers, 200
        )
        self.assertEqual(str(error), "no answers")

    def test_short_answers_are_not_counted(self) -> None:
        """To find nothing is quick."""
        error = self.assertRaises(RunFailed, changed_report().checked_numbers, 251)
        self.assertEqual(str(error), "answers of only 250 bytes")

    def test_distinct_terms_must_not_run_out(self) -> None:
        """From the end of its file wrk begins anew, and terms would come twice."""
        self.assertRaises(RunFailed, changed_report().checked_numbers, 200, 1004)
        self.assertEqual(changed_report().checked_numbers(200, 1005)["rate"], 500.0)

    def test_without_a_report_its_last_words_are_told(self) -> None:
        """wrk itself failed."""
        error = self.assertRaises(RunFailed, parse_report, "usage\nno such file\n")
        self.assertEqual(str(error), "wrk said no such file")


class PacedRunTests(SynchronousTestCase):
    """Tests of paced runs."""

    def test_one_that_falls_behind_is_not_counted(self) -> None:
        """Of 1,200 that were to be answered, 1,000 are too few."""
        slow = WrkRun("http://127.0.0.1:1/", Path("bodies"), 1, 2, rate=600)
        error = self.assertRaises(RunFailed, slow.parse_output, wrk_output())
        self.assertEqual(str(error), "only 1000 paced requests were answered")

    def test_one_that_keeps_up_is(self) -> None:
        """A few are always on their way at the end."""
        steady = WrkRun("http://127.0.0.1:1/", Path("bodies"), 1, 2, rate=520)
        self.assertEqual(steady.parse_output(wrk_output()).requests, 1000)
