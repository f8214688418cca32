"""
Tests for L{twisted_quotes.library.indexes.provider}.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.errors import DictionaryChanging, ServiceNotReady, TooBusy
from twisted_quotes.library.dictionary import Dictionary
from twisted_quotes.library.indexes import builder
from twisted_quotes.library.indexes.builder import BuildFailed
from twisted_quotes.library.indexes.cache import IndexCache
from twisted_quotes.library.indexes.format import Index, write_index
from twisted_quotes.library.indexes.provider import IndexProvider
from twisted_quotes.library.library import Library
from twisted_quotes.quotes.formats import QuoteFormat

from ...fakes import FakeProcess, FakeReactor


class FakeThreads:
    """
    Threads that a test lets do what they are given.

    @ivar waiting: what they have not done yet.
    """

    def __init__(self) -> None:
        self.waiting: list[Callable[[], object]] = []

    def __call__(self, call: Callable[..., Any], /, *arguments: Any) -> Deferred[Any]:
        """Queue a call."""
        done: Deferred[Any] = Deferred()
        self.waiting.append(lambda: maybeDeferred(call, *arguments).chainDeferred(done))
        return done

    def run(self, count: int = 1) -> None:
        """Make the next calls."""
        for _ in range(count):
            self.waiting.pop(0)()

    def run_all(self) -> None:
        """Make all calls, and those that follow from them."""
        while self.waiting:
            self.run()


def raise_permission_error() -> Dictionary:
    """Raise the error of a file that cannot be opened."""
    raise PermissionError("no")


class IndexProviderTestCase(SynchronousTestCase):
    """Has a library of one dictionary, and threads that a test controls."""

    def setUp(self) -> None:
        temporary_folder = Path(self.enterContext(TemporaryDirectory()))
        self.book = temporary_folder / "library" / "book"
        self.book.parent.mkdir()
        self.book.write_text("one\n\ntwo\n")
        self.library = Library(self.book.parent)
        self.reactor = FakeReactor()
        self.threads = FakeThreads()
        self.cache_folder = temporary_folder / "cache"
        self.cache = IndexCache(str(self.cache_folder))
        self.indexes = self.make_indexes()

    def make_indexes(self, max_waiting: int = 100) -> IndexProvider:
        """Create indexes that use the same cache."""
        reactor: Any = self.reactor
        return IndexProvider(reactor, self.threads, self.cache, max_waiting)

    def get_index(self, name: str = "book") -> Deferred[Index]:
        """Get the index of a dictionary, which is closed at once."""
        with self.library.open(name) as dictionary:
            return self.indexes.get(dictionary)

    def run_turns(self, count: int = 5) -> None:
        """Run the threads and the reactor for a number of turns."""
        for _ in range(count):
            self.threads.run_all()
            self.reactor.advance(0)

    def start_build(self, *others: str) -> list[Deferred[Index]]:
        """Get the indexes of C{book} and of others; let the threads do all they can."""
        waiting = [self.get_index(name) for name in ("book", *others)]
        self.threads.run_all()
        return waiting

    def build_index(self) -> Index:
        """Get an index that a thread writes."""
        [waiting] = self.start_build()
        return self.successResultOf(waiting)

    def find_index(self) -> Index | None:
        """Find the index of the dictionary C{book}."""
        with self.library.open("book") as dictionary:
            return self.indexes.find(dictionary)

    def finish_build(self, process: FakeProcess) -> None:
        """Write the index, and end the process."""
        descriptor = process.child_fds[0]
        assert isinstance(descriptor, int)
        with Dictionary(os.dup(descriptor)) as dictionary:
            write_index(dictionary, process.arguments[-1])
        process.end()
        self.threads.run_all()

    def leftovers(self) -> list[str]:
        """Return the build folders in the cache."""
        return [n for n in os.listdir(self.cache_folder) if n.startswith("building")]


class ThreadTests(IndexProviderTestCase):
    """Tests for small dictionaries, whose indexes a thread writes."""

    def test_one_build_serves_all_requests(self) -> None:
        waiting = [self.get_index() for _ in range(100)]
        for each in waiting:
            self.assertNoResult(each)
        self.assertEqual(len(self.threads.waiting), 1)
        self.threads.run_all()
        found = {self.successResultOf(each) for each in waiting}
        self.assertEqual(len(found), 1)
        self.assertEqual(self.successResultOf(self.get_index()), self.find_index())
        self.assertEqual(self.leftovers(), [])

    def test_the_next_service_finds_the_index(self) -> None:
        self.build_index()
        self.indexes = self.make_indexes()
        self.assertEqual(self.successResultOf(self.get_index()).count, 2)
        self.assertEqual(self.threads.waiting, [])

    def test_a_changed_dictionary_gets_a_new_index(self) -> None:
        self.build_index()
        self.book.write_text("one\n\ntwo\n\nthree\n")
        self.assertIsNone(self.find_index())
        self.assertEqual(self.build_index().count, 3)

    def test_an_index_that_was_removed_is_built_again(self) -> None:
        self.cache.drop(self.build_index().folder)
        with self.library.open("book") as dictionary:
            self.indexes.invalidate(dictionary)
        self.assertEqual(self.build_index().count, 2)

    def test_a_cancelled_wait_affects_neither_other_waits_nor_the_build(self) -> None:
        first, second = self.get_index(), self.get_index()
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.assertNoResult(second)
        second.cancel()
        self.failureResultOf(second, CancelledError)
        self.threads.run_all()
        self.assertIsNotNone(self.find_index())

    def test_the_number_of_waits_is_limited(self) -> None:
        """A cancelled one makes room."""
        self.indexes = self.make_indexes(max_waiting=2)
        first, _, _ = (self.get_index() for _ in range(3))
        self.assertRaises(TooBusy, self.get_index)
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.build_index()

    def test_the_request_that_starts_a_build_may_always_wait(self) -> None:
        self.indexes = self.make_indexes(max_waiting=0)
        waiting = self.get_index()
        self.assertRaises(TooBusy, self.get_index)
        self.threads.run_all()
        self.assertEqual(self.successResultOf(waiting).count, 2)

    def test_one_thread_at_a_time_writes_an_index(self) -> None:
        """The others serve searches."""
        (self.book.parent / "other").write_text("three\n")
        self.get_index()
        self.get_index("other")
        self.threads.run(2)
        self.assertEqual(len(self.threads.waiting), 1)
        self.threads.run_all()

    def test_a_dictionary_that_cannot_be_duplicated_is_an_error(self) -> None:
        """The next request can start a build."""
        with self.library.open("book") as dictionary:
            duplicate = dictionary.duplicate
            dictionary.duplicate = raise_permission_error  # type: ignore[method-assign]
            self.assertRaises(OSError, self.indexes.get, dictionary)
            dictionary.duplicate = duplicate  # type: ignore[method-assign]
            waiting = self.indexes.get(dictionary)
        self.threads.run_all()
        self.successResultOf(waiting)

    def test_a_cache_folder_that_was_removed_is_created_again(self) -> None:
        rmtree(self.cache_folder)
        self.build_index()

    def test_a_file_at_the_path_of_the_index_is_replaced(self) -> None:
        folder = Path(self.build_index().folder)
        rmtree(folder)
        folder.write_bytes(b"")
        self.indexes = self.make_indexes()
        self.assertEqual(self.build_index().count, 2)

    def test_a_file_that_changes_after_it_was_opened_does_not_block_the_wait(
        self,
    ) -> None:
        with self.library.open("book") as dictionary:
            self.book.write_text("something else altogether\n")
            waiting = self.indexes.get(dictionary)
        self.threads.run_all()
        self.assertEqual(self.successResultOf(waiting).count, 1)
        self.assertEqual(self.indexes.building, 0)

    def test_the_index_of_a_file_that_changed_meanwhile_is_discarded(self) -> None:
        waiting = self.get_index()
        self.threads.run()
        self.book.write_text("something else altogether\n")
        self.threads.run_all()
        self.failureResultOf(waiting, DictionaryChanging)
        self.assertEqual(os.listdir(self.cache_folder), [])

    def test_a_file_that_is_replaced_meanwhile_does_not_matter(self) -> None:
        waiting = self.get_index()
        new = self.book.with_name("new")
        new.write_text("other\n")
        new.rename(self.book)
        self.threads.run_all()
        self.assertEqual(self.successResultOf(waiting).count, 2)

    def test_an_error_fails_all_waits(self) -> None:
        """The next request starts a new build."""
        waiting = [self.get_index(), self.get_index()]
        self.threads.run()
        [work] = self.leftovers()
        (self.cache_folder / work / "texts").mkdir()
        self.threads.run_all()
        for each in waiting:
            self.failureResultOf(each, ServiceNotReady)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        self.assertEqual(self.leftovers(), [])
        self.build_index()

    def test_warnings_about_a_dictionary_are_logged_once(self) -> None:
        self.book.write_bytes(b"caf\xe9")
        with capturedLogs() as events:
            self.build_index()
            self.build_index()
        [message] = map(formatEvent, events)
        self.assertEqual(
            message, f"In the dictionary '{self.book}': 1 place is not UTF-8."
        )

    def test_an_error_is_logged_if_no_request_waits(self) -> None:
        waiting = self.get_index()
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.threads.run()
        [work] = self.leftovers()
        (self.cache_folder / work / "texts").mkdir()
        self.threads.run_all()
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        waiting = self.get_index()
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.threads.run()
        self.book.write_text("changed")
        with capturedLogs() as events:
            self.threads.run_all()
        self.assertEqual([each["log_level"] for each in events], [LogLevel.warn])

    def test_all_files_are_closed(self) -> None:
        before = os.listdir("/proc/self/fd")
        self.build_index()
        self.assertEqual(len(os.listdir("/proc/self/fd")), len(before))

    def test_shutdown_stops_the_thread(self) -> None:
        waiting = self.get_index()
        self.threads.run()
        stopped = self.indexes.stop()
        self.assertNoResult(stopped)
        self.run_turns()
        self.failureResultOf(waiting, CancelledError)
        self.successResultOf(stopped)
        self.assertEqual(self.leftovers(), [])

    def test_a_process_replaces_a_thread_that_takes_too_long(self) -> None:
        """So no other dictionary waits for it."""
        self.slow_down_quotes()
        (self.book.parent / "other").write_text("three\n")
        slow, other = self.start_build("other")
        self.assertEqual(self.successResultOf(other).count, 1)
        self.assertNoResult(slow)
        [process] = self.reactor.processes
        self.finish_build(process)
        self.assertEqual(self.successResultOf(slow).count, 2)

    def slow_down_quotes(self) -> None:
        """Advance the time by the limit of a thread with each quote."""
        real = QuoteFormat.split

        def split_slowly(*arguments: Any) -> Iterator[Any]:
            for each in real(*arguments):
                yield each
                self.reactor.rightNow += builder.THREAD_TIME_LIMIT

        self.patch(QuoteFormat, "split", split_slowly)


class ProcessTests(IndexProviderTestCase):
    """Tests for large dictionaries, whose indexes a process writes."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(builder, "MAX_SIZE_FOR_THREAD", 0)
        for name in ("other", "third"):
            (self.book.parent / name).write_text("three\n")

    def running_process(self) -> FakeProcess:
        """Return the one running process."""
        [process] = [each for each in self.reactor.processes if each.pid is not None]
        return process

    def build_in_process(self) -> Index:
        """Get an index that a process writes."""
        [waiting] = self.start_build()
        self.finish_build(self.running_process())
        return self.successResultOf(waiting)

    def test_a_process_gets_the_file_and_a_folder(self) -> None:
        self.assertEqual(self.build_in_process().count, 2)
        [process] = self.reactor.processes
        self.assertEqual(
            process.arguments[1:6],
            ("-B", "-P", "-m", "twisted_quotes.library.indexes.process", "null"),
        )
        self.assertEqual(list(process.environment), ["PYTHONPATH", "PATH"])

    def test_two_processes_run_at_the_same_time(self) -> None:
        """A slow one does not delay other dictionaries."""
        _, second, third = self.start_build("other", "third")
        slow, process = self.reactor.processes
        self.finish_build(process)
        self.assertEqual(self.successResultOf(second).count, 1)
        self.finish_build(self.reactor.processes[2])
        self.assertEqual(self.successResultOf(third).count, 1)
        self.finish_build(slow)

    def time_out(self) -> None:
        """Let a process exceed its time limit while two requests wait for it."""
        waiting = self.start_build("book")
        self.reactor.advance(builder.BASE_TIME_LIMIT + 1)
        [process] = self.reactor.processes
        self.assertEqual(process.signals, ["KILL"])
        process.end(signal=9)
        self.threads.run_all()
        for each in waiting:
            self.failureResultOf(each, ServiceNotReady)
        self.assertEqual(len(self.flushLoggedErrors(BuildFailed)), 1)
        self.assertEqual(self.leftovers(), [])

    def test_a_process_that_takes_too_long_is_not_repeated_at_once(self) -> None:
        self.time_out()
        self.failureResultOf(self.get_index(), ServiceNotReady)
        self.assertEqual(len(self.reactor.processes), 1)
        self.reactor.advance(20 * builder.BASE_TIME_LIMIT)
        self.build_in_process()

    def test_a_new_state_of_a_dictionary_is_built_at_once(self) -> None:
        self.time_out()
        self.book.write_text("all is well\n")
        self.build_in_process()

    def test_a_request_may_start_a_retry_without_a_wait(self) -> None:
        self.time_out()
        self.reactor.advance(20 * builder.BASE_TIME_LIMIT)
        for _ in range(2):
            with self.library.open("book") as dictionary:
                self.failureResultOf(
                    self.indexes.get(dictionary, False), ServiceNotReady
                )
        self.threads.run_all()
        self.finish_build(self.running_process())
        self.assertIsNotNone(self.find_index())

    def test_a_process_that_fails_makes_the_service_not_ready(self) -> None:
        """Its standard error is logged, and the next request starts a new build."""
        [waiting] = self.start_build()
        self.running_process().print(errors=b"No space left on device\n")
        self.running_process().end(1)
        self.threads.run_all()
        self.failureResultOf(waiting, ServiceNotReady)
        [logged] = self.flushLoggedErrors(BuildFailed)
        self.assertIn("No space left", str(logged.value))
        self.assertEqual(self.leftovers(), [])
        self.build_in_process()

    def test_a_process_that_cannot_be_started_makes_the_service_not_ready(self) -> None:
        self.reactor.spawn_error = OSError("too many processes")
        for _ in range(2):
            waiting = self.get_index()
            self.run_turns()
            self.failureResultOf(waiting, ServiceNotReady)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 2)

    def test_shutdown_kills_the_processes_and_waits_for_them(self) -> None:
        waiting = self.start_build("other", "third")
        stopped = self.indexes.stop()
        self.threads.run_all()
        self.assertNoResult(stopped)
        self.assertEqual(len(self.leftovers()), 3)
        for process in self.reactor.processes:
            self.assertEqual(process.signals, ["KILL"])
            process.end(signal=9)
        self.run_turns()
        self.successResultOf(stopped)
        for each in waiting:
            self.failureResultOf(each, CancelledError)
        self.assertEqual(len(self.reactor.processes), 2)
        self.assertEqual(self.leftovers(), [])

    def test_hundreds_of_waiting_builds_end_at_a_shutdown(self) -> None:
        """Those that fail at once do not exhaust the stack."""
        count = 400
        for number in range(count):
            (self.book.parent / f"{number}").write_text("four\n")
        waiting = self.start_build(*map(str, range(count)))
        stopped = self.indexes.stop()
        for process in self.reactor.processes:
            process.end(signal=9)
        self.run_turns(count)
        for each in waiting:
            self.failureResultOf(each, CancelledError)
        self.successResultOf(stopped)
