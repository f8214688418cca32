"""
Tests for L{bench.wrk}.
"""

from __future__ import annotations

import json
import subprocess
from functools import partial
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory
from types import SimpleNamespace

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from bench.errors import RunFailed
from bench.queries import encode_query, quotes_path, search_query
from bench.wrk import WrkReport, parse_report, run_wrk, write_bodies

from ..integration.server import running_server

GOOD_REPORT = {
    "bodies_used": 1005,
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
    """Return the output of wrk with a changed report."""
    return (
        "Running 2s test\n  1000 requests\nreport: "
        f"{json.dumps(GOOD_REPORT | changes)}\n"
    )


def changed_report(**changes: float) -> WrkReport:
    return parse_report(wrk_output(**changes))


class ReportTests(SynchronousTestCase):
    def test_a_good_run_has_a_rate_and_latencies(self) -> None:
        """The rate is per second, the latencies are in milliseconds."""
        self.assertEqual(
            changed_report().checked_numbers(200),
            {"rate": 500.0, "p50": 1.0, "p99": 4.0, "mean": 1.5},
        )

    def test_a_run_with_errors_is_not_counted(self) -> None:
        """One error among thousands of requests is enough."""
        for kind in ("connect", "read", "write", "status", "timeout"):
            error = self.assertRaises(
                RunFailed, changed_report(**{kind: 1}).checked_numbers, 200
            )
            self.assertEqual(str(error), f"errors: 1 {kind}")

    def test_missing_and_short_responses_are_not_counted(self) -> None:
        """A search without matches is faster."""
        for report, size, message in (
            (changed_report(requests=0), 200, "no responses"),
            (changed_report(), 251, "responses of only 250 bytes"),
        ):
            error = self.assertRaises(RunFailed, report.checked_numbers, size)
            self.assertEqual(str(error), message)

    def test_distinct_terms_must_not_repeat(self) -> None:
        """After the last body of its file, wrk sends the first again."""
        self.assertRaises(RunFailed, changed_report().checked_numbers, 200, 1004)
        self.assertEqual(changed_report().checked_numbers(200, 1005)["rate"], 500.0)

    def test_without_a_report_the_last_line_is_the_error(self) -> None:
        """wrk itself failed, for example because a file is missing."""
        error = self.assertRaises(RunFailed, parse_report, "usage\nno such file\n")
        self.assertEqual(str(error), "wrk: no such file")


class PacedRunTests(SynchronousTestCase):
    def test_a_run_must_keep_its_pace(self) -> None:
        """1,000 responses are too few for 1,200 requests, but enough for 1,040."""
        completed = SimpleNamespace(stdout=wrk_output())
        self.patch(subprocess, "run", lambda *_, **__: completed)
        run_at_rate = partial(run_wrk, "http://127.0.0.1:1/", Path("bodies"), 1, 2)
        error = self.assertRaises(RunFailed, run_at_rate, 600)
        self.assertEqual(str(error), "only 1000 responses to paced requests")
        self.assertEqual(run_at_rate(520).requests, 1000)


class RequestTests(SynchronousTestCase):
    def test_a_line_is_a_body_or_a_path(self) -> None:
        """Both are sent to the same server, and get the status 200."""
        if which("wrk") is None:
            raise SkipTest("not installed: wrk")
        file = Path(self.enterContext(TemporaryDirectory()), "requests")
        query = search_query("heart", "authors")
        write_bodies(file, [encode_query(query), quotes_path("heart")])
        with running_server() as server:
            url = f"http://127.0.0.1:{server.address[1]}/api/v1/json"
            report = run_wrk(url, file, 1, 1)
            metrics = server.get("/metrics").body.decode()
        self.assertEqual(report.errors, {})
        self.assertGreater(report.requests, 2)
        for route in ("/api/v1/json", "/api/v2/quotes"):
            self.assertRegex(metrics, rf'route="{route}"[^}}]*}} [1-9]')
