"""
Indexes: found where they are, made where they are not, once for all who ask.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from twisted.internet.defer import (
    CancelledError,
    Deferred,
    DeferredList,
    DeferredLock,
    succeed,
)
from twisted.internet.interfaces import IReactorProcess
from twisted.logger import Logger
from twisted.python.failure import Failure

from .cache import Cache
from .dictionary import Dictionary, State
from .errors import DictionaryChanging, NotReadyNow, TooBusy
from .index import Index, write_index
from .process import Command, Outcome, run

SMALL = 4 * 1024 * 1024
"""Up to how many bytes the index of a dictionary is made by a thread."""


class BuildFailed(Exception):
    """The process that makes an index failed. The message is for the log alone."""


class InThread(Protocol):
    """What runs a function in a thread."""

    def __call__(self, call: Callable[..., Any], /, *arguments: Any) -> Deferred[Any]:
        """Fire with what the function returns, or fail with what it raises."""


@dataclass
class _Build:
    """
    One index being made.

    @ivar over: fires with L{None} when that is over, well or badly.
    @ivar waiting: who waits for the index.
    """

    over: Deferred[None] = field(default_factory=Deferred)
    waiting: list[Deferred[Index]] = field(default_factory=list)

    def wait(self) -> Deferred[Index]:
        """Wait for the index, or until the wait is cancelled."""
        waiting: Deferred[Index] = Deferred(self.waiting.remove)
        self.waiting.append(waiting)
        return waiting

    def settle(self, result: Index | Failure) -> None:
        """Tell all who wait."""
        waiting, self.waiting = self.waiting, []
        for each in waiting:
            each.callback(result)


class Indexes:
    """
    The indexes of all dictionaries.

    A thread makes the index of a small dictionary, a process that of a large
    one, each of them one at a time, so that searches go on as before.

    @param reactor: starts the processes.
    @param in_thread: runs what may block.
    @param cache: where indexes are kept.
    @param most_waiting: how many may wait for indexes to be made, 0 or more.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: IReactorProcess,
        in_thread: InThread,
        cache: Cache,
        most_waiting: int,
    ) -> None:
        self._reactor = reactor
        self._in_thread = in_thread
        self._cache = cache
        self._most_waiting = most_waiting
        self._known: dict[str, tuple[State, Index]] = {}
        self._builds: dict[tuple[str, State], _Build] = {}
        self._one_thread = DeferredLock()
        self._one_process = DeferredLock()
        self._outcome: Deferred[Outcome] | None = None
        self._stopping = False

    @property
    def building(self) -> int:
        """How many indexes are being made."""
        return len(self._builds)

    def get(self, dictionary: Dictionary) -> Deferred[Index]:
        """
        Get the index of a dictionary in the state in which it was opened.

        @return: fires with the index when there is one. Cancelling it gives up
            the wait; the index is made all the same, for who asks next. It
            fails with L{DictionaryChanging} where the file was written to
            meanwhile, with L{NotReadyNow} where no index could be made; the
            log tells why.
        @raise TooBusy: as many wait as may.
        """
        index = self.find(dictionary)
        if index is not None:
            return succeed(index)
        key = dictionary.path, dictionary.state
        if key in self._builds:
            waiting = sum(len(each.waiting) for each in self._builds.values())
            # Each index has one to wait for it that made it be made.
            if waiting - len(self._builds) >= self._most_waiting:
                raise TooBusy()
            return self._builds[key].wait()
        own = dictionary.duplicate()
        build = self._builds[key] = _Build()
        first = build.wait()
        made = Deferred.fromCoroutine(self._make(own))
        made.addBoth(self._made, key).chainDeferred(build.over)
        return first

    def find(self, dictionary: Dictionary) -> Index | None:
        """The index of a dictionary in its state, if it has been made."""
        path, state = dictionary.path, dictionary.state
        known_state, index = self._known.get(path, (None, None))
        if index is None or known_state != state:
            index = self._cache.find(path, state)
            if index is not None:
                self._known[path] = (state, index)
        return index

    def forget(self, dictionary: Dictionary) -> None:
        """Look at the cache again, and make the index anew if it is not there."""
        self._known.pop(dictionary.path, None)

    def stop(self) -> Deferred[None]:
        """
        Make no more indexes, and end the thread and the process that make one.

        @return: fires when nothing of this is left.
        """
        self._stopping = True
        if self._outcome is not None:
            self._outcome.cancel()
        over = DeferredList([build.over for build in self._builds.values()])
        return over.addCallback(lambda _: self._cache.close())

    def _made(self, result: Index | Failure, key: tuple[str, State]) -> None:
        build = self._builds.pop(key)
        if isinstance(result, Failure):
            if result.check(OSError, BuildFailed):
                # Whatever it is, a full disk most likely: it may be mended.
                self._log.failure("No index was made.", failure=result)
                result = Failure(NotReadyNow("an index of that dictionary"))
            elif not build.waiting:
                reason = str(result.value)
                self._log.warn("No index was made: {reason!a}", reason=reason)
        build.settle(result)

    async def _make(self, dictionary: Dictionary) -> Index:
        """Make the index of a dictionary, which is closed at the end."""
        with dictionary:
            folder = await self._in_thread(self._cache.new_folder)
            try:
                if dictionary.state.size <= SMALL:
                    await self._one_thread.run(
                        self._in_thread,
                        *(write_index, dictionary, folder, self._check),
                    )
                else:
                    await self._one_process.run(self._run_builder, dictionary, folder)
                if not dictionary.is_unchanged():
                    raise DictionaryChanging()
                index: Index = await self._in_thread(
                    self._cache.keep, folder, dictionary.path, dictionary.state
                )
            finally:
                await self._in_thread(self._cache.drop, folder)
        return index

    def _check(self) -> None:
        """
        Called by the thread that makes an index, for no thread can be killed.

        @raise CancelledError: no more indexes are to be made.
        """
        if self._stopping:
            raise CancelledError()

    def _run_builder(self, dictionary: Dictionary, folder: str) -> Deferred[None]:
        return Deferred.fromCoroutine(self._write_apart(dictionary, folder))

    async def _write_apart(self, dictionary: Dictionary, folder: str) -> None:
        """Have a process write an index."""
        self._check()
        # Python would leave half of a .pyc file where the disk is full (-B).
        command = Command(
            sys.executable,
            ("-B", "-P", "-m", "twisted_quotes.build", folder),
            {"PYTHONPATH": str(Path(__file__).parents[1])},
        )
        child = run(self._reactor, command, dictionary.fileno())
        self._outcome = child.answered
        try:
            outcome = await child.answered
        finally:
            self._outcome = None
            await child.ended
        if outcome.status != 0:
            reason = outcome.errors.decode("utf-8", "replace")
            raise BuildFailed(f"status {outcome.status}, saying {reason!r}")
