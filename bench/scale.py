"""
How much is measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """
    How much is measured.

    @ivar rounds: how often each run is repeated.
    @ivar seconds: how long a run takes.
    @ivar paced_seconds: how long a paced run takes; its p99 needs more of them.
    @ivar clients: how many clients ask for distinct terms.
    @ivar idle: how many idle connections there are.
    """

    rounds: int
    seconds: int
    paced_seconds: int
    clients: Sequence[int]
    idle: Sequence[int]


FULL = Scale(5, 2, 5, (1, 16, 64, 256), (0, 1000, 3000))
QUICK = Scale(3, 1, 2, (1, 16, 64), (0, 3000))
SCALES = {"full": FULL, "quick": QUICK}
