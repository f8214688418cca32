"""
Where and for how long an index is written: in a thread, or else in a process.
"""

from __future__ import annotations

import json
import sys

from twisted.internet.defer import (
    CancelledError,
    DeferredLock,
    DeferredSemaphore,
    TimeoutError,
)
from twisted.internet.task import deferLater

from twisted_quotes.concurrency.outstanding import Outstanding
from twisted_quotes.concurrency.threads import DeferToThread
from twisted_quotes.library.dictionary import Dictionary
from twisted_quotes.processes.process import (
    Command,
    ReactorForProcesses,
    python_environment,
    spawn,
)

from .format import write_index

MAX_SIZE_FOR_THREAD = 4 * 1024 * 1024
"""The size in bytes up to which a thread writes the index of a dictionary."""

THREAD_TIME_LIMIT = 1.0
"""The time in seconds after which a process replaces the thread."""

BASE_TIME_LIMIT, BYTES_PER_SECOND = 10.0, 1024 * 1024
"""
The time limit of a process is the first, in seconds, and the size of the dictionary
divided by the second. It is about twenty times what an ordinary machine needs.
"""

MAX_PROCESSES = 2
"""With one process, a slow build would delay those of all other dictionaries."""


class BuildFailed(Exception):
    """
    The process that writes an index failed. The message is for the log only.

    @ivar seconds: the duration of the process.
    """

    def __init__(self, reason: str, seconds: float) -> None:
        super().__init__(reason)
        self.seconds = seconds


class IndexBuilder:
    """
    Writes indexes.

    A thread writes the index of a small dictionary, one at a time. A process writes
    the index of a large dictionary, or one that takes the thread too long: unlike a
    thread it can be killed, and it does not compete for the interpreter lock.
    """

    def __init__(self, reactor: ReactorForProcesses, in_thread: DeferToThread) -> None:
        self._reactor = reactor
        self._in_thread = in_thread
        self._thread_lock = DeferredLock()
        self._process_semaphore = DeferredSemaphore(MAX_PROCESSES)
        self._processes = Outstanding()

    async def write(self, dictionary: Dictionary, folder: str) -> None:
        """
        Write the index of a dictionary.

        @param folder: an empty folder.
        @raise BuildFailed: the process failed, or exceeded its time limit.
        @raise OSError: the dictionary cannot be read, or the folder written.
        @raise CancelledError: the service is shutting down.
        """
        if dictionary.size <= MAX_SIZE_FOR_THREAD:
            async with self._thread_lock:
                if await self._in_thread(self._write_in_thread, dictionary, folder):
                    return
        async with self._process_semaphore:
            try:
                await self._write_in_process(dictionary, folder)
            except (CancelledError, OSError):
                # If hundreds of waiting builds failed at once, their calls would nest.
                await deferLater(self._reactor, 0)
                raise

    def stop(self) -> None:
        """Kill the processes, and stop the thread at its next quote."""
        self._processes.cancel()

    def _write_in_thread(self, dictionary: Dictionary, folder: str) -> bool:
        """Write an index; return whether there was enough time."""
        deadline = self._reactor.seconds() + THREAD_TIME_LIMIT

        def should_stop() -> bool:
            is_late = self._reactor.seconds() >= deadline
            return is_late or self._processes.is_cancelled

        # Before the first quote, write_index looks for separators in the whole file.
        return not should_stop() and write_index(dictionary, folder, should_stop)

    async def _write_in_process(self, dictionary: Dictionary, folder: str) -> None:
        if self._processes.is_cancelled:
            raise CancelledError()
        header = json.dumps(dictionary.state.strfile_header)
        # -B: on a full disk, Python would leave a truncated .pyc file.
        command = Command(
            sys.executable,
            (
                "-B",
                "-P",
                "-m",
                "twisted_quotes.library.indexes.process",
                header,
                folder,
            ),
            python_environment(),
        )
        started_at = self._reactor.seconds()
        time_limit = BASE_TIME_LIMIT + dictionary.size / BYTES_PER_SECOND
        child = spawn(self._reactor, command, dictionary.fileno())
        self._processes.add(child.result, cancellable=True)
        try:
            outcome = await child.result.addTimeout(time_limit, self._reactor)
        except TimeoutError:
            reason = f"it took more than {time_limit:.0f} seconds, and was killed"
        else:
            if outcome.exit_code == 0:
                return
            stderr = outcome.stderr.decode("utf-8", "replace")
            reason = f"status {outcome.exit_code}, stderr {stderr!r}"
        finally:
            await child.ended
        raise BuildFailed(reason, self._reactor.seconds() - started_at)
