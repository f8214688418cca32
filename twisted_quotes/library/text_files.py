"""
Which files of a library are text, and so dictionaries.
"""

from __future__ import annotations

import os
from collections.abc import Collection

from twisted.logger import Logger

from twisted_quotes.quotes.encodings import START_SIZE, detect_encoding


class TextFiles:
    """
    Tells which files are text, and reads the start of each for that only once.

    A text that is replaced in place by other data is noticed when it is opened; then
    L{reject} is called.
    """

    _log = Logger()

    def __init__(self) -> None:
        # The inodes of text files, by their names in the library.
        self._texts: dict[str, int] = {}
        # The inode and the ctime in nanoseconds of each other file.
        self._others: dict[str, tuple[int, int]] = {}

    def includes(self, name: str, entry: os.DirEntry[str]) -> bool:
        """
        Return whether a file is text.

        @param name: its name in the library.
        @param entry: what is known about the file, or about the link to it.
        @raise OSError: it cannot be read.
        """
        inode = entry.inode()
        if self._texts.get(name) == inode:
            return True
        status = os.stat(entry.path)
        if self._others.get(name) == (status.st_ino, status.st_ctime_ns):
            return False
        # Without O_NONBLOCK this would block on a FIFO that has replaced the file.
        descriptor = os.open(entry.path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            start = os.pread(descriptor, START_SIZE, 0)
        finally:
            os.close(descriptor)
        if detect_encoding(start) is None:
            self.reject(name, status.st_ino, status.st_ctime_ns)
            return False
        self._texts[name] = inode
        return True

    def reject(self, name: str, inode: int, changed: int) -> None:
        """
        Exclude a file, and log that it is not text when it is seen for the first time.

        @param changed: its ctime, in nanoseconds since 1970.
        """
        self._texts.pop(name, None)
        if self._others.get(name) != (inode, changed):
            self._others[name] = inode, changed
            self._log.warn(
                "The file {name!a} is not text, and is not served.", name=name
            )

    def forget_others(self, names: Collection[str]) -> None:
        """Forget the text files that no longer exist, if they are many."""
        if len(self._texts) > 2 * len(names) + 1000:
            self._texts = {x: self._texts[x] for x in names if x in self._texts}
