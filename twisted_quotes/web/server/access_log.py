"""
The access log file, which may be moved away by logrotate or be on a full disk.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from twisted.logger import Logger


class AccessLog:
    """
    A log file to which whole lines are appended.

    If the file has been moved away, a new one is made. If it cannot be written, this is
    logged once, and the service continues.

    @param path: the path of the file, which is made if it does not exist.
    @raise OSError: the file cannot be opened.
    """

    _log = Logger()

    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptor = self._open()
        self._failed = False

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)

    def write(self, line: str) -> None:
        self._attempt(lambda: self._append(line))

    def reopen(self) -> None:
        """Open the file at the path, which is made if it does not exist."""
        self._attempt(self._reopen)

    def close(self) -> None:
        os.close(self._descriptor)

    def _attempt(self, action: Callable[[], None]) -> None:
        """Call a function, and log the first of several consecutive failures."""
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
        opened = os.fstat(self._descriptor)
        try:
            was_moved = not os.path.samestat(os.stat(self._path), opened)
        except FileNotFoundError:
            was_moved = True
        if was_moved:
            self._reopen()
        os.write(self._descriptor, line.encode())

    def _reopen(self) -> None:
        old, self._descriptor = self._descriptor, self._open()
        os.close(old)
