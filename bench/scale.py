"""
The scales of a run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """
    How much is measured.

    @ivar rounds: how often each run is repeated.
    @ivar seconds: the duration of a run.
    @ivar paced_seconds: the duration of a paced run, whose p99 needs more time.
    @ivar clients: the numbers of clients that search for distinct terms.
    @ivar idle: the numbers of idle connections.
    @ivar files: the number of files of a large library.
    """

    rounds: int
    seconds: int
    paced_seconds: int
    clients: Sequence[int]
    idle: Sequence[int]
    files: int


FULL = Scale(5, 2, 5, (1, 16, 64, 256), (0, 1000, 3000), 10_000)
QUICK = Scale(3, 1, 2, (1, 16, 64), (0, 3000), 1000)
SCALES = {"full": FULL, "quick": QUICK}
