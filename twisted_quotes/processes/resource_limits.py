"""
What a grep may use at the most, whatever becomes of the service.
"""

from __future__ import annotations

import os
from contextlib import suppress
from math import ceil
from resource import RLIM_INFINITY, RLIMIT_AS, RLIMIT_CPU, prlimit

MAX_MEMORY = 512 * 1024 * 1024
"""How much memory a grep may have, in bytes."""

NICENESS_INCREMENT = 10
"""How much nicer than the service is what may run for long (see nice(1))."""


def apply_limits(pid: int, max_seconds: float, slow: bool = False) -> None:
    """
    Limit the memory and the processor time of a process.

    It ends by itself when the service that waits for it is gone, and a pattern
    cannot use up the machine's memory.

    @param pid: its id; one that has ended by now is left alone.
    @param max_seconds: the time after which it would be ended anyway.
    @param slow: whether it may run for long: the others, and the service itself, have
        the processors first.
    """
    with suppress(ProcessLookupError):
        _set_limit(pid, RLIMIT_AS, MAX_MEMORY)
        _set_limit(pid, RLIMIT_CPU, ceil(max_seconds) + 1)
        if slow:
            niceness = os.getpriority(os.PRIO_PROCESS, pid)
            os.setpriority(os.PRIO_PROCESS, pid, niceness + NICENESS_INCREMENT)


def _set_limit(pid: int, resource_type: int, limit: int) -> None:
    """Limit something, to less than is wanted if it is less already."""
    _, hard = prlimit(pid, resource_type)
    limit = limit if hard == RLIM_INFINITY else min(limit, hard)
    prlimit(pid, resource_type, (limit, limit))
