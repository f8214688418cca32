"""
The delay before a worker that has ended is replaced.
"""

from __future__ import annotations

from twisted.application.internet import backoffPolicy

MIN_UPTIME = 10.0
"""A worker that serves for less than this time counts as failed, in seconds."""

_IMMEDIATE_RESTARTS = 2

_delay_after = backoffPolicy(0.25, 30.0, factor=2.0, jitter=lambda: 0.0)


class RestartBackoff:
    """Computes delays that grow exponentially, from the third failure in a row."""

    _consecutive_failures = 0

    def next_delay(self, uptime: float) -> float:
        """
        Return the delay, in seconds.

        @param uptime: for how long the worker that ended had served.
        """
        if uptime >= MIN_UPTIME:
            self._consecutive_failures = 0
        else:
            self._consecutive_failures += 1
        delayed_restarts = self._consecutive_failures - _IMMEDIATE_RESTARTS
        return _delay_after(delayed_restarts - 1) if delayed_restarts > 0 else 0.0
