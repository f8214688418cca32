"""
The cache folder: indexes, kept from one run of the service to the next.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from hashlib import blake2b
from re import compile
from shutil import rmtree
from tempfile import TemporaryDirectory, mkdtemp
from time import time

from twisted.logger import Logger

from .dictionary import FileState
from .index import FORMAT_VERSION, Index, IndexDamaged, load_index

# Nothing of any other name is ever removed.
_ENTRY_NAME = compile(r"([0-9a-f]{16})-[0-9a-f]{16}|building-\w+")
_MAX_UNUSED_AGE = 30 * 24 * 3600.0
_MAX_BUILD_AGE = 3600.0
# How often it is all looked at: that takes a while where there are thousands.
_SWEEP_INTERVAL = 3600.0
# What is in the way is removed once; others may be doing the same.
_MAX_ATTEMPTS = 3


def default_cache_folder(home: str, xdg_cache_home: str | None) -> str:
    """
    The user's cache folder for this program (XDG Base Directory Specification).

    @param home: the user's home folder.
    @param xdg_cache_home: the value of C{XDG_CACHE_HOME}, if it is set.
    """
    if xdg_cache_home is None or not os.path.isabs(xdg_cache_home):
        xdg_cache_home = os.path.join(home, ".cache")
    return os.path.join(xdg_cache_home, "twisted_quotes")


class IndexCache:
    """
    A folder of indexes, at most one for each dictionary.

    Where it cannot be written, a temporary folder takes its place, which goes
    with the service; that is logged once.

    @param folder: where it is; it is made if it is not there.
    @param now: tells the time, in seconds since 1970.
    """

    _log = Logger()

    def __init__(self, folder: str, now: Callable[[], float] = time) -> None:
        self._folder = folder
        self._now = now
        self._last_sweep = -_SWEEP_INTERVAL
        # The folder of each dictionary's index, by the dictionary's path.
        self._folders_by_path: dict[str, str] = {}
        self._temporary_folder: TemporaryDirectory[str] | None = None
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)
            TemporaryDirectory(prefix="building-", dir=folder).cleanup()
        except OSError as error:
            self._log.warn(
                "Cannot write the cache folder {folder!a}: {reason!a}. "
                "Indexes are made anew at every start.",
                folder=folder,
                reason=error.strerror,
            )
            self._temporary_folder = TemporaryDirectory(prefix="twisted_quotes-")
            self._folder = self._temporary_folder.name

    def find(self, path: str, state: FileState) -> Index | None:
        """The index of a dictionary in a certain state, if it is here."""
        folder = self._index_folder(path, state)
        try:
            index = load_index(folder)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except IndexDamaged as error:
            self._log.warn("An index is not used: {reason!a}", reason=str(error))
            self.drop(folder)
            return None
        with suppress(OSError):
            os.utime(folder)
        self._folders_by_path[path] = folder
        return index

    def create_build_folder(self) -> str:
        """Make a folder to write an index in."""
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        return mkdtemp(prefix="building-", dir=self._folder)

    def store(self, build_folder: str, path: str, state: FileState) -> Index:
        """
        Take in an index.

        It takes the place of the one of an earlier state. Once an hour, what
        nobody has used for a month goes, and what was not finished in an hour.

        @param build_folder: the folder it was written in.
        """
        folder = self._index_folder(path, state)
        index = replace(load_index(build_folder), folder=folder)
        for attempt in range(_MAX_ATTEMPTS):
            try:
                os.rename(build_folder, folder)
            except OSError:
                # Another process may have been quicker, with the same result.
                existing = self.find(path, state)
                if existing is not None:
                    return existing
                self.drop(folder)
                with suppress(OSError):
                    os.remove(folder)
                if attempt == _MAX_ATTEMPTS - 1:
                    raise
            else:
                self._remove_outdated(path, folder)
                break
        return index

    def drop(self, folder: str) -> None:
        """Remove a folder in which an index is, or was to be written."""
        rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Remove what was temporary."""
        if self._temporary_folder is not None:
            self._temporary_folder.cleanup()

    def _index_folder(self, path: str, state: FileState) -> str:
        keys = (path, f"{FORMAT_VERSION} {state}")
        hashes = (
            blake2b(os.fsencode(each), digest_size=8).hexdigest() for each in keys
        )
        return os.path.join(self._folder, "-".join(hashes))

    def _remove_outdated(self, path: str, folder: str) -> None:
        """Remove the index of an earlier state; now and then, all that is unused."""
        previous = self._folders_by_path.get(path)
        self._folders_by_path[path] = folder
        if previous not in (None, folder):
            self.drop(previous)
        if self._now() - self._last_sweep >= _SWEEP_INTERVAL:
            self._last_sweep = self._now()
            self._sweep()

    def _sweep(self) -> None:
        """
        Remove what nobody has used for a month, what was never finished, and all
        but the last index that was used of each dictionary.
        """
        latest: dict[str, tuple[float, str]] = {}
        for entry in os.scandir(self._folder):
            name_match = _ENTRY_NAME.fullmatch(entry.name)
            if not name_match:
                continue
            with suppress(OSError):
                last_used = entry.stat().st_mtime
                if self._now() - last_used > (
                    _MAX_UNUSED_AGE if name_match[1] else _MAX_BUILD_AGE
                ):
                    self.drop(entry.path)
                elif name_match[1]:
                    candidate = last_used, entry.path
                    previous = latest.get(name_match[1], candidate)
                    latest[name_match[1]] = max(candidate, previous)
                    if previous is not candidate:
                        self.drop(min(candidate, previous)[1])
