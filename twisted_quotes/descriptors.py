"""
How many files the process may have open, and how many connections that allows.
"""

from __future__ import annotations

from resource import RLIM_INFINITY, RLIMIT_NOFILE, getrlimit, setrlimit

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
