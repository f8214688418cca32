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
MARK = "_TWISTED_QUOTES_SERVICE"
"""The variable that marks what one service starts."""

_LOOKS = 5
_BETWEEN_LOOKS = 0.05


def marked(value: str) -> Iterator[int]:
    """
    Find the processes that have a mark, but for this one.

    @param value: the value of L{MARK} in their environment.
    @return: their ids.
    """
    wanted = f"{MARK}={value}".encode()
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            # It may be gone by now, or be somebody else's.
            with suppress(OSError), open(f"/proc/{name}/environ", "rb") as environment:
                if wanted in environment.read().split(b"\0"):
                    yield int(name)


def main() -> None:
    """Wait for the end of the service, and kill what is left of it."""
    sys.stdin.buffer.read()
    # One that is being started may not have its environment yet.
    for _ in range(_LOOKS):
        for pid in marked(os.environ[MARK]):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_BETWEEN_LOOKS)


if __name__ == "__main__":
    main()
