"""
Telling other processes with the same cache which packs this one uses.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress


class SharedFolders:
    """
    The folders of packs that this process uses.

    Each is locked for as long, if the file system has locks. The kernel unlocks those
    of a process that is killed.
    """

    def __init__(self) -> None:
        self._descriptors: dict[str, int] = {}

    def add(self, folder: str) -> None:
        """Tell other processes that a folder is used, if that is possible."""
        with suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            self._descriptors[folder] = descriptor
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)

    def remove(self, folder: str) -> None:
        """Tell other processes that a folder is not used any more."""
        descriptor = self._descriptors.pop(folder, None)
        if descriptor is not None:
            os.close(descriptor)


def is_used_elsewhere(folder: str) -> bool:
    """Return whether another process uses a folder that this one does not use."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass  # The file system has no locks.
    finally:
        os.close(descriptor)
    return False
