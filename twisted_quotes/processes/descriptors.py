"""
Open files: how many connections they allow, and what they cost each process
that is started.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from resource import RLIM_INFINITY, RLIMIT_NOFILE, getrlimit, setrlimit
from typing import Any, NamedTuple

from twisted.internet import process
from twisted.logger import Logger

_log = Logger()

# Logs, listeners, the reactor's own, and what a lookup or a thread opens.
_ALWAYS = 64
# A search opens its dictionary, the columns of its index, and pipes to grep.
_PER_SEARCH = 12
# An answer that is sent while it is found keeps its dictionary and index open.
_PER_STREAM = 6
# A process has pipes for what it prints.
_PER_WAIT = 2

MAX_WAITS = 1000
"""How many C{/wait} may block at one time (contract, section 1)."""

_MAX_REFUSED = 1024


class Allowance(NamedTuple):
    """
    What the open files of this process are enough for, all at the same time.

    @ivar connections: how many connections may be open.
    @ivar waits: how many C{/wait} may block.
    @ivar streams: how many answers may be sent while they are found.
    @ivar refused: how many connections that were refused may wait for their
        clients to close.
    """

    connections: int
    waits: int
    streams: int
    refused: int

    @property
    def files(self) -> int:
        """How many files that takes."""
        waits, streams = self.waits * _PER_WAIT, self.streams * _PER_STREAM
        return self.connections + self.refused + waits + streams


def allot(connections: int, files: int | None) -> Allowance:
    """
    Decide what a number of open files is enough for.

    @param connections: how many connections there should be, 1 or more.
    @param files: how many files may be open for all of this; L{None} for any
        number.
    """
    wanted = Allowance(connections, MAX_WAITS, connections, _MAX_REFUSED)
    if files is None or files >= wanted.files:
        return wanted
    connections = min(connections, files // 2)
    # Twisted accepts about a hundred connections in one turn of the reactor.
    refused = min(_MAX_REFUSED, max(files // 8, min(128, files // 4)))
    left = files - connections - refused
    waits = min(MAX_WAITS, left // 4 // _PER_WAIT)
    streams = (left - waits * _PER_WAIT) // _PER_STREAM
    return Allowance(connections, waits, min(connections, streams), refused)


def allow_files(connections: int, running: int) -> Allowance:
    """
    Raise the soft limit of open files as far as needed, and say what it is enough for.

    @param connections: how many connections there should be, 1 or more.
    @param running: how many searches may run at one time.
    """
    reserve = _ALWAYS + _PER_SEARCH * running
    soft, hard = getrlimit(RLIMIT_NOFILE)
    if soft == RLIM_INFINITY:
        return allot(connections, None)
    needed = reserve + allot(connections, None).files
    if soft < needed:
        soft = needed if hard == RLIM_INFINITY else min(needed, hard)
        setrlimit(RLIMIT_NOFILE, (soft, hard))
    return allot(connections, max(0, soft - reserve))


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
