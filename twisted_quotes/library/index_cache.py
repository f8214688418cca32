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

from .dictionary import State
from .index import FORMAT, Index, IndexDamaged, load_index

# Nothing of any other name is ever removed.
_OURS = compile(r"([0-9a-f]{16})-[0-9a-f]{16}|building-\w+")
_UNUSED = 30 * 24 * 3600.0
_NEVER_FINISHED = 3600.0
# How often it is all looked at: that takes a while where there are thousands.
_SWEEP = 3600.0
# What is in the way is removed once; others may be doing the same.
_ATTEMPTS = 3


def default_cache_folder(home: str, xdg_cache_home: str | None) -> str:
    """
    The user's cache folder for this program (XDG Base Directory Specification).

    @param home: the user's home folder.
    @param xdg_cache_home: the value of C{XDG_CACHE_HOME}, if it is set.
    """
    if xdg_cache_home is None or not os.path.isabs(xdg_cache_home):
        xdg_cache_home = os.path.join(home, ".cache")
    return os.path.join(xdg_cache_home, "twisted_quotes")


class Cache:
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
        self._swept = -_SWEEP
        # The folder of each dictionary's index, by the dictionary's path.
        self._kept: dict[str, str] = {}
        self._temporary: TemporaryDirectory[str] | None = None
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
            self._temporary = TemporaryDirectory(prefix="twisted_quotes-")
            self._folder = self._temporary.name

    def find(self, path: str, state: State) -> Index | None:
        """The index of a dictionary in a certain state, if it is here."""
        folder = self._place(path, state)
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
        self._kept[path] = folder
        return index

    def new_folder(self) -> str:
        """Make a folder to write an index in."""
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        return mkdtemp(prefix="building-", dir=self._folder)

    def keep(self, written: str, path: str, state: State) -> Index:
        """
        Take in an index.

        It takes the place of the one of an earlier state. Once an hour, what
        nobody has used for a month goes, and what was not finished in an hour.

        @param written: the folder it was written in.
        """
        folder = self._place(path, state)
        index = replace(load_index(written), folder=folder)
        for attempt in range(_ATTEMPTS):
            try:
                os.rename(written, folder)
            except OSError:
                # Another process may have been quicker, with the same result.
                known = self.find(path, state)
                if known is not None:
                    return known
                self.drop(folder)
                with suppress(OSError):
                    os.remove(folder)
                if attempt == _ATTEMPTS - 1:
                    raise
            else:
                self._replace_others(path, folder)
                break
        return index

    def drop(self, written: str) -> None:
        """Remove a folder in which an index is, or was to be written."""
        rmtree(written, ignore_errors=True)

    def close(self) -> None:
        """Remove what was temporary."""
        if self._temporary is not None:
            self._temporary.cleanup()

    def _place(self, path: str, state: State) -> str:
        names = (path, f"{FORMAT} {state}")
        hashes = (
            blake2b(os.fsencode(each), digest_size=8).hexdigest() for each in names
        )
        return os.path.join(self._folder, "-".join(hashes))

    def _replace_others(self, path: str, folder: str) -> None:
        """Remove the index of an earlier state; now and then, all that is unused."""
        former = self._kept.get(path)
        self._kept[path] = folder
        if former not in (None, folder):
            self.drop(former)
        if self._now() - self._swept >= _SWEEP:
            self._swept = self._now()
            self._sweep()

    def _sweep(self) -> None:
        """
        Remove what nobody has used for a month, what was never finished, and all
        but the last index that was used of each dictionary.
        """
        last: dict[str, tuple[float, str]] = {}
        for entry in os.scandir(self._folder):
            ours = _OURS.fullmatch(entry.name)
            if not ours:
                continue
            with suppress(OSError):
                used = entry.stat().st_mtime
                if self._now() - used > (_UNUSED if ours[1] else _NEVER_FINISHED):
                    self.drop(entry.path)
                elif ours[1]:
                    this = used, entry.path
                    former = last.get(ours[1], this)
                    last[ours[1]] = max(this, former)
                    if former is not this:
                        self.drop(min(this, former)[1])
