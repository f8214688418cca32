"""
The access log: a file that may be moved away, or be on a full disk.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from twisted.logger import Logger


class AccessLog:
    """
    A log file that is appended to, a whole line at a time.

    Where the file has been moved away, as by logrotate, a new one is begun.
    Where it cannot be written, that is logged once, and answers go on.

    @param path: the file; it is made if it is not there.
    @raise OSError: it cannot be opened.
    """

    _log = Logger()

    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptor = self._open()
        self._failed = False

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)

    def write(self, line: str) -> None:
        """Append a line, if that is possible."""
        self._attempt(lambda: self._append(line))

    def reopen(self) -> None:
        """Open the file at the path anew; it is made if it is not there."""
        self._attempt(self._reopen)

    def _attempt(self, action: Callable[[], None]) -> None:
        """Do something with the file. If it fails, log the first failure in a row."""
        try:
            action()
        except OSError as error:
            if not self._failed:
                self._log.error(
                    "Cannot write the access log {path!a}: {reason!a}",
                    path=self._path,
                    reason=error.strerror,
                )
            self._failed = True
        else:
            self._failed = False

    def _append(self, line: str) -> None:
        self._reopen_if_moved()
        os.write(self._descriptor, line.encode())

    def _reopen_if_moved(self) -> None:
        """Begin a new file where the old one is no longer at the path."""
        try:
            moved = not os.path.samestat(
                os.stat(self._path), os.fstat(self._descriptor)
            )
        except FileNotFoundError:
            moved = True
        if moved:
            self._reopen()

    def _reopen(self) -> None:
        old, self._descriptor = self._descriptor, self._open()
        os.close(old)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)
