"""
The program of a process that kills the other child processes of a killed service.

Run it as C{python -m twisted_quotes.processes.reaper_process}.

It waits until its standard input is closed, which happens when the service is killed; a
service that shuts down in order kills this process first. Then it kills every process
that has the id of the service in its environment. It does not import Twisted, so that
it starts quickly and stays small.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress

# The prefix TWISTED_QUOTES_ is for options alone.
SERVICE_ID_VARIABLE = "_TWISTED_QUOTES_SERVICE"
"""The environment variable with the id of the service that started a process."""

_SCANS = 5
_SCAN_INTERVAL = 0.05


def kill_processes_of_service(service_id: str) -> None:
    """Kill all processes with this id in their environment, except this one."""
    marker = f"{SERVICE_ID_VARIABLE}={service_id}".encode()
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            # The process may have ended, or belong to another user.
            with suppress(OSError), open(f"/proc/{name}/environ", "rb") as environment:
                if marker in environment.read().split(b"\0"):
                    os.kill(int(name), signal.SIGKILL)


def main() -> None:
    """Wait for the end of the service, and kill its remaining processes."""
    sys.stdin.buffer.read()
    # A process that is being started may not have its environment yet.
    for _ in range(_SCANS):
        kill_processes_of_service(os.environ[SERVICE_ID_VARIABLE])
        time.sleep(_SCAN_INTERVAL)


if __name__ == "__main__":
    main()
