"""
Putting a server under load with wrk, and what wrk reports.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .children import last_line, read_output, running_child
from .errors import RunFailed
from .rounds import Numbers

_SCRIPT = Path(__file__).with_name("load.lua")
_REPORT = "report: "
_ERRORS = ("connect", "read", "write", "status", "timeout")
_TIMEOUT = 20
MIN_PACE_RATIO = 0.9
"""A paced load that sent less of what it should have is no measurement."""


@dataclass(frozen=True)
class WrkReport:
    """
    What wrk saw in one run.

    @ivar bodies_used: how many requests it took from its file.
    @ivar requests: how many were answered.
    @ivar seconds: how long it ran.
    @ivar size: of all that it received, in bytes.
    @ivar errors: how many of each kind there were, those that occurred.
    @ivar latencies: the mean, the median (C{p50}) and the 99th percentile
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
        The rate, in requests a second, and the latencies.

        @param min_response_size: how many bytes a good answer has, at the least.
        @param distinct_bodies: how many there were, where none may be sent twice.
        @raise RunFailed: there were errors, no answers, answers too short, or too
            few bodies.
        """
        if self.errors:
            messages = ", ".join(
                f"{count} {kind}" for kind, count in self.errors.items()
            )
            raise RunFailed(f"errors: {messages}")
        if distinct_bodies is not None and self.bodies_used > distinct_bodies:
            raise RunFailed(
                f"{self.bodies_used} requests, but only {distinct_bodies} that differ"
            )
        if not self.requests:
            raise RunFailed("no answers")
        if self.size < min_response_size * self.requests:
            raise RunFailed(f"answers of only {self.size // self.requests} bytes")
        return {"rate": self.requests / self.seconds, **self.latencies}


def parse_report(output: str) -> WrkReport:
    """
    Find the report in what wrk printed.

    @raise RunFailed: there is none.
    """
    for line in output.splitlines():
        if line.startswith(_REPORT):
            values = json.loads(line.removeprefix(_REPORT))
            return WrkReport(
                values["asked"],
                values["requests"],
                values["microseconds"] / 1e6,
                values["bytes"],
                {kind: values[kind] for kind in _ERRORS if values[kind]},
                {key: values[key] / 1000 for key in ("p50", "p99", "mean")},
            )
    raise RunFailed(f"wrk said {last_line(output)}")


@dataclass(frozen=True)
class WrkRun:
    """
    The requests of one run.

    @ivar url: where they go.
    @ivar bodies: the file of their bodies, one a line; from its end it begins anew.
    @ivar clients: how many connections there are.
    @ivar seconds: how long it runs.
    @ivar rate: how many are sent a second; 0 for as many as are answered.
    """

    url: str
    bodies: Path
    clients: int
    seconds: int
    rate: int = 0

    def command(self) -> Sequence[str]:
        """Its command line."""
        return [
            *("wrk", "--threads=1", f"--connections={self.clients}"),
            *(f"--duration={self.seconds}s", f"--timeout={_TIMEOUT}s"),
            *(f"--script={_SCRIPT}", self.url, "--"),
            *(str(self.bodies), str(self.rate)),
        ]

    def parse_output(self, output: str) -> WrkReport:
        """
        Read what it printed.

        @raise RunFailed: there is no report, or it did not keep to its pace.
        """
        report = parse_report(output)
        if report.requests < MIN_PACE_RATIO * self.rate * self.seconds:
            raise RunFailed(f"only {report.requests} paced requests were answered")
        return report

    def run(self) -> WrkReport:
        """Run it to its end."""
        with running_child(self.command()) as process:
            return self.parse_output(read_output(process, self.seconds))


def write_bodies(path: Path, bodies: Iterable[str]) -> None:
    """Write a file of bodies."""
    path.write_text("".join(f"{body}\n" for body in bodies), "utf-8")
