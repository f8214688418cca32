"""
Tests for L{twisted_quotes.library.monitor}.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.library import monitor as monitor_module
from twisted_quotes.library.dictionary import STABLE_TIME
from twisted_quotes.library.library import Library
from twisted_quotes.library.monitor import MAX_AGE, LibraryMonitor, Snapshot
from twisted_quotes.library.stability import MAX_WAITS
from twisted_quotes.library.watcher import CannotWatch, FileWatcher

from ..fakes import FakeReactor, run_immediately
from .packs.building.cases import FakeThreads


class MonitorTests(SynchronousTestCase):
    """Tests of L{LibraryMonitor}."""

    def setUp(self) -> None:
        self.temporary_folder = Path(self.enterContext(TemporaryDirectory()))
        self.folder = self.temporary_folder / "library"
        (self.folder / "sub").mkdir(parents=True)
        (self.folder / "book").write_text("one")
        (self.folder / "sub" / "other").write_text("two")
        self.reactor = FakeReactor()
        self.now = 2.0**33
        self.scan_count = 0
        self.monitor = self.make_monitor(run_immediately)

    def make_monitor(self, in_thread: Any) -> LibraryMonitor:
        """Return a monitor of the library, whose scans are counted."""
        library = Library(self.folder)
        real = library.states

        def states(*arguments: Any) -> Any:
            self.scan_count += 1
            return real(*arguments)

        self.patch(library, "states", states)
        reactor: Any = self.reactor
        monitor = LibraryMonitor(reactor, library, in_thread, lambda: self.now)
        self.addCleanup(monitor.stop)
        return monitor

    def snapshot(self) -> Snapshot:
        """Return what the library holds."""
        return self.successResultOf(self.monitor.snapshot())

    def test_a_snapshot_has_the_states_of_all_dictionaries(self) -> None:
        snapshot = self.snapshot()
        self.assertEqual(list(snapshot.states), ["book", "sub/other"])
        for name, state in snapshot.states.items():
            self.assertEqual(state.size, (self.folder / name).stat().st_size)
        self.assertEqual(self.monitor.count, 2)

    def test_states_that_have_not_changed_are_those_of_the_snapshot_before(
        self,
    ) -> None:
        before = self.snapshot().states
        (self.folder / "book").write_text("changed")
        states = self.snapshot().states
        self.assertIs(states["sub/other"], before["sub/other"])
        self.assertNotEqual(states["book"], before["book"])

    def test_it_is_used_until_something_changes(self) -> None:
        snapshot = self.snapshot()
        for _ in range(3):
            self.assertIs(self.snapshot(), snapshot)
        self.assertEqual(self.scan_count, 1)

    def test_every_change_is_seen(self) -> None:
        """In folders and their folders, of files, headers and linked files."""
        hidden = self.folder / ".hidden"
        hidden.mkdir()
        (hidden / "text").write_text("three")
        (self.folder / "link").symlink_to(".hidden/text")
        outside = self.temporary_folder / "outside"
        outside.write_text("four")
        os.link(outside, self.folder / "linked")

        def swap_root() -> None:
            new = self.temporary_folder / "new"
            new.mkdir()
            (new / "x").write_text("x")
            self.folder.rename(self.temporary_folder / "old")
            new.rename(self.folder)

        header = bytes.fromhex("00000002" + "00" * 12 + "00000004" + "25000000")
        changes: list[Callable[[], object]] = [
            lambda: (self.folder / "book").write_text("longer"),
            lambda: (self.folder / "sub" / "other").write_text("longer"),
            lambda: (hidden / "text").write_text("longer"),
            lambda: outside.write_text("longer"),
            lambda: (self.folder / "book.dat").write_bytes(header),
            lambda: (self.folder / "deep" / "er").mkdir(parents=True),
            lambda: (self.folder / "deep" / "er" / "new").write_text("new"),
            lambda: (self.folder / "deep" / "er" / "new").unlink(),
            lambda: (self.folder / "sub").rename(self.folder / "moved"),
            swap_root,
        ]
        for change in changes:
            self.snapshot()
            change()
            self.assertEqual(
                self.snapshot().states, Library(self.folder).states(lambda _: None, {})
            )

    def test_requests_during_a_scan_share_it(self) -> None:
        """If something changes meanwhile, they share the next one."""
        threads = FakeThreads()
        self.monitor = self.make_monitor(threads)
        first = self.monitor.snapshot()
        others = [self.monitor.snapshot() for _ in range(5)]
        threads.run_all()
        for each in (first, *others):
            self.successResultOf(each)
        self.assertEqual(self.scan_count, 1)
        (self.folder / "book").write_text("longer")
        first = self.monitor.snapshot()
        (self.folder / "book").write_text("much longer")
        others = [self.monitor.snapshot() for _ in range(5)]
        threads.run(1)
        self.successResultOf(first)
        (self.folder / "book").write_text("even longer")
        threads.run_all()
        for each in others:
            size = self.successResultOf(each).states["book"].size
            self.assertEqual(size, len("even longer"))

    def test_an_old_snapshot_is_refreshed(self) -> None:
        """Not every change is told of. No request waits for that."""
        threads = FakeThreads()
        self.monitor = self.make_monitor(threads)
        found = self.monitor.snapshot()
        threads.run_all()
        before = self.successResultOf(found)
        self.reactor.advance(MAX_AGE + 1)
        for _ in range(3):
            self.assertIs(self.snapshot(), before)
        threads.run_all()
        self.assertEqual(self.scan_count, 2)
        self.snapshot()
        self.assertEqual((self.scan_count, threads.waiting), (2, []))

    def test_a_recent_change_is_waited_for(self) -> None:
        """But not for ever, and such a snapshot is not kept."""
        changed = (self.folder / "book").stat().st_ctime
        self.now = changed + 0.001
        found: Deferred[Snapshot] = self.monitor.snapshot()
        self.assertNoResult(found)
        self.now += 1
        self.reactor.advance(STABLE_TIME)
        self.assertTrue(self.successResultOf(found).is_stable)
        (self.folder / "book").write_text("again")
        self.now = (self.folder / "book").stat().st_ctime + 0.001
        found = self.monitor.snapshot()
        for _ in range(MAX_WAITS):
            self.reactor.advance(STABLE_TIME)
        self.assertFalse(self.successResultOf(found).is_stable)
        count = self.scan_count
        self.now += 1
        self.snapshot()
        self.assertEqual(self.scan_count, count + 1)

    def test_a_large_library_is_scanned_when_the_change_is_old_enough(self) -> None:
        self.patch(monitor_module, "_MANY", 0)
        self.snapshot()
        (self.folder / "book").write_text("longer")
        found = self.monitor.snapshot()
        self.assertEqual(self.scan_count, 1)
        self.reactor.advance(STABLE_TIME)
        self.successResultOf(found)
        self.assertEqual(self.scan_count, 2)

    def test_a_folder_that_cannot_be_listed_is_an_error(self) -> None:
        """The next request looks again."""

        def fail(*_: object) -> None:
            raise OSError("the disk is broken")

        patched = self.patch(self.monitor._library, "states", fail)
        self.failureResultOf(self.monitor.snapshot(), OSError)
        patched.restore()
        self.snapshot()

    def cannot_watch(self) -> None:
        """Let the kernel refuse to watch."""

        def fail(*_: object) -> None:
            raise CannotWatch("there are too many")

        self.patch(FileWatcher, "watch", fail)

    def test_files_that_cannot_be_watched_are_looked_at_each_time(self) -> None:
        """That is logged once."""
        self.cannot_watch()
        with capturedLogs() as events:
            for number in range(3):
                self.snapshot()
                self.assertEqual(self.scan_count, number + 1)
        [message] = map(formatEvent, events)
        self.assertIn("cannot be watched: 'there are too many'", message or "")

    def test_files_on_a_remote_file_system_are_not_watched(self) -> None:
        self.patch(monitor_module, "find_remote_file_system", lambda *_: "nfs4")
        with capturedLogs() as events:
            for _ in range(2):
                self.snapshot()
        [message] = map(formatEvent, events)
        self.assertIn("the file system is nfs4", message or "")
        self.assertEqual(self.scan_count, 2)

    def test_what_is_forgotten_is_looked_at_again(self) -> None:
        """Then it may be possible to watch it."""
        patched = self.patch(
            monitor_module, "find_remote_file_system", lambda *_: "nfs4"
        )
        with capturedLogs():
            self.snapshot()
        patched.restore()
        self.monitor.forget()
        for _ in range(3):
            self.snapshot()
        self.assertEqual(self.scan_count, 2)
        self.monitor.forget()
        self.snapshot()
        self.assertEqual(self.scan_count, 3)

    def test_no_file_stays_open_after_the_end(self) -> None:
        before = os.listdir("/proc/self/fd")
        self.snapshot()
        (self.folder / "book").write_text("longer")
        self.snapshot()
        self.monitor.stop()
        self.assertEqual(len(os.listdir("/proc/self/fd")), len(before))
