"""
The delay before a worker that has ended is replaced.
"""

from __future__ import annotations

from dataclasses import dataclass

MIN_UPTIME = 10.0
"""A worker that serves for less than this time counts as failed, in seconds."""

_IMMEDIATE_RESTARTS = 2
_INITIAL_DELAY, _MAX_DELAY = 0.25, 30.0


@dataclass
class RestartBackoff:
    """Computes delays that grow exponentially, from the third failure in a row."""

    _consecutive_failures: int = 0

    def next_delay(self, uptime: float) -> float:
        """
        Return the delay, in seconds.

        @param uptime: for how long the worker that ended had served.
        """
        if uptime >= MIN_UPTIME:
            self._consecutive_failures = 0
            return 0.0
        self._consecutive_failures += 1
        doublings = min(self._consecutive_failures - _IMMEDIATE_RESTARTS - 1, 10)
        return (
            0.0 if doublings < 0 else min(_MAX_DELAY, _INITIAL_DELAY * 2.0**doublings)
        )
