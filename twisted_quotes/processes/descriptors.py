"""
Open files: how many connections they allow, and how they slow down the start of a
child process.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from resource import RLIMIT_NOFILE, getrlimit, setrlimit
from typing import Any, NamedTuple

from twisted.internet import process, tcp
from twisted.logger import Logger

_log = Logger()

# Logs, listening sockets, the reactor, locks of packs, and what threads open.
_RESERVED_FILES = 64
# A search opens the files of a pack, copies of parts of them, and pipes to grep.
_FILES_PER_SEARCH = 12
# A streamed response keeps the files of a pack open.
_FILES_PER_STREAM = 8
# The process of a wait has pipes for its output.
_FILES_PER_WAIT = 2

MAX_WAITS = 1000
"""The maximum number of concurrent C{/wait} requests (contract, section 1)."""

_MAX_REFUSED = 1024


class DescriptorBudget(NamedTuple):
    """
    What this process has enough descriptors for at the same time.

    @ivar max_waits: the maximum number of C{/wait} requests.
    @ivar max_streams: the maximum number of streamed responses.
    @ivar max_refused: the maximum number of refused connections that wait for their
        clients to close.
    """

    max_connections: int
    max_waits: int
    max_streams: int
    max_refused: int

    @property
    def required_files(self) -> int:
        """The number of descriptors that all of this takes."""
        waits = self.max_waits * _FILES_PER_WAIT
        streams = self.max_streams * _FILES_PER_STREAM
        return self.max_connections + self.max_refused + waits + streams


def compute_descriptor_budget(max_connections: int, max_files: int) -> DescriptorBudget:
    """
    Compute the limits that a number of descriptors allows.

    @param max_connections: the desired number of connections, 1 or more.
    @param max_files: the number of descriptors, 0 or more.
    """
    desired = DescriptorBudget(
        max_connections, MAX_WAITS, max_connections, _MAX_REFUSED
    )
    if max_files >= desired.required_files:
        return desired
    max_connections = min(max_connections, max_files // 2)
    # Twisted accepts about a hundred connections in one reactor turn.
    max_refused = min(_MAX_REFUSED, max(max_files // 8, min(128, max_files // 4)))
    remaining = max_files - max_connections - max_refused
    max_waits = min(MAX_WAITS, remaining // 4 // _FILES_PER_WAIT)
    max_streams = (remaining - max_waits * _FILES_PER_WAIT) // _FILES_PER_STREAM
    return DescriptorBudget(
        max_connections, max_waits, min(max_connections, max_streams), max_refused
    )


def raise_open_files_limit(max_connections: int, max_running: int) -> DescriptorBudget:
    """
    Raise the soft limit of open files as far as needed, and return what it allows.

    @param max_connections: the desired number of connections, 1 or more.
    @param max_running: the maximum number of concurrent searches.
    """
    reserve = _RESERVED_FILES + _FILES_PER_SEARCH * max_running
    desired = compute_descriptor_budget(max_connections, sys.maxsize)
    needed = reserve + desired.required_files
    # Linux does not allow an infinite limit.
    soft, hard = getrlimit(RLIMIT_NOFILE)
    if soft < needed:
        soft = min(needed, hard)
        setrlimit(RLIMIT_NOFILE, (soft, hard))
    return compute_descriptor_budget(max_connections, max(0, soft - reserve))


def restrict_descriptor_scan(child_descriptor_limit: int) -> None:
    """
    Make C{spawnProcess} examine only the descriptors that are inheritable now.

    By default it examines every open descriptor for each process, which takes half of
    the time when thousands of connections are open. This is not necessary: descriptors
    that Python opens are not inherited (PEP 446).

    @param child_descriptor_limit: descriptors below this, 3 or more, are always
        examined, because they may be passed on under their own number.
    """
    scanned = sorted({*_inheritable_descriptors(), *range(child_descriptor_limit)})
    detector: Any = getattr(process, "detector", None)
    if hasattr(detector, "_listOpenFDs"):
        # The detector itself assigns a function for the platform to this attribute.
        detector._listOpenFDs = lambda: scanned
    else:
        _log.warn("Each open connection makes it slower to start a process.")


def reserve_accept_descriptor() -> None:
    """
    Reserve a descriptor for connections that come when no other one is free.

    Twisted closes it to accept such a connection, and opens it again when it has
    closed the connection. If a thread has opened a file meanwhile, this fails, and
    Twisted does not try again: new clients would wait until a descriptor is free.
    """
    if tcp._reservedFD.available():
        return
    # If none is free now, the next call tries again. Twisted would log a traceback.
    with suppress(OSError):
        os.close(os.open(os.devnull, os.O_RDONLY))
        tcp._reservedFD.reserve()


def _inheritable_descriptors() -> set[int]:
    descriptors = set()
    for name in os.listdir("/proc/self/fd"):
        # The descriptor of the listing itself is closed by now.
        with suppress(OSError):
            if os.get_inheritable(int(name)):
                descriptors.add(int(name))
    return descriptors
