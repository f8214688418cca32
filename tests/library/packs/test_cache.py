"""
Tests for L{twisted_quotes.library.packs.cache}.
"""

from __future__ import annotations

import os
import stat
from errno import EMFILE
from pathlib import Path
from time import time
from unittest.mock import patch

from twisted.logger import LogLevel, capturedLogs

from twisted_quotes.library.packs.building.writer import write_pack
from twisted_quotes.library.packs.cache import PackCache
from twisted_quotes.library.packs.pack import Pack
from twisted_quotes.library.packs.plan import PackPlan

from .cases import PackTestCase, flip_byte


class CacheTests(PackTestCase):
    """Tests for storing and finding packs."""

    def setUp(self) -> None:
        super().setUp()
        self.cache_folder = self.temporary_folder / "a" / "cache"
        self.now = time()
        self.cache = self.make_cache()
        self.write({"one": "1"})

    def make_cache(self, root: str = "") -> PackCache:
        """Return a cache for a library."""
        return PackCache(
            str(self.cache_folder), root or str(self.folder), lambda: self.now
        )

    def store_pack(
        self, plan: PackPlan | None = None, cache: PackCache | None = None
    ) -> Pack:
        """Write a pack and store it."""
        cache, plan = cache or self.cache, plan or self.make_plan()
        build_folder = cache.create_build_folder(plan, True)
        write_pack(str(self.folder), plan, build_folder, {})
        return cache.store(build_folder, plan)

    def cached_names(self) -> list[str]:
        """Return the names of the entries of the cache."""
        return sorted(os.listdir(self.cache_folder))

    def assert_found(self, plan: PackPlan, pack: Pack, cache: PackCache) -> None:
        """Check that a pack is found in a cache."""
        found = cache.find(plan)
        assert found is not None
        self.assertEqual((found.folder, found.directory), (pack.folder, pack.directory))

    def test_a_stored_pack_is_found(self) -> None:
        """By this service and by the next one."""
        pack, plan = self.store_pack(), self.make_plan()
        self.assert_found(plan, pack, self.cache)
        self.assert_found(plan, pack, self.make_cache())
        [loaded] = self.make_cache().load_all({})
        self.assertEqual(loaded.folder, pack.folder)

    def test_a_pack_has_the_states_that_are_in_memory(self) -> None:
        plan = self.make_plan()
        packs = [self.store_pack(plan), self.cache.find(plan)]
        packs += self.cache.load_all(dict(plan.dictionaries))
        for pack in packs:
            assert pack is not None
            self.assertIs(pack.dictionaries[0].state, plan.dictionaries[0][1])

    def test_no_pack_of_another_plan_or_library_is_found(self) -> None:
        self.store_pack()
        plan = self.make_plan()
        other = self.make_cache("/another")
        self.assertIsNone(other.find(plan))
        self.assertEqual(list(other.load_all({})), [])
        self.write({"one": "2"})
        self.assertIsNone(self.cache.find(self.make_plan()))

    def test_a_pack_is_stored_for_the_states_that_it_has(self) -> None:
        """They may be later ones than planned."""
        plan = self.make_plan()
        self.write({"one": "changed"})
        pack = self.store_pack(plan)
        self.assertIsNone(self.cache.find(plan))
        self.assert_found(self.make_plan(), pack, self.cache)

    def test_a_pack_without_a_dictionary_that_is_gone_is_that_of_the_plan(self) -> None:
        """Otherwise it would be built for each request."""
        self.write({"two": "2"})
        plan = self.make_plan()
        (self.folder / "two").write_bytes(b"\0")
        pack = self.store_pack(plan)
        self.assert_found(plan, pack, self.cache)

    def test_a_pack_without_a_dictionary_is_another_than_that_of_the_plan(self) -> None:
        self.write({"two": "2"})
        plan = self.make_plan()
        (self.folder / "two").unlink()
        build_folder = self.cache.create_build_folder(plan, True)
        left_out = write_pack(str(self.folder), plan, build_folder, {})
        pack = self.cache.store(build_folder, plan, left_out)
        self.assertIsNone(self.cache.find(plan))
        self.assert_found(self.make_plan(), pack, self.cache)

    def test_a_detached_pack_makes_room_for_another(self) -> None:
        pack = self.store_pack()
        detached = self.cache.detach(pack.folder)
        self.assertTrue(os.path.isdir(detached))
        again = self.store_pack()
        self.cache.drop(detached)
        self.assertEqual(self.cached_names(), [Path(again.folder).name])

    def test_of_two_packs_of_the_same_plan_the_first_stays(self) -> None:
        first = self.store_pack()
        self.assertEqual(self.store_pack().folder, first.folder)
        self.assertTrue(os.path.isdir(first.folder))

    def test_another_process_may_store_the_same_pack_first(self) -> None:
        """Also between two attempts to store it."""
        store = self.store_pack

        class Interrupted(PackCache):
            def drop(self, written: str) -> None:
                super().drop(written)
                store()

        root = str(self.folder)
        pack = self.store_pack(cache=Interrupted(str(self.cache_folder), root))
        self.assert_found(self.make_plan(), pack, self.cache)

    def test_a_file_or_a_damaged_pack_at_the_same_path_is_replaced(self) -> None:
        pack = self.store_pack()
        self.cache.drop(pack.folder)
        Path(pack.folder).write_bytes(b"")
        self.assertEqual(self.store_pack().folder, pack.folder)
        Path(pack.folder, "lines").write_bytes(b"")
        with capturedLogs():
            self.assertEqual(self.store_pack().folder, pack.folder)
        self.assert_found(self.make_plan(), pack, self.cache)

    def test_a_damaged_pack_is_removed_and_logged(self) -> None:
        pack = self.store_pack()
        Path(pack.folder, "lines").write_bytes(b"")
        with capturedLogs() as events:
            self.assertIsNone(self.cache.find(self.make_plan()))
        self.assertEqual([e["log_level"] for e in events], [LogLevel.warn])
        self.assertEqual(self.cached_names(), [])

    def test_a_pack_with_a_wrong_byte_is_removed_and_logged(self) -> None:
        """By a search, and by the next service."""
        for load in (
            lambda: self.cache.find(self.make_plan()),
            lambda: next(self.make_cache().load_all({}), None),
        ):
            pack = self.store_pack()
            flip_byte(Path(pack.folder, "texts-0"))
            with capturedLogs() as events:
                self.assertIsNone(load())
            self.assertEqual([e["log_level"] for e in events], [LogLevel.warn])
            self.assertEqual(self.cached_names(), [])

    def test_unused_packs_and_unfinished_builds_are_removed(self) -> None:
        """
        By the next service. So are the indexes of earlier versions. Entries with other
        names stay.
        """
        unused = self.store_pack()
        leftover = self.cache.create_build_folder(self.make_plan(), True)
        lock_file = self.cache_folder / f"building-{'1' * 32}.lock"
        lock_file.write_bytes(b"")
        self.write({"one": "2"})
        used = self.store_pack()
        earlier = self.cache_folder / f"{'0' * 16}-{'1' * 16}"
        names = ("notes", "0123-4567", f"{'1' * 16}-photos", "building-site", "pack-1")
        strangers = [self.cache_folder / name for name in names]
        for each in (earlier, *strangers):
            each.mkdir()
        month_ago = self.now - 31 * 24 * 3600
        old = (unused.folder, leftover, lock_file, used.folder, earlier, *strangers)
        for path in map(str, old):
            os.utime(path, (month_ago, month_ago))
        self.cache.mark_used([used.folder])
        self.now += 3600
        self.write({"one": "3"})
        new = self.store_pack(cache=self.make_cache())
        left = [*strangers, Path(new.folder), Path(used.folder)]
        self.assertEqual(self.cached_names(), sorted(each.name for each in left))

    def test_a_build_folder_can_be_dropped_twice(self) -> None:
        written = self.cache.create_build_folder(self.make_plan(), True)
        Path(written, "lines").write_bytes(b"x")
        for _ in range(2):
            self.cache.drop(written)
        self.assertEqual(self.cached_names(), [])

    def test_only_one_process_has_the_lock_of_a_plan(self) -> None:
        """A lock leaves nothing behind."""
        plan, other = self.make_plan(), PackPlan(())
        lock = self.cache.try_lock(plan)
        assert lock is not None
        self.assertIsNone(self.make_cache().try_lock(plan))
        other_lock = self.make_cache().try_lock(other)
        assert other_lock is not None
        self.cache.unlock(plan, lock)
        lock = self.make_cache().try_lock(plan)
        assert lock is not None
        self.cache.unlock(plan, lock)
        self.cache.unlock(other, other_lock)
        self.assertEqual(self.cached_names(), [])

    def test_a_lock_that_is_removed_meanwhile_is_no_lock(self) -> None:
        """Otherwise two processes would have it: one of the file, one of a new file."""
        plan = self.make_plan()
        lock = self.cache.try_lock(plan)
        assert lock is not None
        with patch("fcntl.flock", lambda *_: self.cache.unlock(plan, lock)):
            self.assertIsNone(self.make_cache().try_lock(plan))
        self.assertEqual(self.cached_names(), [])

    def test_a_lock_that_is_held_stays(self) -> None:
        """However old its file is, also if the folder cannot be listed."""
        plan = self.make_plan()
        with patch("os.scandir", side_effect=OSError(EMFILE, "too many")):
            lock = self.cache.try_lock(plan)
        assert lock is not None
        [name] = self.cached_names()
        os.utime(self.cache_folder / name, (0, 0))
        self.assertEqual(list(self.make_cache().load_all({})), [])
        self.assertIsNone(self.make_cache().try_lock(plan))
        self.cache.unlock(plan, lock)

    def test_a_build_without_a_lock_is_not_removed_by_the_owner(self) -> None:
        plan = self.make_plan()
        folder = Path(self.cache.create_build_folder(plan, False))
        lock = self.cache.try_lock(plan)
        assert lock is not None
        self.cache.unlock(plan, lock)
        self.assertEqual(self.cached_names(), [folder.name])

    def test_the_next_build_removes_what_a_killed_process_has_left(self) -> None:
        """So a service that is killed in each build does not fill the disk."""
        plan, other = self.make_plan(), PackPlan(())
        for _ in range(3):
            folder = self.cache.create_build_folder(plan, True)
            Path(folder, "lines").write_bytes(b"x")
        used = Path(self.cache.create_build_folder(other, True)).name
        lock = self.make_cache().try_lock(plan)
        assert lock is not None
        self.cache.unlock(plan, lock)
        self.assertEqual(self.cached_names(), [used])

    def test_the_next_service_removes_old_builds(self) -> None:
        """Those of an hour ago, and those from the future."""
        for age in (-2 * 3600, 0, 2 * 3600):
            folder = self.cache.create_build_folder(self.make_plan(), True)
            os.utime(folder, (self.now - age, self.now - age))
        self.assertEqual(list(self.make_cache().load_all({})), [])
        [left] = self.cached_names()
        self.assertEqual(os.stat(self.cache_folder / left).st_mtime, self.now)

    def test_what_is_used_stays_if_the_clock_is_set(self) -> None:
        """To a later or an earlier time."""
        pack, plan = self.store_pack(), self.make_plan()
        for months in (2, -4):
            self.now += months * 31 * 24 * 3600
            self.write({"one": str(months)})
            self.store_pack()
            self.assert_found(plan, pack, self.cache)

    def test_only_the_user_can_read_the_folder(self) -> None:
        self.assertEqual(stat.S_IMODE(os.stat(self.cache_folder).st_mode), 0o700)

    def test_a_temporary_folder_replaces_one_that_cannot_be_written(self) -> None:
        """It is removed by C{close}."""
        blocked = self.temporary_folder / "file"
        blocked.write_bytes(b"")
        with capturedLogs() as events:
            cache = PackCache(str(blocked), str(self.folder))
            pack = self.store_pack(cache=cache)
        [event] = events
        self.assertEqual(event["log_level"], LogLevel.warn)
        self.assertEqual(event["folder"], str(blocked))
        self.assert_found(self.make_plan(), pack, cache)
        cache.close()
        self.assertFalse(os.path.exists(pack.folder))

    def test_closing_does_not_remove_the_cache_folder(self) -> None:
        pack = self.store_pack()
        self.cache.close()
        self.assertTrue(os.path.isdir(pack.folder))
