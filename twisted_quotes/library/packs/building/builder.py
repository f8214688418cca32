"""
Where and for how long a pack is written: in a thread, or else in a process.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from io import BytesIO

import msgspec
from twisted.internet.defer import (
    CancelledError,
    DeferredLock,
    DeferredSemaphore,
    TimeoutError,
)
from twisted.internet.task import deferLater

from twisted_quotes.concurrency.outstanding import Outstanding
from twisted_quotes.concurrency.threads import DeferToThread
from twisted_quotes.library.dictionary import FileState
from twisted_quotes.library.packs.plan import PackPlan
from twisted_quotes.processes.process import (
    Command,
    ReactorForProcesses,
    python_environment,
    spawn,
)

from .process import Task, read_progress, time_limit
from .writer import PackedSources, write_pack

MAX_SIZE_FOR_THREAD = 4 * 1024 * 1024
"""The size in bytes of new dictionaries up to which a thread writes a pack."""

THREAD_TIME_LIMIT = 1.0
"""The time in seconds after which a process replaces the thread."""

MAX_PROCESSES = 2
"""With one process, a slow build would delay those of all other packs."""

_GRACE_PERIOD = 10.0
"""How much longer a process may take than all its dictionaries, in seconds."""


class BuildFailed(Exception):
    """
    A pack was not written. The message is for the log only.

    @ivar seconds: how long it took.
    @ivar culprit: the name of the dictionary that took too long, if one did.
    """

    def __init__(self, reason: str, seconds: float, culprit: str | None = None) -> None:
        super().__init__(reason)
        self.seconds = seconds
        self.culprit = culprit


class _ThreadTooSlow(Exception):
    """A process must do what a thread has begun."""


class PackBuilder:
    """
    Writes packs.

    A thread writes a pack with few new dictionaries, one at a time. A process writes
    others, or one that takes the thread too long: unlike a thread it can be killed,
    and it does not compete for the interpreter lock.

    @param root: the absolute path of the library.
    """

    def __init__(
        self, reactor: ReactorForProcesses, in_thread: DeferToThread, root: str
    ) -> None:
        self._reactor = reactor
        self._in_thread = in_thread
        self._root = root
        self._thread_lock = DeferredLock()
        self._process_semaphore = DeferredSemaphore(MAX_PROCESSES)
        self._processes = Outstanding()

    async def write(
        self, plan: PackPlan, folder: str, sources: PackedSources
    ) -> Sequence[str]:
        """
        Write a pack.

        @param folder: an empty folder.
        @param sources: where dictionaries of the plan can be copied from.
        @return: the names of the dictionaries that are left out, see L{write_pack}.
        @raise BuildFailed: the process failed, or exceeded its time limit.
        @raise OSError: the folder cannot be written.
        @raise CancelledError: the service is shutting down.
        """
        if _new_size(plan, sources) <= MAX_SIZE_FOR_THREAD:
            async with self._thread_lock:
                try:
                    left_out: Sequence[str] = await self._in_thread(
                        self._write_in_thread, plan, folder, sources
                    )
                    return left_out
                except _ThreadTooSlow:
                    pass
        async with self._process_semaphore:
            try:
                return await self._write_in_process(plan, folder, sources)
            except (CancelledError, OSError):
                # If hundreds of waiting builds failed at once, their calls would nest.
                await deferLater(self._reactor, 0)
                raise

    @property
    def is_stopped(self) -> bool:
        """Whether L{stop} has been called."""
        return self._processes.is_cancelled

    def stop(self) -> None:
        """Kill the processes, and stop the thread at its next quote."""
        self._processes.cancel()

    def _write_in_thread(
        self, plan: PackPlan, folder: str, sources: PackedSources
    ) -> Sequence[str]:
        deadline = self._reactor.seconds() + THREAD_TIME_LIMIT

        def check() -> None:
            if self.is_stopped:
                raise CancelledError()
            if self._reactor.seconds() >= deadline:
                raise _ThreadTooSlow()

        check()

        def on_progress(number: int | None) -> None:
            if number is not None:
                check()

        return write_pack(self._root, plan, folder, sources, on_progress, check)

    async def _write_in_process(
        self, plan: PackPlan, folder: str, sources: PackedSources
    ) -> Sequence[str]:
        if self.is_stopped:
            raise CancelledError()
        folders = dict.fromkeys(os.fsencode(x.folder) for x, _ in sources.values())
        task = Task(os.fsencode(self._root), plan.dictionaries, tuple(folders))
        encoded_task = BytesIO(msgspec.json.encode(task))
        # -B: on a full disk, Python would leave a truncated .pyc file.
        program = ("-B", "-P", "-m", "twisted_quotes.library.packs.building.process")
        arguments = (*program, os.fsencode(folder))
        command = Command(sys.executable, arguments, python_environment())
        started_at = self._reactor.seconds()
        limit = _GRACE_PERIOD + time_limit(_new_size(plan, sources), True)
        child = spawn(self._reactor, command, "w")
        self._processes.add(child.result, cancellable=True)
        child.write_stdin(encoded_task)
        is_late = False
        try:
            outcome = await child.result.addTimeout(limit, self._reactor)
            is_late = outcome.signal == signal.SIGPROF
            reason = f"status {outcome.exit_code}, stderr {outcome.stderr!r}"
            if outcome.exit_code == 0:
                return msgspec.json.decode(outcome.stdout, type=list[str])
        except TimeoutError:
            is_late = True
        finally:
            await child.ended
        culprit = None
        if is_late:
            number = await self._in_thread(read_progress, folder)
            culprit = None if number is None else plan.dictionaries[number][0]
            reason = "it took too long, and was killed"
        raise BuildFailed(reason, self._reactor.seconds() - started_at, culprit)


def _new_size(plan: PackPlan, sources: Mapping[FileState, object]) -> int:
    """Return the size of the dictionaries that must be indexed, in bytes."""
    return sum(state.size for _, state in plan.dictionaries if state not in sources)
