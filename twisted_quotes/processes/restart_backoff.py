"""
How soon the place of a worker that has died is filled.
"""

from __future__ import annotations

from dataclasses import dataclass

SOON = 10.0
"""A worker that dies within this time after it began to serve died soon, in seconds."""

_AT_ONCE = 2
_FIRST, _MOST = 0.25, 30.0


@dataclass
class Restarts:
    """
    Tells how long to wait before a worker is started in the place of another.

    One that had served for a while is followed at once, and so are the first two
    that die soon after they began to serve, or before. Where one after another
    does, it is waited for twice as long each time.
    """

    _in_a_row: int = 0

    def delay(self, served: float) -> float:
        """
        How long to wait, in seconds.

        @param served: for how long the worker had served that has died.
        """
        if served >= SOON:
            self._in_a_row = 0
            return 0.0
        self._in_a_row += 1
        doublings = self._in_a_row - _AT_ONCE - 1
        if doublings < 0:
            return 0.0
        return float(min(_MOST, _FIRST * 2 ** min(doublings, 10)))
