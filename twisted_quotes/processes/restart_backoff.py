"""
How soon the place of a worker that has died is filled.
"""

from __future__ import annotations

from dataclasses import dataclass

MIN_UPTIME = 10.0
"""A worker that dies within this time after it began to serve died soon, in seconds."""

_IMMEDIATE_RESTARTS = 2
_INITIAL_DELAY, _MAX_DELAY = 0.25, 30.0


@dataclass
class RestartBackoff:
    """
    Tells how long to wait before a worker is started in the place of another.

    One that had served for a while is followed at once, and so are the first two
    that die soon after they began to serve, or before. Where one after another
    does, it is waited for twice as long each time.
    """

    _consecutive_failures: int = 0

    def next_delay(self, uptime: float) -> float:
        """
        How long to wait, in seconds.

        @param uptime: for how long the worker had served that has died.
        """
        if uptime >= MIN_UPTIME:
            self._consecutive_failures = 0
            return 0.0
        self._consecutive_failures += 1
        doublings = self._consecutive_failures - _IMMEDIATE_RESTARTS - 1
        if doublings < 0:
            return 0.0
        return float(min(_MAX_DELAY, _INITIAL_DELAY * 2 ** min(doublings, 10)))
