"""
What can go wrong in a benchmark.
"""

from __future__ import annotations


class BenchmarkError(Exception):
    """The benchmark cannot go on; the message says why, in one line."""


class RunFailed(Exception):
    """One run is not counted; the message says why, in a few words."""
