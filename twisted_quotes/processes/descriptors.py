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
_RESERVED_FILES = 64
# A search opens its dictionary, the columns of its index, and pipes to grep.
_FILES_PER_SEARCH = 12
# An answer that is sent while it is found keeps its dictionary and index open.
_FILES_PER_STREAM = 6
# A process has pipes for what it prints.
_FILES_PER_WAIT = 2

MAX_WAITS = 1000
"""How many C{/wait} may block at one time (contract, section 1)."""

_MAX_REFUSED = 1024


class DescriptorBudget(NamedTuple):
    """
    What the open files of this process are enough for, all at the same time.

    @ivar max_connections: how many connections may be open.
    @ivar max_waits: how many C{/wait} may block.
    @ivar max_streams: how many answers may be sent while they are found.
    @ivar max_refused: how many connections that were refused may wait for their
        clients to close.
    """

    max_connections: int
    max_waits: int
    max_streams: int
    max_refused: int

    @property
    def required_files(self) -> int:
        """How many files that takes."""
        waits, streams = (
            self.max_waits * _FILES_PER_WAIT,
            self.max_streams * _FILES_PER_STREAM,
        )
        return self.max_connections + self.max_refused + waits + streams


def compute_descriptor_budget(
    max_connections: int, max_files: int | None
) -> DescriptorBudget:
    """
    Decide what a number of open files is enough for.

    @param max_connections: how many connections there should be, 1 or more.
    @param max_files: how many files may be open for all of this; L{None} for any
        number.
    """
    full_budget = DescriptorBudget(
        max_connections, MAX_WAITS, max_connections, _MAX_REFUSED
    )
    if max_files is None or max_files >= full_budget.required_files:
        return full_budget
    max_connections = min(max_connections, max_files // 2)
    # Twisted accepts about a hundred connections in one turn of the reactor.
    max_refused = min(_MAX_REFUSED, max(max_files // 8, min(128, max_files // 4)))
    remaining = max_files - max_connections - max_refused
    max_waits = min(MAX_WAITS, remaining // 4 // _FILES_PER_WAIT)
    max_streams = (remaining - max_waits * _FILES_PER_WAIT) // _FILES_PER_STREAM
    return DescriptorBudget(
        max_connections, max_waits, min(max_connections, max_streams), max_refused
    )


def raise_open_files_limit(max_connections: int, max_running: int) -> DescriptorBudget:
    """
    Raise the soft limit of open files as far as needed, and say what it is enough for.

    @param max_connections: how many connections there should be, 1 or more.
    @param max_running: how many searches may run at one time.
    """
    reserve = _RESERVED_FILES + _FILES_PER_SEARCH * max_running
    soft, hard = getrlimit(RLIMIT_NOFILE)
    if soft == RLIM_INFINITY:
        return compute_descriptor_budget(max_connections, None)
    needed = reserve + compute_descriptor_budget(max_connections, None).required_files
    if soft < needed:
        soft = needed if hard == RLIM_INFINITY else min(needed, hard)
        setrlimit(RLIMIT_NOFILE, (soft, hard))
    return compute_descriptor_budget(max_connections, max(0, soft - reserve))


def list_inheritable_descriptors() -> list[int]:
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


def restrict_descriptor_scan(
    descriptors: Iterable[int], child_descriptor_limit: int
) -> None:
    """
    Have C{spawnProcess} look at these files only when it starts a process.

    Otherwise it looks at each that is open, so that with thousands of
    connections half of the time goes there. All that Python opens is closed in
    children by the kernel anyway (PEP 446); only what was there when the
    service started need be closed.

    @param descriptors: those files.
    @param child_descriptor_limit: what children are given has numbers below this, 3 or
        more. What
        has such a number here must be looked at, for it may be given as it is.
    """
    scanned = sorted({*descriptors, *range(child_descriptor_limit)})
    detector: Any = getattr(process, "detector", None)
    if hasattr(detector, "_listOpenFDs"):
        # It replaces this itself, with what suits the platform.
        detector._listOpenFDs = lambda: scanned
    else:
        _log.warn("Each connection makes it slower to start a process.")
