"""
How much memory a server takes, with all that it started.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from types import TracebackType

_PAGE_SIZE = os.sysconf("SC_PAGE_SIZE")
_INTERVAL = 0.01


def descendants(pid: int) -> list[int]:
    """A process and all that it started, as far as they live."""
    found = [pid]
    with suppress(FileNotFoundError, ProcessLookupError):
        # A child belongs to the thread that started it.
        for task in Path(f"/proc/{pid}/task").iterdir():
            for each in (task / "children").read_text().split():
                found += descendants(int(each))
    return found


def resident_megabytes(pids: Iterable[int]) -> float:
    """The resident memory of processes and of all that they started."""
    pages = 0
    for pid in pids:
        for each in descendants(pid):
            with suppress(FileNotFoundError, ProcessLookupError):
                pages += int(Path(f"/proc/{each}/statm").read_text().split()[1])
    return pages * _PAGE_SIZE / 1e6


class PeakMemory:
    """
    Watches the resident memory of processes while a C{with} statement runs.

    @ivar peak: the most that was seen, in megabytes.
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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop_event.set()
        self._thread.join()
