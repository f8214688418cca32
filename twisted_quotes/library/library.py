"""
The library: names to open files, and nothing outside it.

A dictionary is opened once, and what was opened is what is checked and what
grep reads: nothing can be put in its place in between.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Awaitable, Callable, Iterable, Iterator
from errno import EACCES, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, ENXIO, EPERM
from itertools import islice

from twisted.python.filepath import FilePath

from twisted_quotes.errors import DictionaryForbidden, DictionaryNotFound, QuotesError
from twisted_quotes.query.queries import ALL_DICTIONARIES

from .dictionary import Dictionary, PathState
from .paths import is_hidden, open_below, resolve

_NOT_FOUND_ERRNOS = {ENOENT, ENOTDIR, ENAMETOOLONG}
# What is said where a link is met that is not to be followed (openat(2)).
_SYMLINK_ERRNOS = {ELOOP, ENOTDIR}
_FORBIDDEN_ERRNOS = {EACCES, EPERM, ELOOP, ENXIO}

_PATH_MAX = 4096
"""The bytes of a path with which it is too long for the kernel (limits.h)."""

_MAX_SCANNED_ENTRIES = 300
"""How many files and folders are looked at to name some dictionaries."""

_MAX_PATH_DEPTH = 32
"""How deep down a dictionary is looked at from outside, which has a cost a folder."""

# What strfile(1) and Debian put beside a fortune file.
_COMPANION_SUFFIXES = (".dat", ".u8")


_LARGE_SIZE = 1024 * 1024


class LibraryUnusable(Exception):
    """The library cannot be served. The message says why, in one line."""


class Library:
    """
    A folder of dictionaries.

    @param root: the folder.
    @param default: the name used when a call names none; L{None} for the first
        by name.
    @ivar count: how many dictionaries there were when they were last listed.
    @raise LibraryUnusable: the folder cannot be listed, or holds no readable
        default dictionary.
    """

    def __init__(self, root: FilePath[str], default: str | None = None) -> None:
        self._root = root.path
        self.count = 0
        try:
            os.listdir(self._root)
            self.default = default or self.names()[0]
            self.open(self.default).close()
        except IndexError:
            raise LibraryUnusable(f"there is no dictionary in {self._root}") from None
        except OSError as error:
            raise LibraryUnusable(
                f"cannot read the dictionaries in {self._root}: {error.strerror}"
            ) from None
        except QuotesError as error:
            raise LibraryUnusable(f"the default dictionary: {error.message}") from None

    def open(self, dictionary_name: str) -> Dictionary:
        """
        Open a dictionary.

        @param dictionary_name: a file name in the library, C{/} for sub-folders.
        @raise DictionaryForbidden: the name points outside the library or at
            something hidden, or the file is not regular or not readable.
        @raise DictionaryNotFound: there is no such file.
        """
        if is_hidden(dictionary_name.split("/")):
            raise DictionaryForbidden()
        try:
            descriptor, path = self._open(dictionary_name)
        except OSError as error:
            if error.errno in _NOT_FOUND_ERRNOS:
                raise DictionaryNotFound(
                    dictionary_name, self._sample_names()
                ) from None
            if error.errno in _FORBIDDEN_ERRNOS:
                raise DictionaryForbidden() from None
            raise
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise DictionaryForbidden()
        # Only now is it known that the name does not lead outside.
        if self._is_companion(dictionary_name) or len(os.fsencode(path)) >= _PATH_MAX:
            os.close(descriptor)
            raise DictionaryNotFound(dictionary_name, self._sample_names())
        return Dictionary(descriptor, path)

    def _open(self, dictionary_name: str) -> tuple[int, str]:
        """
        Open a file, wherever the links inside the library lead.

        @return: its file descriptor and its path.
        """
        try:
            descriptor = open_below(self._root, dictionary_name.split("/"))
        except OSError as error:
            if error.errno not in _SYMLINK_ERRNOS:
                raise
        else:
            return descriptor, os.path.join(self._root, dictionary_name)
        root, relative_segments = resolve(self._root, dictionary_name)
        return open_below(root, relative_segments), os.path.join(
            root, *relative_segments
        )

    def path_state(self, dictionary_name: str) -> PathState | None:
        """
        Return what identifies a dictionary and the folders that lead to it.

        This is much cheaper than to open the dictionary. It does not tell whether
        the dictionary may be served, but it differs as soon as that could differ.

        @return: L{None} if there is no such file, if it is very deep in the library,
            or if its path contains a symbolic link: what that points to could change
            and change back unnoticed.
        """
        segments = dictionary_name.split("/")
        if is_hidden(segments) or len(segments) > _MAX_PATH_DEPTH:
            return None
        path, states = self._root, []
        try:
            # The library itself may be a symbolic link.
            status = os.stat(path)
            for segment in segments:
                if not stat.S_ISDIR(status.st_mode):
                    return None
                states.append((status.st_dev, status.st_ino, status.st_ctime_ns))
                path = f"{path}/{segment}"
                status = os.lstat(path)
        except (OSError, ValueError):
            return None
        if not stat.S_ISREG(status.st_mode) or self._is_companion(dictionary_name):
            return None
        return (*states, (status.st_dev, status.st_ino, status.st_ctime_ns))

    def is_large(self, dictionary_name: str) -> bool:
        """Whether a dictionary has so much text that a search of it may be slow."""
        try:
            return os.lstat(f"{self._root}/{dictionary_name}").st_size >= _LARGE_SIZE
        except (OSError, ValueError):
            return False

    def names(self) -> list[str]:
        """
        The names of the dictionaries that may be read, in order.

        That takes a while where there are thousands: it is for a thread.

        @raise OSError: a folder cannot be listed, and neither is it gone nor may
            it not be read.
        """
        names = sorted(self._servable_names(self._scan_entries()))
        self.count = len(names)
        return names

    async def resolve_names(
        self,
        dictionary_name: str,
        in_thread: Callable[[Callable[[], list[str]]], Awaitable[list[str]]],
    ) -> list[str]:
        """
        The dictionaries that are asked for.

        @param dictionary_name: a name, or C{"*"} for every dictionary.
        @param in_thread: runs what may block.
        """
        if dictionary_name != ALL_DICTIONARIES:
            return [dictionary_name]
        return await in_thread(self.names)

    def _sample_names(self) -> list[str]:
        """Some names, in order: all of them where the library is small."""
        return sorted(
            self._servable_names(islice(self._scan_entries(), _MAX_SCANNED_ENTRIES))
        )

    def _scan_entries(self) -> Iterator[tuple[str, os.DirEntry[str]]]:
        """All files and folders with their names, one folder after another."""
        folders = [""]
        while folders:
            prefix = folders.pop()
            try:
                with os.scandir(os.path.join(self._root, prefix)) as entries:
                    for entry in entries:
                        name = prefix + entry.name
                        if self._is_visible_folder(name, entry):
                            folders.append(f"{name}/")
                        yield name, entry
            except OSError as error:
                # What is too deep down for a path cannot be opened, either.
                if error.errno not in _NOT_FOUND_ERRNOS | _FORBIDDEN_ERRNOS:
                    raise

    def _is_visible_folder(self, name: str, entry: os.DirEntry[str]) -> bool:
        """Whether there may be dictionaries in it."""
        return entry.is_dir(follow_symlinks=False) and not (
            entry.name.startswith(".") or self._is_companion(name)
        )

    def _servable_names(
        self, entries: Iterable[tuple[str, os.DirEntry[str]]]
    ) -> Iterator[str]:
        """The names of those that are dictionaries."""
        return (name for name, entry in entries if self._is_servable(name, entry))

    def _is_servable(self, name: str, entry: os.DirEntry[str]) -> bool:
        """Whether a file, or what a link leads to, may be read."""
        try:
            if entry.name.startswith(".") or self._is_companion(name):
                return False
            name.encode()
            if entry.is_symlink():
                resolve(self._root, name)
            return entry.is_file() and os.access(
                entry.path, os.R_OK, effective_ids=True
            )
        except (OSError, UnicodeEncodeError, DictionaryForbidden):
            return False

    def _is_companion(self, name: str) -> bool:
        """Whether it goes with a fortune file, and is none of its own."""
        if not name.endswith(_COMPANION_SUFFIXES):
            return False
        stem, _ = os.path.splitext(name)
        return os.path.lexists(os.path.join(self._root, stem))
