"""
The errors of the benchmark.
"""

from __future__ import annotations


class BenchmarkError(Exception):
    """The benchmark cannot continue; the message gives the reason in one line."""


class RunFailed(Exception):
    """A run failed and is not counted; the message gives the reason in a few words."""


def last_line(output: str) -> str:
    """Return the last line of a program's output, which has its error message."""
    return (output.strip().splitlines() or ["nothing"])[-1]
