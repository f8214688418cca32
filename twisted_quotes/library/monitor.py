"""
Knowing what the library holds without looking at every file for every request.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import deferLater
from twisted.logger import Logger

from twisted_quotes.concurrency.coalescing import CoalescedCall
from twisted_quotes.concurrency.threads import DeferToThread

from .dictionary import STABLE_TIME, FileState, is_recently_changed
from .library import Library
from .stability import MAX_WAITS
from .watcher import CannotWatch, FileWatcher, find_remote_file_system

_Identity = tuple[int, int, int] | None

_MANY = 1000

MAX_AGE = 60.0
"""
The maximum age of a snapshot in seconds, after which the files are looked at again.

inotify does not tell of a change by a hard link that was made later, by a memory map,
or of a new mount.
"""


class Snapshot(NamedTuple):
    """
    The dictionaries of a library at one time.

    @ivar states: the states of all that may be read, by name, in order.
    @ivar digest: differs if the states differ.
    @ivar is_stable: whether each later change of a file also changes its state.
    """

    states: Mapping[str, FileState]
    digest: str
    is_stable: bool


def make_snapshot(states: Mapping[str, FileState], is_stable: bool) -> Snapshot:
    """Return the snapshot with some states."""
    digest = blake2b(digest_size=16)
    for item in states.items():
        digest.update(repr(item).encode("utf-8", "surrogateescape"))
    return Snapshot(states, digest.hexdigest(), is_stable)


class LibraryMonitor:
    """
    Provides snapshots of a library.

    The files are watched, so that a snapshot is used until one of them changes. Where
    they cannot be watched, they are looked at for each snapshot.

    @param reactor: provides the time, and is needed to watch files.
    @param now: returns the time, in seconds since 1970.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        library: Library,
        in_thread: DeferToThread,
        now: Callable[[], float],
    ) -> None:
        self._reactor = reactor
        self._library = library
        self._in_thread = in_thread
        self._now = now
        self._scanning = CoalescedCall(self._scan_until_stable)
        self._latest: Snapshot | None = None
        self._root_identity: _Identity = None
        self._watcher: FileWatcher | None = None
        self._can_watch = True
        self._is_unwatched = False
        self._generation = 0
        self._refresh_at = self._watch_at = 0.0

    @property
    def root(self) -> str:
        """The absolute path of the library."""
        return self._library.root

    @property
    def latest_states(self) -> Mapping[str, FileState]:
        """The states of dictionaries in the latest snapshot, by name."""
        return {} if self._latest is None else self._latest.states

    @property
    def count(self) -> int:
        """The number of dictionaries in the latest snapshot."""
        return len(self.latest_states)

    def snapshot(self) -> Deferred[Snapshot]:
        """
        Return what the library holds now.

        @return: fires with a snapshot that has every change that was made before this
            call. It fails with an L{OSError} if a folder cannot be listed.
        """
        if self._latest is None or self._has_changed():
            return self._scanning.request()
        if (
            self._reactor.seconds() >= self._refresh_at
            and not self._scanning.is_running
        ):
            # There are changes of which no event tells.
            refreshed = self._scanning.request()
            refreshed.addErrback(lambda failure: failure.trap(OSError))
        return succeed(self._latest)

    def forget(self) -> None:
        """Have the next snapshot look at all files: the file systems may be others."""
        self._generation += 1
        self._close_watcher()
        self._watch_at = 0.0
        self._is_unwatched = False

    def stop(self) -> None:
        """End all watches."""
        self._generation += 1
        self._close_watcher()
        self._can_watch = False

    def _has_changed(self) -> bool:
        return (
            self._watcher is None
            or self._watcher.has_changed()
            or _identity(self.root) != self._root_identity
        )

    async def _scan_until_stable(self) -> Snapshot:
        is_due = self._reactor.seconds() >= self._refresh_at
        if self._latest is not None and not (is_due or self._has_changed()):
            # The scan that ended just now is newer than these requests.
            return self._latest
        if self.count > _MANY and self._watcher is not None:
            # Most likely a file was just changed, and has no stable state yet. To wait
            # takes less time than to scan the library twice.
            await deferLater(self._reactor, STABLE_TIME)
        # A library that always changes is never stable.
        waits = MAX_WAITS if self._latest is None or self._latest.is_stable else 0
        snapshot = await self._scan()
        while waits and not snapshot.is_stable:
            waits -= 1
            await deferLater(self._reactor, STABLE_TIME)
            snapshot = await self._scan()
        return snapshot

    async def _scan(self) -> Snapshot:
        """Look at all files, and watch them from before that."""
        generation = self._generation
        watcher = self._open_watcher()
        root_identity = _identity(self.root)
        try:
            found = await self._in_thread(self._read_snapshot, watcher)
        except BaseException:
            if watcher is not None:
                watcher.close()
            raise
        snapshot: Snapshot
        snapshot, error = found
        if error is not None:
            self._log_unwatched(error)
        is_current = generation == self._generation and error is None
        unused, self._watcher = self._watcher, None
        if is_current and snapshot.is_stable:
            self._watcher, self._root_identity = watcher, root_identity
            self._refresh_at = self._reactor.seconds() + MAX_AGE
        elif watcher is not None:
            watcher.close()
        if unused is not None:
            # With many watches, this takes a while.
            self._in_thread(unused.close)
        self._latest = snapshot
        return snapshot

    def _read_snapshot(
        self, watcher: FileWatcher | None
    ) -> tuple[Snapshot, CannotWatch | None]:
        """Return a snapshot, and why the files cannot be watched; in a thread."""
        error: CannotWatch | None = None

        def watch(path: str) -> None:
            nonlocal error
            if watcher is not None and error is None:
                try:
                    watcher.watch(path)
                except CannotWatch as reason:
                    error = reason

        started_at = self._now()
        states = self._library.states(watch, self.latest_states)
        times = chain.from_iterable((x.modified, x.changed) for x in states.values())
        is_stable = not is_recently_changed(self._now(), *times, since=started_at)
        return make_snapshot(states, is_stable), error

    def _open_watcher(self) -> FileWatcher | None:
        if not self._can_watch or self._reactor.seconds() < self._watch_at:
            return None
        try:
            mounts = Path("/proc/self/mountinfo").read_text("utf-8", "replace")
            root = os.path.realpath(self.root)
            file_system = find_remote_file_system(root, mounts)
            if file_system is not None:
                raise CannotWatch(f"the file system is {file_system}")
            return FileWatcher(self._reactor)
        except (CannotWatch, OSError) as error:
            self._log_unwatched(error)
            return None

    def _log_unwatched(self, reason: Exception) -> None:
        """Log once that files are not watched; try again after a while."""
        self._watch_at = self._reactor.seconds() + MAX_AGE
        if not self._is_unwatched:
            self._is_unwatched = True
            self._log.warn(
                "The files of the library cannot be watched: {reason!a}. They are "
                "looked at for each request.",
                reason=str(reason),
            )

    def _close_watcher(self) -> None:
        if self._watcher is not None:
            self._watcher.close()
            self._watcher = None


def _identity(path: str) -> _Identity:
    with suppress(OSError):
        status = os.stat(path)
        return status.st_dev, status.st_ino, status.st_ctime_ns
    return None
