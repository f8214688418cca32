"""
Limits on the resources that a process may use.
"""

from __future__ import annotations

import os
from contextlib import suppress
from math import ceil
from resource import RLIM_INFINITY, RLIMIT_AS, RLIMIT_CPU, prlimit

MAX_MEMORY = 512 * 1024 * 1024
"""The maximum size of the address space, in bytes."""

NICENESS_INCREMENT = 10
"""What is added to the niceness of slow processes (see nice(1))."""


def apply_limits(pid: int, max_seconds: float, slow: bool = False) -> None:
    """
    Limit the memory and the processor time of a process.

    So it ends even if the service no longer exists, and does not use up the memory of
    the machine.

    @param pid: the process; one that has ended already is ignored.
    @param max_seconds: the time after which the service kills it.
    @param slow: whether to give it a lower priority.
    """
    with suppress(ProcessLookupError):
        for resource, limit in (
            (RLIMIT_AS, MAX_MEMORY),
            (RLIMIT_CPU, ceil(max_seconds) + 1),
        ):
            _, hard = prlimit(pid, resource)
            if hard == RLIM_INFINITY or limit < hard:
                prlimit(pid, resource, (limit, limit))
        if slow:
            niceness = os.getpriority(os.PRIO_PROCESS, pid)
            os.setpriority(os.PRIO_PROCESS, pid, niceness + NICENESS_INCREMENT)
