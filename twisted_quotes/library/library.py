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
from twisted_quotes.query.queries import EVERY_DICTIONARY

from .dictionary import Dictionary, State, Version
from .paths import is_hidden, open_below, resolve

_ABSENT = {ENOENT, ENOTDIR, ENAMETOOLONG}
# What is said where a link is met that is not to be followed (openat(2)).
_LINK = {ELOOP, ENOTDIR}
_FORBIDDEN = {EACCES, EPERM, ELOOP, ENXIO}

_PATH_MAX = 4096
"""The bytes of a path with which it is too long for the kernel (limits.h)."""

_MAX_LOOKED_AT = 300
"""How many files and folders are looked at to name some dictionaries."""

_MAX_SEEN = 32
"""How deep down a dictionary is looked at from outside, which has a cost a folder."""

# What strfile(1) and Debian put beside a fortune file.
_COMPANIONS = (".dat", ".u8")


_LARGE = 1024 * 1024


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

    def open(self, name: str) -> Dictionary:
        """
        Open a dictionary.

        @param name: a file name in the library, C{/} for sub-folders.
        @raise DictionaryForbidden: the name points outside the library or at
            something hidden, or the file is not regular or not readable.
        @raise DictionaryNotFound: there is no such file.
        """
        if is_hidden(name.split("/")):
            raise DictionaryForbidden()
        try:
            descriptor, path = self._open(name)
        except OSError as error:
            if error.errno in _ABSENT:
                raise DictionaryNotFound(name, self._some_names()) from None
            if error.errno in _FORBIDDEN:
                raise DictionaryForbidden() from None
            raise
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise DictionaryForbidden()
        # Only now is it known that the name does not lead outside.
        if self._is_companion(name) or len(os.fsencode(path)) >= _PATH_MAX:
            os.close(descriptor)
            raise DictionaryNotFound(name, self._some_names())
        return Dictionary(descriptor, path)

    def _open(self, name: str) -> tuple[int, str]:
        """
        Open a file, wherever the links inside the library lead.

        @return: its file descriptor and its path.
        """
        try:
            descriptor = open_below(self._root, name.split("/"))
        except OSError as error:
            if error.errno not in _LINK:
                raise
        else:
            return descriptor, os.path.join(self._root, name)
        root, inside = resolve(self._root, name)
        return open_below(root, inside), os.path.join(root, *inside)

    def version(self, name: str) -> Version | None:
        """
        Look at a dictionary from outside: that costs next to nothing.

        It says nothing of whether the file may be served, but it is another one
        as soon as that could have changed.

        @return: L{None} where none is to be seen, it is very deep down, or a link
            is on the way: where that leads could change and change back unseen.
        """
        segments = name.split("/")
        if is_hidden(segments) or len(segments) > _MAX_SEEN:
            return None
        path, steps = self._root, []
        try:
            # The library itself may be a link.
            found = os.stat(path)
            for segment in segments:
                if not stat.S_ISDIR(found.st_mode):
                    return None
                steps.append((found.st_dev, found.st_ino, found.st_ctime_ns))
                path = f"{path}/{segment}"
                found = os.lstat(path)
        except (OSError, ValueError):
            return None
        if not stat.S_ISREG(found.st_mode) or self._is_companion(name):
            return None
        steps.append((found.st_dev, found.st_ino, found.st_ctime_ns))
        return Version(tuple(steps), State.of(found))

    def is_large(self, name: str) -> bool:
        """Whether a dictionary has so much text that a search of it may be slow."""
        try:
            return os.lstat(f"{self._root}/{name}").st_size >= _LARGE
        except (OSError, ValueError):
            return False

    def names(self) -> list[str]:
        """
        The names of the dictionaries that may be read, in order.

        That takes a while where there are thousands: it is for a thread.

        @raise OSError: a folder cannot be listed, and neither is it gone nor may
            it not be read.
        """
        names = sorted(self._names_of(self._entries()))
        self.count = len(names)
        return names

    async def named(
        self,
        asked: str,
        in_thread: Callable[[Callable[[], list[str]]], Awaitable[list[str]]],
    ) -> list[str]:
        """
        The dictionaries that are asked for.

        @param asked: a name, or C{"*"} for every dictionary.
        @param in_thread: runs what may block.
        """
        if asked != EVERY_DICTIONARY:
            return [asked]
        return await in_thread(self.names)

    def _some_names(self) -> list[str]:
        """Some names, in order: all of them where the library is small."""
        return sorted(self._names_of(islice(self._entries(), _MAX_LOOKED_AT)))

    def _entries(self) -> Iterator[tuple[str, os.DirEntry[str]]]:
        """All files and folders with their names, one folder after another."""
        folders = [""]
        while folders:
            prefix = folders.pop()
            try:
                with os.scandir(os.path.join(self._root, prefix)) as entries:
                    for entry in entries:
                        name = prefix + entry.name
                        if self._is_open_folder(name, entry):
                            folders.append(f"{name}/")
                        yield name, entry
            except OSError as error:
                # What is too deep down for a path cannot be opened, either.
                if error.errno not in _ABSENT | _FORBIDDEN:
                    raise

    def _is_open_folder(self, name: str, entry: os.DirEntry[str]) -> bool:
        """Whether there may be dictionaries in it."""
        return entry.is_dir(follow_symlinks=False) and not (
            entry.name.startswith(".") or self._is_companion(name)
        )

    def _names_of(
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
        if not name.endswith(_COMPANIONS):
            return False
        stem, _ = os.path.splitext(name)
        return os.path.lexists(os.path.join(self._root, stem))
