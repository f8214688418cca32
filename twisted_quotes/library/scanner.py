"""
Finding the dictionaries of a library.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from errno import EACCES, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, EPERM
from heapq import heappop, heappush
from itertools import islice
from operator import itemgetter
from typing import TypeAlias

from twisted_quotes.errors import DictionaryForbidden
from twisted_quotes.query.queries import ALL_DICTIONARIES

from .paths import is_hidden, resolve, resolve_file
from .text_files import TextFiles

# A folder was removed, or may not be listed, or its path is too long.
_SKIPPED_ERRNOS = {EACCES, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, EPERM}

# Files that strfile(1) and Debian store beside a fortune file.
_COMPANION_SUFFIXES = (".dat", ".u8")


_Scanned: TypeAlias = tuple[str, os.DirEntry[str], int]
"""A name in the library, what it names, and the device of the folder of that."""


class LibraryScanner:
    """
    Finds the dictionaries of a library.

    Hidden files and folders are skipped. A link to a folder is followed only if it
    leads through a hidden folder, because all other folders are scanned anyway.

    @param root: the absolute path of the library.
    @param text_files: tells which files are text.
    """

    def __init__(self, root: str, text_files: TextFiles) -> None:
        self._root = root
        self._text_files = text_files

    def names(self, max_entries: int | None = None) -> list[str]:
        """
        Return the names of the dictionaries that may be read, in order.

        A file with several names, because of links, has only the first of them.

        @param max_entries: the maximum number of files and folders to look at.
        @raise OSError: a folder cannot be listed, although it exists and is readable.
        """
        scanned = islice(self._scan(), max_entries)
        readable = [x for x in scanned if self._may_read(x[0], x[1])]
        readable.sort(key=itemgetter(0))
        names = _first_names(readable)
        if max_entries is None:
            self._text_files.forget_others(names)
        return names

    def _scan(self) -> Iterator[_Scanned]:
        """Yield all visible files and folders, one folder after another."""
        # Linked folders come last, in the order of their names.
        folders, linked_folders, walked = [""], list[str](), set[tuple[int, int]]()
        while folders or linked_folders:
            prefix = folders.pop() if folders else heappop(linked_folders)
            try:
                path = os.path.join(self._root, prefix)
                status = os.stat(path)
                identity = status.st_dev, status.st_ino
                if identity in walked:
                    continue
                walked.add(identity)
                with os.scandir(path) as entries:
                    for entry in entries:
                        name = prefix + entry.name
                        if entry.is_symlink():
                            if self._is_hidden_folder(name, entry):
                                heappush(linked_folders, f"{name}/")
                        elif self._is_visible_folder(name, entry):
                            folders.append(f"{name}/")
                        yield name, entry, status.st_dev
            except OSError as error:
                if error.errno not in _SKIPPED_ERRNOS:
                    raise

    def _is_visible_folder(self, name: str, entry: os.DirEntry[str]) -> bool:
        return entry.is_dir(follow_symlinks=False) and not (
            is_hidden([entry.name]) or self._is_companion(name)
        )

    def _is_hidden_folder(self, name: str, entry: os.DirEntry[str]) -> bool:
        """Return whether a link leads to a folder that is otherwise hidden."""
        try:
            return (
                not is_hidden([entry.name])
                and entry.is_dir()
                and is_hidden(resolve(self._root, name)[1])
            )
        except (OSError, DictionaryForbidden):
            return False

    def _may_read(self, name: str, entry: os.DirEntry[str]) -> bool:
        """Return whether a file, or the target of a link, is a readable dictionary."""
        try:
            if entry.name.startswith(".") or self.is_excluded(name):
                return False
            name.encode()
            if entry.is_symlink():
                resolve_file(self._root, name)
            return (
                entry.is_file()
                and os.access(entry.path, os.R_OK, effective_ids=True)
                and self._text_files.includes(name, entry)
            )
        except (OSError, UnicodeEncodeError, DictionaryForbidden):
            return False

    def is_excluded(self, name: str) -> bool:
        """Return whether a name cannot be requested, or is that of a companion."""
        return name == ALL_DICTIONARIES or self._is_companion(name)

    def _is_companion(self, name: str) -> bool:
        """Return whether a file belongs to a fortune file."""
        if not name.endswith(_COMPANION_SUFFIXES):
            return False
        stem, _ = os.path.splitext(name)
        return os.path.lexists(os.path.join(self._root, stem))


def _first_names(scanned: Iterable[_Scanned]) -> list[str]:
    """Return the first name of each file."""
    names = []
    firsts: dict[tuple[int, int], os.DirEntry[str]] = {}
    identities = set[tuple[int, int]]()
    for name, entry, device in scanned:
        # A file that has been removed meanwhile has no identity.
        with suppress(OSError):
            if entry.is_symlink():
                identity = _identity(entry)
            else:
                identity = device, entry.inode()
            first = firsts.setdefault(identity, entry)
            if first is not entry:
                # Some file systems list all files with the same inode.
                identities.add(_identity(first))
                if _identity(entry) in identities:
                    continue
                identities.add(_identity(entry))
            names.append(name)
    return names


def _identity(entry: os.DirEntry[str]) -> tuple[int, int]:
    """Return the device and inode of a file, or of the target of a link."""
    status = entry.stat()
    return status.st_dev, status.st_ino
