"""
The library: the dictionaries in a folder.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from twisted_quotes.errors import DictionaryNotFound, DictionaryNotText, QuotesError
from twisted_quotes.query.queries import ALL_DICTIONARIES
from twisted_quotes.query.suggestions import suggest_similar
from twisted_quotes.text.display import printable

from .dictionary import Dictionary, FileState, PathState
from .opening import is_excluded, is_hidden, open_dictionary
from .scanner import LibraryScanner, OnFolder
from .text_files import TextFiles

_MAX_SCANNED_ENTRIES = 300
"""The maximum number of files and folders that an error for an unknown name costs."""

_MAX_PATH_DEPTH = 32
"""L{Library.path_state} has no result for deeper paths: it looks at each folder."""

_LARGE_SIZE = 1024 * 1024


class LibraryUnusable(Exception):
    """The library cannot be served. The message is the reason, in one line."""


class Library:
    """
    A folder of dictionaries.

    @param root: the folder.
    @param default: the dictionary for API v1 requests that name none, or C{"*"} for
        all; L{None} for the first by name.
    @ivar root: the absolute path of the folder.
    @raise LibraryUnusable: the folder cannot be listed, or the default dictionary
        cannot be read.
    """

    def __init__(self, root: str | Path, default: str | None = None) -> None:
        self.root = os.path.abspath(root)
        self._text_files = TextFiles()
        self._scanner = LibraryScanner(self.root, self._text_files)
        try:
            os.listdir(self.root)
            if default is None or default == ALL_DICTIONARIES:
                first = self.names()[0]
                default = default or first
            self.default = default
            self.check_default()
        except IndexError:
            raise LibraryUnusable(f"there is no dictionary in {self.root}") from None
        except OSError as error:
            raise LibraryUnusable(
                f"cannot read the dictionaries in {self.root}: {error.strerror}"
            ) from None
        except QuotesError as error:
            raise LibraryUnusable(
                f"the default dictionary, in {self.root}: {error.message}"
            ) from None

    def check_default(self) -> None:
        """
        Check that the default dictionary, or the library, can be read.

        The errors are those of L{open}, or L{OSError}.
        """
        if self.default == ALL_DICTIONARIES:
            os.listdir(self.root)
        else:
            self.open(self.default).close()

    def open(self, dictionary_name: str) -> Dictionary:
        """
        Open a dictionary.

        @param dictionary_name: its path in the library.
        @raise DictionaryForbidden: the name leads outside the library or to
            something hidden, or the file is not regular or not readable.
        @raise DictionaryNotFound: there is no such dictionary.
        @raise DictionaryNotText: the file is not text.
        """
        try:
            dictionary = open_dictionary(self.root, dictionary_name)
        except FileNotFoundError:
            raise self._not_found(dictionary_name) from None
        if not dictionary.is_text:
            dictionary.close()
            state = dictionary.state
            self._text_files.reject(dictionary_name, state.inode, state.changed)
            raise DictionaryNotText(printable(dictionary_name))
        return dictionary

    def _not_found(self, dictionary_name: str) -> DictionaryNotFound:
        """Return an error that names dictionaries: in a small library, all of them."""
        names = list(map(printable, self._scanner.names(_MAX_SCANNED_ENTRIES)))
        name = printable(dictionary_name)
        return DictionaryNotFound(name, names, suggest_similar(name, names))

    def path_state(
        self, dictionary_name: str, with_header: bool = False
    ) -> PathState | None:
        """
        Return what identifies a dictionary and the folders that lead to it.

        This is much cheaper than to open the dictionary. It does not tell whether
        the dictionary may be served, but it differs as soon as that could differ.

        @param with_header: whether to include the C{.dat} file beside it, which says
            how its quotes are read.
        @return: L{None} if there is no such file, if it is very deep in the library,
            or if its path contains a symbolic link: what that points to could change
            and change back unnoticed.
        """
        segments = dictionary_name.split("/")
        if is_hidden(segments) or len(segments) > _MAX_PATH_DEPTH:
            return None
        path, states = self.root, []
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
        if not stat.S_ISREG(status.st_mode) or is_excluded(self.root, dictionary_name):
            return None
        states.append((status.st_dev, status.st_ino, status.st_ctime_ns))
        if with_header:
            with suppress(OSError):
                status = os.lstat(f"{path}.dat")
                states.append((status.st_dev, status.st_ino, status.st_ctime_ns))
        return tuple(states)

    def is_large(self, dictionary_name: str) -> bool:
        """Return whether a search of a dictionary may be slow because of its size."""
        try:
            status = os.lstat(f"{self.root}/{dictionary_name}")
        except (OSError, ValueError):
            return False
        # A link is not followed: it may lead outside.
        return status.st_size >= _LARGE_SIZE or stat.S_ISLNK(status.st_mode)

    def names(self) -> list[str]:
        """
        Return the names of all dictionaries that may be read, in order.

        @raise OSError: a folder cannot be listed, although it exists and is readable.
        """
        return self._scanner.names()

    def states(
        self, on_folder: OnFolder, known: Mapping[str, FileState]
    ) -> dict[str, FileState]:
        """
        Return the states of all dictionaries that may be read, by name, in order.

        Call this in a thread: it blocks for a while if there are thousands.

        @param on_folder: called with the path of each folder, or file with several
            names, before it is looked at.
        @param known: earlier states, by name; see L{LibraryScanner.states}.
        @raise OSError: a folder cannot be listed, although it exists and is readable.
        """
        return self._scanner.states(on_folder, known)
