"""
Open files: how many connections they allow, and what they cost each process
that is started.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from resource import RLIM_INFINITY, RLIMIT_NOFILE, getrlimit, setrlimit
from typing import Any

from twisted.internet import process
from twisted.logger import Logger

_log = Logger()

# Logs, listeners, the reactor's own, and what a lookup or a thread opens.
_ALWAYS = 64
# A search opens its dictionary, the columns of its index, and pipes to grep.
_PER_SEARCH = 12


def allow_connections(wanted: int, running: int) -> int:
    """
    Have as many connections allowed as the machine lets this process have.

    The soft limit of open files is raised as far as that needs, and the hard
    limit lets it.

    @param wanted: how many connections there should be, 1 or more.
    @param running: how many searches may run at one time.
    @return: how many there may be; 0 where not even one has room.
    """
    reserve = _ALWAYS + _PER_SEARCH * running
    soft, hard = getrlimit(RLIMIT_NOFILE)
    if soft == RLIM_INFINITY:
        return wanted
    needed = wanted + reserve
    if soft < needed:
        soft = needed if hard == RLIM_INFINITY else min(needed, hard)
        setrlimit(RLIMIT_NOFILE, (soft, hard))
    return max(0, min(wanted, soft - reserve))


def inheritable() -> list[int]:
    """The open files that children would inherit, and the standard ones in any case."""
    found = {0, 1, 2}
    for name in os.listdir("/proc/self/fd"):
        try:
            if os.get_inheritable(int(name)):
                found.add(int(name))
        except OSError:
            # The listing itself was open, and is no more.
            continue
    return sorted(found)


def close_in_children(descriptors: Iterable[int], given: int) -> None:
    """
    Have C{spawnProcess} look at these files only when it starts a process.

    Otherwise it looks at each that is open, so that with thousands of
    connections half of the time goes there. All that Python opens is closed in
    children by the kernel anyway (PEP 446); only what was there when the
    service started need be closed.

    @param descriptors: those files.
    @param given: what children are given has numbers below this, 3 or more. What
        has such a number here must be looked at, for it may be given as it is.
    """
    known = sorted({*descriptors, *range(given)})
    detector: Any = getattr(process, "detector", None)
    if hasattr(detector, "_listOpenFDs"):
        # It replaces this itself, with what suits the platform.
        detector._listOpenFDs = lambda: known
    else:
        _log.warn("Each connection makes it slower to start a process.")
