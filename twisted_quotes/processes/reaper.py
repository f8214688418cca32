"""
A process that outlives the service, to end what else would:
C{python -m twisted_quotes.processes.reaper}.

It waits for the other end of its standard input to close. That happens when the
service has been killed, for one that ends well kills this first. Then all that
it had started is killed as well: what the service starts has a mark in its
environment, which says whose it is.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress

# The prefix TWISTED_QUOTES_ is for options alone.
SERVICE_ID_VARIABLE = "_TWISTED_QUOTES_SERVICE"
"""The variable that marks what one service starts."""

_SCANS = 5
_SCAN_INTERVAL = 0.05


def find_marked_processes(service_id: str) -> Iterator[int]:
    """
    Find the processes that have a mark, but for this one.

    @param service_id: the value of L{SERVICE_ID_VARIABLE} in their environment.
    @return: their ids.
    """
    marker = f"{SERVICE_ID_VARIABLE}={service_id}".encode()
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            # It may be gone by now, or be somebody else's.
            with suppress(OSError), open(f"/proc/{name}/environ", "rb") as environment:
                if marker in environment.read().split(b"\0"):
                    yield int(name)


def main() -> None:
    """Wait for the end of the service, and kill what is left of it."""
    sys.stdin.buffer.read()
    # One that is being started may not have its environment yet.
    for _ in range(_SCANS):
        for pid in find_marked_processes(os.environ[SERVICE_ID_VARIABLE]):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_SCAN_INTERVAL)


if __name__ == "__main__":
    main()
