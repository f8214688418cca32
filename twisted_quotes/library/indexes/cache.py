"""
The folder of finished indexes, which are kept from one run of the service to the next.
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

from twisted_quotes.library.dictionary import FileState

from .format import FORMAT_VERSION, Index, IndexDamaged, load_index

# Entries with other names are never removed.
_ENTRY_NAME = compile(r"([0-9a-f]{16})-[0-9a-f]{16}|building-\w+")
_MAX_UNUSED_AGE = 30 * 24 * 3600.0
_MAX_BUILD_AGE = 3600.0
# To list the folder takes a while if it has thousands of entries.
_SWEEP_INTERVAL = 3600.0
# Another process may store the same index at the same time.
_MAX_ATTEMPTS = 3


def default_cache_folder(home: str, xdg_cache_home: str | None) -> str:
    """
    Return the user's cache folder for this program.

    The rule is that of the XDG Base Directory Specification.

    @param home: the user's home folder.
    @param xdg_cache_home: the value of C{XDG_CACHE_HOME}, if it is set.
    """
    if xdg_cache_home is None or not os.path.isabs(xdg_cache_home):
        xdg_cache_home = os.path.join(home, ".cache")
    return os.path.join(xdg_cache_home, "twisted_quotes")


class IndexCache:
    """
    A folder of indexes, at most one for each dictionary.

    If the folder cannot be written, a temporary folder is used until L{close}.

    @param folder: the folder, which is created if it is missing.
    @param now: returns the time, in seconds since 1970.
    """

    _log = Logger()

    def __init__(self, folder: str, now: Callable[[], float] = time) -> None:
        self._folder = folder
        self._now = now
        self._last_sweep = -_SWEEP_INTERVAL
        # The folders of the current indexes, by the paths of the dictionaries.
        self._current_folders: dict[str, str] = {}
        self._temporary_folder: TemporaryDirectory[str] | None = None
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)
            TemporaryDirectory(prefix="building-", dir=folder).cleanup()
        except OSError as error:
            self._log.warn(
                "Cannot write the cache folder {folder!a}: {reason!a}. "
                "Indexes are built again at every start.",
                folder=folder,
                reason=error.strerror,
            )
            self._temporary_folder = TemporaryDirectory(prefix="twisted_quotes-")
            self._folder = self._temporary_folder.name

    def find(self, path: str, state: FileState) -> Index | None:
        """Return the index of a dictionary in a certain state, if it is stored."""
        folder = self._index_folder(path, state)
        try:
            index = load_index(folder)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except IndexDamaged as error:
            self._log.warn("Ignored a damaged index: {reason!a}", reason=str(error))
            self.drop(folder)
            return None
        with suppress(OSError):
            os.utime(folder)
        self._current_folders[path] = folder
        return index

    def create_build_folder(self) -> str:
        """Create a folder to write an index in."""
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        return mkdtemp(prefix="building-", dir=self._folder)

    def store(self, build_folder: str, path: str, state: FileState) -> Index:
        """
        Store an index in place of that of an earlier state.

        Once an hour this removes indexes that have not been used for a month, and
        builds that were not finished in an hour.

        @param build_folder: the folder that the index was written in.
        """
        folder = self._index_folder(path, state)
        index = replace(load_index(build_folder), folder=folder)
        for attempt in range(1, _MAX_ATTEMPTS + 1):
            try:
                os.rename(build_folder, folder)
                break
            except OSError:
                existing = self.find(path, state)
                if existing is not None:
                    return existing
                self.drop(folder)
                with suppress(OSError):
                    os.remove(folder)
                if attempt == _MAX_ATTEMPTS:
                    raise
        previous = self._current_folders.get(path, folder)
        self._current_folders[path] = folder
        if previous != folder:
            self.drop(previous)
        if self._now() - self._last_sweep >= _SWEEP_INTERVAL:
            self._last_sweep = self._now()
            self._sweep()
        return index

    def drop(self, folder: str) -> None:
        """Remove the folder of an index or of a build."""
        rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Remove the temporary folder, if there is one."""
        if self._temporary_folder is not None:
            self._temporary_folder.cleanup()

    def _index_folder(self, path: str, state: FileState) -> str:
        keys = (path, f"{FORMAT_VERSION} {state}")
        hashes = (blake2b(os.fsencode(key), digest_size=8).hexdigest() for key in keys)
        return os.path.join(self._folder, "-".join(hashes))

    def _sweep(self) -> None:
        """Remove old entries, and all but the last used index of each dictionary."""
        entries = []
        for entry in os.scandir(self._folder):
            if name_match := _ENTRY_NAME.fullmatch(entry.name):
                with suppress(OSError):
                    entries.append((entry.stat().st_mtime, entry.path, name_match[1]))
        seen = set()
        for last_used, folder, path_hash in sorted(entries, reverse=True):
            max_age = _MAX_UNUSED_AGE if path_hash else _MAX_BUILD_AGE
            if self._now() - last_used > max_age or path_hash in seen:
                self.drop(folder)
            elif path_hash:
                seen.add(path_hash)
