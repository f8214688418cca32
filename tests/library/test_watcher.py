"""
Tests for L{twisted_quotes.library.watcher}.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from twisted.internet import inotify
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.library.watcher import (
    CannotWatch,
    FileWatcher,
    find_remote_file_system,
)

from ..fakes import FakeReactor

MOUNTS = """\
22 27 0:21 / /proc rw - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
28 27 0:40 / /srv/remote rw - nfs4 server:/x rw
29 27 0:41 / /home/me/a\\040b rw - fuse.sshfs there rw
30 27 0:42 / /srv rw master:1 - xfs /dev/vdb rw
"""


class WatcherTests(SynchronousTestCase):
    """Tests of L{FileWatcher}."""

    def setUp(self) -> None:
        self.folder = Path(self.enterContext(TemporaryDirectory()))
        self.book = self.folder / "book"
        self.book.write_text("text")
        (self.folder / "sub").mkdir()

    def watch(self, *paths: Path) -> FileWatcher:
        """Watch files and folders."""
        watcher = FileWatcher(FakeReactor())
        self.addCleanup(watcher.close)
        for path in paths:
            watcher.watch(str(path))
        return watcher

    def test_any_change_is_noticed_at_once(self) -> None:
        def replace() -> None:
            (self.folder / "new").write_text("new")
            (self.folder / "new").rename(self.book)

        changes: list[Callable[[], object]] = [
            lambda: self.book.write_text("other"),
            lambda: os.utime(self.book),
            lambda: self.book.chmod(0o600),
            replace,
            lambda: (self.folder / "another").write_text(""),
            lambda: (self.folder / "another").unlink(),
            lambda: (self.folder / "sub").chmod(0o700),
            lambda: (self.folder / "sub").rmdir(),
            lambda: (self.folder / "link").symlink_to("book"),
        ]
        for change in changes:
            watcher = self.watch(self.folder)
            self.assertFalse(watcher.has_changed())
            change()
            self.assertTrue(watcher.has_changed())
            self.assertTrue(watcher.has_changed())

    def test_reading_is_no_change(self) -> None:
        watcher = self.watch(self.folder)
        self.book.read_text()
        os.listdir(self.folder)
        self.assertFalse(watcher.has_changed())

    def test_a_file_may_be_watched_itself(self) -> None:
        """It may be changed by another of its names."""
        other = self.folder / "sub" / "other"
        os.link(self.book, other)
        watcher = self.watch(self.book)
        other.write_text("changed")
        self.assertTrue(watcher.has_changed())

    def test_what_cannot_be_read_need_not_be_watched(self) -> None:
        watcher = self.watch(self.folder / "none")
        self.assertFalse(watcher.has_changed())

    def test_too_many_watches_are_an_error(self) -> None:
        def fail(*_: Any) -> None:
            raise inotify.INotifyError("no")

        for method, limit in (("watch", "watches"), ("__init__", "instances")):
            with (
                patch.object(inotify.INotify, method, fail),
                self.assertRaisesRegex(CannotWatch, f"max_user_{limit}"),
            ):
                self.watch(self.folder)

    def test_closing_ends_all_watches(self) -> None:
        before = os.listdir("/proc/self/fd")
        watcher = FileWatcher(FakeReactor())
        watcher.watch(str(self.folder))
        watcher.close()
        self.assertEqual(len(os.listdir("/proc/self/fd")), len(before))


class FileSystemTests(SynchronousTestCase):
    """Tests of L{find_remote_file_system}."""

    def test_a_remote_file_system_is_found(self) -> None:
        """Above a folder, or below it."""
        for folder, expected in (
            *(("/", "proc"), ("/var/lib", None), ("/srv/local", None)),
            *(("/srv", "nfs4"), ("/srv/remote/x", "nfs4"), ("/srv/remotely", None)),
            *(("/home/me/a b", "fuse.sshfs"), ("/home", "fuse.sshfs")),
            ("/home/me/a", None),
        ):
            found = find_remote_file_system(folder, MOUNTS)
            self.assertEqual(found, expected, folder)

    def test_temporary_files_are_local(self) -> None:
        mounts = Path("/proc/self/mountinfo").read_text()
        with TemporaryDirectory() as folder:
            self.assertIsNone(find_remote_file_system(folder, mounts))
