"""
The memory of servers and of all their child processes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

_PAGE_SIZE = os.sysconf("SC_PAGE_SIZE")
_INTERVAL = 0.01


def descendants(pid: int) -> list[int]:
    """Return the ids of a process and of all its descendants."""
    pids = [pid]
    with suppress(FileNotFoundError, ProcessLookupError):
        # A child is listed under the thread that started it.
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                pids += descendants(int(child))
    return pids


def resident_megabytes(pids: Iterable[int]) -> float:
    """Return the resident memory of processes and of all their descendants."""
    pages = 0
    for pid in pids:
        for each in descendants(pid):
            with suppress(FileNotFoundError, ProcessLookupError):
                pages += int(Path(f"/proc/{each}/statm").read_text().split()[1])
    return pages * _PAGE_SIZE / 1e6


class PeakMemory:
    """
    Measures the resident memory of processes while a C{with} statement runs.

    @ivar peak: the maximum so far, in megabytes.
    """

    def __init__(self, pids: Iterable[int]) -> None:
        self._pids = list(pids)
        self._stop_event = Event()
        self._thread = Thread(target=self._watch, daemon=True)
        self.peak = resident_megabytes(self._pids)

    def _watch(self) -> None:
        while not self._stop_event.wait(_INTERVAL):
            self.peak = max(self.peak, resident_megabytes(self._pids))

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop_event.set()
        self._thread.join()
