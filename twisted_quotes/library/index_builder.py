"""
Writing indexes: by a thread or a process, each within a time limit.
"""

from __future__ import annotations

import sys
from pathlib import Path

from twisted.internet.defer import (
    CancelledError,
    Deferred,
    DeferredLock,
    DeferredSemaphore,
    TimeoutError,
)
from twisted.internet.interfaces import IReactorProcess, IReactorTime

from twisted_quotes.concurrency.threads import DeferToThread
from twisted_quotes.processes.process import ChildProcess, Command, Outcome, spawn

from .dictionary import Dictionary
from .index import write_index

MAX_SIZE_FOR_THREAD = 4 * 1024 * 1024
"""Up to how many bytes the index of a dictionary is written by a thread."""

THREAD_TIME_LIMIT = 1.0
"""How long a thread may take for an index before a process does it, in seconds."""

BASE_TIME_LIMIT, BYTES_PER_SECOND = 10.0, 1024 * 1024
"""
How long a process may take for an index: some seconds, and more for each byte. That
is about twenty times as long as it takes on an ordinary machine.
"""

MAX_PROCESSES = 2
"""How many processes write indexes at one time: a slow one holds up no other."""


class BuildFailed(Exception):
    """
    The process that writes an index failed. The message is for the log alone.

    @ivar seconds: how long it took.
    """

    def __init__(self, reason: str, seconds: float) -> None:
        super().__init__(reason)
        self.seconds = seconds


class ReactorForBuilder(IReactorProcess, IReactorTime):
    """What is needed of the reactor: to start processes and to tell time."""


class _ThreadTimedOut(Exception):
    """A thread has had its time."""


class IndexBuilder:
    """
    Writes indexes.

    The index of a small dictionary is written by a thread, one at a time. What
    takes that too long, and the index of a large one, is written by a process,
    which can be killed, so that searches go on as before.

    @param reactor: starts the processes, and tells time.
    @param in_thread: runs what may block.
    """

    def __init__(self, reactor: ReactorForBuilder, in_thread: DeferToThread) -> None:
        self._reactor = reactor
        self._in_thread = in_thread
        self._thread_lock = DeferredLock()
        self._process_semaphore = DeferredSemaphore(MAX_PROCESSES)
        self._children: set[ChildProcess] = set()
        self._stopping = False

    async def write(self, dictionary: Dictionary, folder: str) -> None:
        """
        Write the index of a dictionary.

        @param folder: an empty folder.
        @raise BuildFailed: it could not be written in time, or the process failed.
        @raise OSError: the dictionary cannot be read, or the folder written.
        @raise CancelledError: the service is stopping.
        """
        if dictionary.state.size <= MAX_SIZE_FOR_THREAD and await self._thread_lock.run(
            self._in_thread, self._write_in_thread, dictionary, folder
        ):
            return
        await self._process_semaphore.run(
            lambda: Deferred.fromCoroutine(self._write_in_process(dictionary, folder))
        )

    def stop(self) -> None:
        """Write no more: kill the processes, and have the thread give up soon."""
        self._stopping = True
        for child in list(self._children):
            child.result.cancel()

    def _write_in_thread(self, dictionary: Dictionary, folder: str) -> bool:
        """Write an index in this thread; return whether there was time for it."""
        deadline = self._reactor.seconds() + THREAD_TIME_LIMIT

        def check() -> None:
            if self._stopping:
                raise CancelledError()
            if self._reactor.seconds() >= deadline:
                raise _ThreadTimedOut()

        try:
            check()
            write_index(dictionary, folder, check)
        except _ThreadTimedOut:
            return False
        return True

    async def _write_in_process(self, dictionary: Dictionary, folder: str) -> None:
        """Have a process write an index."""
        if self._stopping:
            raise CancelledError()
        # Python would leave half of a .pyc file where the disk is full (-B).
        command = Command(
            sys.executable,
            ("-B", "-P", "-m", "twisted_quotes.library.build_index", folder),
            {"PYTHONPATH": str(Path(__file__).parents[2])},
        )
        started_at = self._reactor.seconds()
        child = spawn(self._reactor, command, dictionary.fileno())
        time_limit = BASE_TIME_LIMIT + dictionary.state.size / BYTES_PER_SECOND
        failure_reason = await self._wait_for_process(child, time_limit)
        if failure_reason:
            raise BuildFailed(failure_reason, self._reactor.seconds() - started_at)

    async def _wait_for_process(self, child: ChildProcess, time_limit: float) -> str:
        """Wait for a process, and tell what went wrong; nothing if all is well."""
        self._children.add(child)
        try:
            outcome: Outcome = await child.result.addTimeout(time_limit, self._reactor)
        except TimeoutError:
            return f"it took more than {time_limit:.0f} seconds, and was killed"
        finally:
            self._children.discard(child)
            await child.ended
        if outcome.exit_code == 0:
            return ""
        reason = outcome.stderr.decode("utf-8", "replace")
        return f"status {outcome.exit_code}, saying {reason!r}"
