"""
What a grep may use at the most, whatever becomes of the service.
"""

from __future__ import annotations

from contextlib import suppress
from math import ceil
from resource import RLIMIT_AS, RLIMIT_CPU, prlimit

MOST_MEMORY = 512 * 1024 * 1024
"""How much memory a grep may have, in bytes."""


def restrain(pid: int, seconds: float) -> None:
    """
    Limit the memory and the processor time of a process.

    It ends by itself when the service that waits for it is gone, and a pattern
    cannot use up the machine's memory.

    @param pid: its id; one that has ended by now is left alone.
    @param seconds: the time after which it would be ended anyway.
    """
    time = ceil(seconds) + 1
    with suppress(ProcessLookupError):
        prlimit(pid, RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
        prlimit(pid, RLIMIT_CPU, (time, time))
