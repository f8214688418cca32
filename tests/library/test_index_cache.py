"""
Tests for L{twisted_quotes.library.index_cache}.
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
from twisted_quotes.library.index import Index, write_index
from twisted_quotes.library.index_cache import IndexCache, default_cache_folder

OLD, NEW = FileState(1, 2, 3, 4, 5), FileState(1, 2, 3, 4, 6)


class DefaultTests(SynchronousTestCase):
    """Tests of where the cache is if nobody says."""

    def test_it_is_the_users_cache_folder(self) -> None:
        """As the XDG Base Directory Specification has it."""
        self.assertEqual(
            default_cache_folder("/home/me", None), "/home/me/.cache/twisted_quotes"
        )
        self.assertEqual(default_cache_folder("/home/me", "/x"), "/x/twisted_quotes")

    def test_a_relative_path_in_the_environment_does_not_count(self) -> None:
        """The specification says to ignore it."""
        for relative in ("", "x"):
            self.assertEqual(
                default_cache_folder("/home/me", relative),
                "/home/me/.cache/twisted_quotes",
            )


class CacheTests(SynchronousTestCase):
    """Tests of keeping indexes."""

    def setUp(self) -> None:
        """Make a cache."""
        temporary_directory = TemporaryDirectory()
        self.addCleanup(temporary_directory.cleanup)
        self.temporary_folder = Path(temporary_directory.name)
        self.folder = self.temporary_folder / "a" / "cache"
        self.now = time()
        self.cache = IndexCache(str(self.folder), lambda: self.now)

    def store_index(
        self, path: str, state: FileState, cache: IndexCache | None = None
    ) -> Index:
        """Write an index, and have it kept."""
        cache = cache or self.cache
        book = self.temporary_folder / "book"
        book.write_bytes(b"one\n")
        written = cache.create_build_folder()
        with Dictionary(os.open(book, os.O_RDONLY)) as dictionary:
            write_index(dictionary, written)
        return cache.store(written, path, state)

    def cached_names(self) -> list[str]:
        """The names of what is in the cache."""
        return sorted(os.listdir(self.folder))

    def test_what_was_kept_is_found(self) -> None:
        """By the same service, and by the next one."""
        index = self.store_index("/books/one", OLD)
        self.assertEqual(index.count, 1)
        self.assertEqual(self.cache.find("/books/one", OLD), index)
        self.assertEqual(IndexCache(str(self.folder)).find("/books/one", OLD), index)

    def test_nothing_else_is_found(self) -> None:
        """Neither for another file nor for another state of it."""
        self.store_index("/books/one", OLD)
        self.assertIsNone(self.cache.find("/books/two", OLD))
        self.assertIsNone(self.cache.find("/books/one", NEW))

    def test_a_new_state_takes_the_place_of_the_old_one(self) -> None:
        """A dictionary has one index; those of others stay."""
        self.store_index("/books/one", OLD)
        other = self.store_index("/books/two", OLD)
        index = self.store_index("/books/one", NEW)
        self.assertIsNone(self.cache.find("/books/one", OLD))
        self.assertEqual(
            self.cached_names(),
            sorted(Path(each.folder).name for each in (index, other)),
        )

    def test_a_second_index_of_the_same_state_is_not_needed(self) -> None:
        """Two processes may write the same; one of them is kept."""
        first = self.store_index("/books/one", OLD)
        self.assertEqual(self.store_index("/books/one", OLD), first)
        self.assertTrue(os.path.isdir(first.folder))

    def test_another_process_may_be_quicker(self) -> None:
        """Also where it comes in between looking and keeping."""
        keep_elsewhere = self.store_index

        class Interrupted(IndexCache):
            def drop(self, written: str) -> None:
                super().drop(written)
                keep_elsewhere("/books/one", OLD)

        cache = Interrupted(str(self.folder))
        index = self.store_index("/books/one", OLD, cache)
        self.assertEqual(self.cache.find("/books/one", OLD), index)

    def test_what_is_in_the_way_is_removed(self) -> None:
        """A file where an index is to be, and an index that is damaged."""
        index = self.store_index("/books/one", OLD)
        self.cache.drop(index.folder)
        Path(index.folder).write_bytes(b"")
        self.assertEqual(self.store_index("/books/one", OLD), index)
        Path(index.folder, "texts").write_bytes(b"")
        with capturedLogs():
            self.assertEqual(self.store_index("/books/one", OLD), index)

    def test_what_is_not_used_for_a_month_goes(self) -> None:
        """Leftovers of an index that was never finished, too; no other thing."""
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

    def test_it_is_not_looked_through_for_each_index(self) -> None:
        """That would take minutes for some thousand of them."""
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

    def test_what_another_service_has_left_goes_at_the_start(self) -> None:
        """Of each dictionary, the index that was used last stays."""
        old = self.store_index("/books/one", OLD)
        os.utime(old.folder, (self.now - 10, self.now - 10))
        cache = IndexCache(str(self.folder))
        new = self.store_index("/books/one", NEW, cache)
        self.assertEqual(self.cached_names(), [Path(new.folder).name])

    def test_a_damaged_index_is_removed(self) -> None:
        """It is as if it had never been, and the log says so."""
        index = self.store_index("/books/one", OLD)
        Path(index.folder, "texts").write_bytes(b"")
        with capturedLogs() as events:
            self.assertIsNone(self.cache.find("/books/one", OLD))
        self.assertEqual([e["log_level"] for e in events], [LogLevel.warn])
        self.assertEqual(self.cached_names(), [])

    def test_what_was_given_up_is_dropped(self) -> None:
        """Half an index leaves nothing behind, dropped once or twice."""
        written = self.cache.create_build_folder()
        Path(written, "texts").write_bytes(b"x")
        for _ in range(2):
            self.cache.drop(written)
        self.assertEqual(self.cached_names(), [])

    def test_it_is_for_its_user_alone(self) -> None:
        """Nobody else reads what it holds."""
        self.assertEqual(stat.S_IMODE(os.stat(self.folder).st_mode), 0o700)

    def test_a_folder_that_cannot_be_written_is_said_once(self) -> None:
        """A temporary folder takes its place, and goes at the end."""
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

    def test_closing_leaves_a_real_folder_as_it_is(self) -> None:
        """The next service finds what this one has kept."""
        index = self.store_index("/books/one", OLD)
        self.cache.close()
        self.assertTrue(os.path.isdir(index.folder))
