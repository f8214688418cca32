"""
Watching the files of a library with inotify(7).
"""

from __future__ import annotations

import os
import re
from select import POLLIN, poll
from typing import Any

from twisted.internet import inotify
from twisted.python.filepath import FilePath

from twisted_quotes.concurrency.closing import Closeable

_EVENTS = (
    inotify.IN_ATTRIB
    | inotify.IN_MODIFY
    | inotify.IN_CLOSE_WRITE
    | inotify.IN_CREATE
    | inotify.IN_DELETE
    | inotify.IN_DELETE_SELF
    | inotify.IN_MOVED_FROM
    | inotify.IN_MOVED_TO
    | inotify.IN_MOVE_SELF
)
_LOCAL_FILE_SYSTEMS = (
    *("btrfs", "erofs", "ext2", "ext3", "ext4", "f2fs", "iso9660", "jfs", "overlay"),
    *("ramfs", "reiserfs", "squashfs", "tmpfs", "xfs", "zfs"),
)
_ESCAPE = re.compile(r"\\([0-7]{3})")


class CannotWatch(Exception):
    """The changes of files cannot be watched. The message is the reason."""


class FileWatcher(Closeable):
    """
    Tells whether any of some files and folders has changed.

    The kernel queues an event within each change: one that was made before
    L{has_changed} is called is never missed. Which event it is does not matter, so no
    event is ever read.

    @raise CannotWatch: the kernel gives no more watchers.
    """

    def __init__(self, reactor: Any) -> None:
        try:
            self._inotify = inotify.INotify(reactor)
        except inotify.INotifyError as error:
            raise CannotWatch(f"{error} (fs.inotify.max_user_instances)") from None
        self._poll = poll()
        self._poll.register(self._inotify.fileno(), POLLIN)

    def watch(self, path: str) -> None:
        """
        Watch a file, or a folder and the files in it.

        One that does not exist, or may not be read, is not watched: the folder that
        contains it tells when that changes.

        @raise CannotWatch: there are too many.
        """
        try:
            self._inotify.watch(FilePath(path), _EVENTS)
        except inotify.INotifyError:
            if os.access(path, os.R_OK):
                reason = f"no watch for {path} (fs.inotify.max_user_watches)"
                raise CannotWatch(reason) from None

    def has_changed(self) -> bool:
        """Return whether anything has changed since it is watched."""
        return bool(self._poll.poll(0))

    def close(self) -> None:
        """End all watches. This can be called in a thread, and takes a while."""
        # The reactor does not know this object.
        os.close(self._inotify.fileno())


def find_remote_file_system(root: str, mounts: str) -> str | None:
    """
    Return the type of the file system of a folder, or of one mounted below it.

    @param root: the real path of the folder.
    @param mounts: the content of C{/proc/self/mountinfo} (proc(5)).
    @return: L{None} if all of them are local, so that inotify tells of each change.
    """
    root = root.rstrip("/")
    types = {}
    for line in mounts.splitlines():
        fields, _, rest = line.partition(" - ")
        path = _ESCAPE.sub(lambda match: chr(int(match[1], 8)), fields.split()[4])
        types[path.rstrip("/")] = rest.split()[0]
    above = [path for path in types if f"{root}/".startswith(f"{path}/")]
    if not above:
        return "unknown"  # In a changed root folder.
    below = [path for path in types if path.startswith(f"{root}/")]
    for path in (max(above, key=len), *below):
        if types[path] not in _LOCAL_FILE_SYSTEMS:
            return types[path]
    return None
