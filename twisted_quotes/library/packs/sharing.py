"""
Telling other processes with the same cache which packs this one uses.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress

from .pack import Pack

MAX_LOCKED = 16
"""The maximum number of packs that are locked, because each takes a descriptor."""

_MAX_ATTEMPTS = 3


class SharedPacks:
    """
    The packs that this process uses.

    The folder of each is locked for as long, if the file system has locks. The kernel
    unlocks those of a process that is killed.
    """

    def __init__(self) -> None:
        self._descriptors: dict[Pack, int] = {}

    def add(self, pack: Pack) -> None:
        """Tell other processes that a pack is used, if that is possible."""
        if len(self._descriptors) >= MAX_LOCKED:
            return
        with suppress(OSError):
            descriptor = os.open(pack.folder, os.O_RDONLY | os.O_DIRECTORY)
            self._descriptors[pack] = descriptor
            for _ in range(_MAX_ATTEMPTS):
                # Another process may hold the other lock, for a moment.
                with suppress(BlockingIOError):
                    fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
                    break

    def remove(self, pack: Pack) -> None:
        """Tell other processes that a pack is not used any more."""
        descriptor = self._descriptors.pop(pack, None)
        if descriptor is not None:
            os.close(descriptor)


def is_used_elsewhere(path: str) -> bool:
    """Return whether another process has locked a file or folder, or may have."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass  # The file system has no locks.
    finally:
        os.close(descriptor)
    return False
