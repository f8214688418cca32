"""
Putting a server under load with wrk, and what wrk reports.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .children import child, last_line, output_of
from .errors import RunFailed
from .rounds import Numbers

_SCRIPT = Path(__file__).with_name("load.lua")
_REPORT = "report: "
_ERRORS = ("connect", "read", "write", "status", "timeout")
_TIMEOUT = 20
LEAST_OF_A_PACE = 0.9
"""A paced load that sent less of what it should have is no measurement."""


@dataclass(frozen=True)
class Report:
    """
    What wrk saw in one run.

    @ivar asked: how many requests it took from its file.
    @ivar requests: how many were answered.
    @ivar seconds: how long it ran.
    @ivar size: of all that it received, in bytes.
    @ivar errors: how many of each kind there were, those that occurred.
    @ivar latencies: the mean, the median (C{p50}) and the 99th percentile
        (C{p99}), in milliseconds.
    """

    asked: int
    requests: int
    seconds: float
    size: int
    errors: Mapping[str, int]
    latencies: Mapping[str, float]

    def numbers(self, least: int, bodies: int | None = None) -> Numbers:
        """
        The rate, in requests a second, and the latencies.

        @param least: how many bytes a good answer has, at the least.
        @param bodies: how many there were, where none may be sent twice.
        @raise RunFailed: there were errors, no answers, answers too short, or too
            few bodies.
        """
        if self.errors:
            seen = ", ".join(f"{count} {kind}" for kind, count in self.errors.items())
            raise RunFailed(f"errors: {seen}")
        if bodies is not None and self.asked > bodies:
            raise RunFailed(f"{self.asked} requests, but only {bodies} that differ")
        if not self.requests:
            raise RunFailed("no answers")
        if self.size < least * self.requests:
            raise RunFailed(f"answers of only {self.size // self.requests} bytes")
        return {"rate": self.requests / self.seconds, **self.latencies}


def read_report(printed: str) -> Report:
    """
    Find the report in what wrk printed.

    @raise RunFailed: there is none.
    """
    for line in printed.splitlines():
        if line.startswith(_REPORT):
            seen = json.loads(line.removeprefix(_REPORT))
            return Report(
                seen["asked"],
                seen["requests"],
                seen["microseconds"] / 1e6,
                seen["bytes"],
                {kind: seen[kind] for kind in _ERRORS if seen[kind]},
                {key: seen[key] / 1000 for key in ("p50", "p99", "mean")},
            )
    raise RunFailed(f"wrk said {last_line(printed)}")


@dataclass(frozen=True)
class Wrk:
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

    def report(self, printed: str) -> Report:
        """
        Read what it printed.

        @raise RunFailed: there is no report, or it did not keep to its pace.
        """
        report = read_report(printed)
        if report.requests < LEAST_OF_A_PACE * self.rate * self.seconds:
            raise RunFailed(f"only {report.requests} paced requests were answered")
        return report

    def run(self) -> Report:
        """Run it to its end."""
        with child(self.command()) as process:
            return self.report(output_of(process, self.seconds))


def write_bodies(path: Path, bodies: Iterable[str]) -> None:
    """Write a file of bodies."""
    path.write_text("".join(f"{body}\n" for body in bodies), "utf-8")
