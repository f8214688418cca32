"""
Tests for L{twisted_quotes.library.indexes.cache}.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from tempfile import TemporaryDirectory
from time import time
from typing import Any

from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.library.dictionary import Dictionary, FileState
from twisted_quotes.library.indexes.cache import IndexCache, default_cache_folder
from twisted_quotes.library.indexes.format import Index, write_index

OLD, NEW = FileState(1, 2, 3, 4, 5), FileState(1, 2, 3, 4, 6)


class DefaultTests(SynchronousTestCase):
    """Tests for the default cache folder."""

    def test_the_default_is_in_the_cache_folder_of_the_user(self) -> None:
        self.assertEqual(
            default_cache_folder("/home/me", None), "/home/me/.cache/twisted_quotes"
        )
        self.assertEqual(default_cache_folder("/home/me", "/x"), "/x/twisted_quotes")

    def test_a_relative_xdg_cache_home_is_ignored(self) -> None:
        """The specification demands it."""
        for relative in ("", "x"):
            self.assertEqual(
                default_cache_folder("/home/me", relative),
                "/home/me/.cache/twisted_quotes",
            )


class CacheTests(SynchronousTestCase):
    """Tests for storing and finding indexes."""

    def setUp(self) -> None:
        self.temporary_folder = Path(self.enterContext(TemporaryDirectory()))
        self.folder = self.temporary_folder / "a" / "cache"
        self.now = time()
        self.cache = IndexCache(str(self.folder), lambda: self.now)

    def store_index(
        self, path: str, state: FileState, cache: IndexCache | None = None
    ) -> Index:
        """Write an index and store it."""
        cache = cache or self.cache
        book = self.temporary_folder / "book"
        book.write_bytes(b"one\n")
        written = cache.create_build_folder()
        with Dictionary(os.open(book, os.O_RDONLY)) as dictionary:
            write_index(dictionary, written)
        return cache.store(written, path, state)

    def cached_names(self) -> list[str]:
        """Return the names of the entries of the cache."""
        return sorted(os.listdir(self.folder))

    def test_a_stored_index_is_found(self) -> None:
        """By this service and by the next one."""
        index = self.store_index("/books/one", OLD)
        self.assertEqual(index.count, 1)
        self.assertEqual(self.cache.find("/books/one", OLD), index)
        self.assertEqual(IndexCache(str(self.folder)).find("/books/one", OLD), index)

    def test_no_index_of_another_path_or_state_is_found(self) -> None:
        self.store_index("/books/one", OLD)
        self.assertIsNone(self.cache.find("/books/two", OLD))
        self.assertIsNone(self.cache.find("/books/one", NEW))

    def test_a_new_index_replaces_that_of_an_earlier_state(self) -> None:
        """Those of other dictionaries stay."""
        self.store_index("/books/one", OLD)
        other = self.store_index("/books/two", OLD)
        index = self.store_index("/books/one", NEW)
        self.assertIsNone(self.cache.find("/books/one", OLD))
        self.assertEqual(
            self.cached_names(),
            sorted(Path(each.folder).name for each in (index, other)),
        )

    def test_of_two_indexes_of_the_same_state_the_first_stays(self) -> None:
        first = self.store_index("/books/one", OLD)
        self.assertEqual(self.store_index("/books/one", OLD), first)
        self.assertTrue(os.path.isdir(first.folder))

    def test_another_process_may_store_the_same_index_first(self) -> None:
        """Also between two attempts to store it."""
        keep_elsewhere = self.store_index

        class Interrupted(IndexCache):
            def drop(self, written: str) -> None:
                super().drop(written)
                keep_elsewhere("/books/one", OLD)

        cache = Interrupted(str(self.folder))
        index = self.store_index("/books/one", OLD, cache)
        self.assertEqual(self.cache.find("/books/one", OLD), index)

    def test_a_file_or_a_damaged_index_at_the_same_path_is_replaced(self) -> None:
        index = self.store_index("/books/one", OLD)
        self.cache.drop(index.folder)
        Path(index.folder).write_bytes(b"")
        self.assertEqual(self.store_index("/books/one", OLD), index)
        Path(index.folder, "texts").write_bytes(b"")
        with capturedLogs():
            self.assertEqual(self.store_index("/books/one", OLD), index)

    def test_unused_indexes_and_unfinished_builds_are_removed(self) -> None:
        """Entries with other names stay."""
        unused = self.store_index("/books/one", OLD)
        leftover = self.cache.create_build_folder()
        used = self.store_index("/books/two", OLD)
        strangers = [self.folder / "notes", self.folder / "0123-4567"]
        for each in strangers:
            each.mkdir()
        month_ago = self.now - 31 * 24 * 3600
        for old in map(str, (unused.folder, leftover, used.folder, *strangers)):
            os.utime(old, (month_ago, month_ago))
        self.cache.find("/books/two", OLD)
        self.now += 3600
        index = self.store_index("/books/three", OLD)
        names = [*strangers, Path(index.folder), Path(used.folder)]
        self.assertEqual(self.cached_names(), sorted(each.name for each in names))

    def test_the_folder_is_not_listed_for_each_index(self) -> None:
        """That would take minutes for thousands of indexes."""
        listed: list[str] = []
        real = os.scandir

        def scandir(path: str) -> Any:
            listed.append(path)
            return real(path)

        self.patch(os, "scandir", scandir)
        for number in range(20):
            self.store_index(f"/books/{number}", OLD)
            self.store_index(f"/books/{number}", NEW)
        self.assertEqual(listed.count(str(self.folder)), 1)
        self.assertEqual(len(self.cached_names()), 20)

    def test_the_first_sweep_keeps_the_last_used_index_of_each_dictionary(self) -> None:
        old = self.store_index("/books/one", OLD)
        os.utime(old.folder, (self.now - 10, self.now - 10))
        cache = IndexCache(str(self.folder))
        new = self.store_index("/books/one", NEW, cache)
        self.assertEqual(self.cached_names(), [Path(new.folder).name])

    def test_a_damaged_index_is_removed_and_logged(self) -> None:
        index = self.store_index("/books/one", OLD)
        Path(index.folder, "texts").write_bytes(b"")
        with capturedLogs() as events:
            self.assertIsNone(self.cache.find("/books/one", OLD))
        self.assertEqual([e["log_level"] for e in events], [LogLevel.warn])
        self.assertEqual(self.cached_names(), [])

    def test_a_build_folder_can_be_dropped_twice(self) -> None:
        written = self.cache.create_build_folder()
        Path(written, "texts").write_bytes(b"x")
        for _ in range(2):
            self.cache.drop(written)
        self.assertEqual(self.cached_names(), [])

    def test_only_the_user_can_read_the_folder(self) -> None:
        self.assertEqual(stat.S_IMODE(os.stat(self.folder).st_mode), 0o700)

    def test_a_temporary_folder_replaces_one_that_cannot_be_written(self) -> None:
        """It is removed by C{close}."""
        blocked = self.temporary_folder / "file"
        blocked.write_bytes(b"")
        with capturedLogs() as events:
            cache = IndexCache(str(blocked))
            index = self.store_index("/books/one", OLD, cache)
        [event] = events
        self.assertEqual(event["log_level"], LogLevel.warn)
        self.assertEqual(event["folder"], str(blocked))
        self.assertEqual(cache.find("/books/one", OLD), index)
        cache.close()
        self.assertFalse(os.path.exists(index.folder))

    def test_closing_does_not_remove_the_cache_folder(self) -> None:
        index = self.store_index("/books/one", OLD)
        self.cache.close()
        self.assertTrue(os.path.isdir(index.folder))
