"""
Run wrk and parse its report.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import RunFailed, last_line
from .rounds import Numbers

_SCRIPT = Path(__file__).with_name("load.lua")
_REPORT = "report: "
_ERRORS = ("connect", "read", "write", "status", "timeout")
_RESPONSE_TIMEOUT = 20
_EXIT_TIMEOUT = 60
_MIN_PACE_RATIO = 0.9
"""The part of the requests that a paced run must get responses to."""


@dataclass(frozen=True)
class WrkReport:
    """
    The report of one run.

    @ivar bodies_used: the number of bodies taken from the file.
    @ivar requests: the number of responses.
    @ivar seconds: the duration.
    @ivar size: the number of bytes received.
    @ivar errors: the number of errors by kind; kinds without errors are left out.
    @ivar latencies: the C{mean}, the median (C{p50}) and the 99th percentile
        (C{p99}), in milliseconds.
    """

    bodies_used: int
    requests: int
    seconds: float
    size: int
    errors: Mapping[str, int]
    latencies: Mapping[str, float]

    def checked_numbers(
        self, min_response_size: int, distinct_bodies: int | None = None
    ) -> Numbers:
        """
        Return the rate, in requests per second, and the latencies.

        @param min_response_size: the minimum average size of a response in bytes.
        @param distinct_bodies: the number of bodies, if none may be sent twice.
        @raise RunFailed: there were errors, no responses or short responses, or a
            body was sent twice.
        """
        if self.errors:
            messages = (f"{count} {kind}" for kind, count in self.errors.items())
            raise RunFailed(f"errors: {', '.join(messages)}")
        if distinct_bodies is not None and self.bodies_used > distinct_bodies:
            raise RunFailed(
                f"{self.bodies_used} requests with {distinct_bodies} distinct bodies"
            )
        if not self.requests:
            raise RunFailed("no responses")
        if self.size < min_response_size * self.requests:
            raise RunFailed(f"responses of only {self.size // self.requests} bytes")
        return {"rate": self.requests / self.seconds, **self.latencies}


def parse_report(output: str) -> WrkReport:
    """
    Parse the report in the output of wrk.

    @raise RunFailed: there is no report.
    """
    for line in output.splitlines():
        if line.startswith(_REPORT):
            values = json.loads(line.removeprefix(_REPORT))
            return WrkReport(
                values["bodies_used"],
                values["requests"],
                values["microseconds"] / 1e6,
                values["bytes"],
                {kind: values[kind] for kind in _ERRORS if values[kind]},
                {key: values[key] / 1000 for key in ("p50", "p99", "mean")},
            )
    raise RunFailed(f"wrk: {last_line(output)}")


def run_wrk(
    url: str, bodies: Path, clients: int, seconds: int, rate: int = 0
) -> WrkReport:
    """
    Run wrk.

    @param url: the URL of all requests; a path replaces its path.
    @param bodies: the file of the bodies or paths, one per line; after the last comes
        the first.
    @param clients: the number of connections.
    @param rate: the number of requests per second; 0 for no limit.
    @raise RunFailed: there is no report, or the rate was too low.
    """
    command = [
        *("wrk", "--threads=1", f"--connections={clients}", f"--duration={seconds}s"),
        *(f"--timeout={_RESPONSE_TIMEOUT}s", f"--script={_SCRIPT}"),
        *(url, "--", str(bodies), str(rate)),
    ]
    try:
        completed = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds + _EXIT_TIMEOUT,
        )
    except subprocess.TimeoutExpired:
        raise RunFailed("wrk did not exit") from None
    report = parse_report(completed.stdout)
    if report.requests < _MIN_PACE_RATIO * rate * seconds:
        raise RunFailed(f"only {report.requests} responses to paced requests")
    return report


def write_bodies(path: Path, bodies: Iterable[str]) -> None:
    """Write a file of bodies, or of paths."""
    path.write_text("".join(f"{body}\n" for body in bodies), "utf-8")
