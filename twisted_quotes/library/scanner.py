"""
Finding the dictionaries of a library.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from errno import EACCES, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, EPERM
from heapq import heappop, heappush
from itertools import islice
from stat import S_ISDIR
from typing import TypeAlias

from twisted_quotes.errors import DictionaryForbidden
from twisted_quotes.quotes.strfile import read_strfile_header

from .dictionary import FileState
from .opening import is_companion, is_excluded, is_hidden, resolve
from .text_files import TextFiles

# A folder was removed, or may not be listed, or its path is too long.
_SKIPPED_ERRNOS = {EACCES, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, EPERM}

_Identity: TypeAlias = tuple[int, int]
"""The device and the inode of a file."""

OnFolder: TypeAlias = Callable[[str], object]
"""Is called with the path of each folder before it is looked at."""


def _ignore(_: str) -> None:
    """Do nothing with a folder."""


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
        return list(self._entries(max_entries))

    def states(
        self, on_folder: OnFolder, known: Mapping[str, FileState]
    ) -> dict[str, FileState]:
        """
        Return the states of the dictionaries that may be read, by name, in order.

        @param on_folder: called with the path of each folder whose changes can change
            the result, before it is listed.
        @param known: earlier states, by name. One that is still the same is returned
            itself, so that each state is in memory once.
        @raise OSError: a folder cannot be listed, although it exists and is readable.
        """
        states = {}
        has_headers = False

        def note_header(name: str) -> None:
            nonlocal has_headers
            has_headers = has_headers or name.endswith(".dat")

        for name, is_link in self._entries(None, on_folder, note_header).items():
            path = os.path.join(self._root, name)
            try:
                if is_link:
                    # What is beside a link does not matter.
                    path = os.path.realpath(path)
                status = os.stat(path)
                if status.st_nlink > 1:
                    # It may be changed by a name in another folder.
                    on_folder(path)
                    status = os.stat(path)
            except OSError:
                continue  # It was removed meanwhile.
            has_header = has_headers or is_link
            header = read_strfile_header(path) if has_header else None
            state, earlier = FileState.from_stat(status, header), known.get(name)
            states[name] = earlier if earlier == state else state
        return states

    def _entries(
        self,
        max_entries: int | None,
        on_folder: OnFolder = _ignore,
        on_name: Callable[[str], object] = _ignore,
    ) -> dict[str, bool]:
        """
        Return the names of the dictionaries that may be read, in order, and for each
        whether it is a link.
        """
        # No entry is kept: with the result of stat, it takes more than a kilobyte.
        found = {}
        for name, entry, identity in islice(self._scan(on_folder), max_entries):
            on_name(name)
            if self._may_read(name, entry):
                found[name] = entry.is_symlink(), identity
        names = sorted(found)
        identities = {name: found[name][1] for name in names}
        if len(set(identities.values())) < len(names):
            names = self._without_repeats(names, identities)
        if max_entries is None:
            self._text_files.forget_others(names)
        return {name: found[name][0] for name in names}

    def _without_repeats(
        self, names: Iterable[str], identities: Mapping[str, _Identity]
    ) -> list[str]:
        """Return the first name of each file."""
        counts, seen, firsts = Counter(identities.values()), set[_Identity](), []
        for name in names:
            if counts[identities[name]] > 1:
                # Some file systems list all files with the same inode.
                try:
                    identity = _identity(os.path.join(self._root, name))
                except OSError:
                    continue  # It was removed meanwhile.
                if identity in seen:
                    continue
                seen.add(identity)
            firsts.append(name)
        return firsts

    def _scan(
        self, on_folder: OnFolder
    ) -> Iterator[tuple[str, os.DirEntry[str], _Identity]]:
        """
        Yield all visible files and folders, one folder after another.

        What a link leads to is looked at only if it is inside the library.
        """
        # Linked folders come last, in the order of their names.
        folders, linked_folders, walked = [""], list[str](), set[_Identity]()
        while folders or linked_folders:
            prefix = folders.pop() if folders else heappop(linked_folders)
            try:
                path = os.path.join(self._root, prefix)
                folder = device, _ = _identity(path)
                if folder in walked:
                    continue
                walked.add(folder)
                on_folder(path)
                with os.scandir(path) as entries:
                    for entry in entries:
                        name, identity = prefix + entry.name, (device, entry.inode())
                        if entry.is_symlink():
                            target = self._target(name, entry, on_folder)
                            if target is None:
                                continue
                            identity, is_hidden_folder = target
                            if is_hidden_folder:
                                heappush(linked_folders, f"{name}/")
                        elif self._is_visible_folder(name, entry):
                            folders.append(f"{name}/")
                        yield name, entry, identity
            except OSError as error:
                if error.errno not in _SKIPPED_ERRNOS:
                    raise

    def _is_visible_folder(self, name: str, entry: os.DirEntry[str]) -> bool:
        return entry.is_dir(follow_symlinks=False) and not (
            is_hidden([entry.name]) or is_companion(self._root, name)
        )

    def _target(
        self, name: str, entry: os.DirEntry[str], on_folder: OnFolder
    ) -> tuple[_Identity, bool] | None:
        """
        Return what a link leads to, and whether that is an otherwise hidden folder.

        @return: L{None} if it is hidden, or does not lead to a visible file, or to any
            folder, in the library.
        """
        if is_hidden([entry.name]):
            return None
        try:
            root, segments = resolve(self._root, name, on_folder)
            status = os.stat(os.path.join(root, *segments))
        except (OSError, DictionaryForbidden):
            return None
        is_folder = S_ISDIR(status.st_mode)
        if not is_folder and is_hidden(segments[-1:]):
            return None
        return (status.st_dev, status.st_ino), is_folder and is_hidden(segments)

    def _may_read(self, name: str, entry: os.DirEntry[str]) -> bool:
        """Return whether a file, or the target of a link, is a readable dictionary."""
        try:
            if entry.name.startswith(".") or is_excluded(self._root, name):
                return False
            name.encode()
            return (
                entry.is_file()
                and os.access(entry.path, os.R_OK, effective_ids=True)
                and self._text_files.includes(name, entry)
            )
        except (OSError, UnicodeEncodeError):
            return False


def _identity(path: str) -> _Identity:
    status = os.stat(path)
    return status.st_dev, status.st_ino
