"""
Tests for L{twisted_quotes.library.packs.building.builds}, and for the builder.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from shutil import rmtree
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import LogLevel, capturedLogs, formatEvent

from twisted_quotes.errors import ServiceNotReady, TooBusy
from twisted_quotes.library.packs.building import builder
from twisted_quotes.library.packs.building.builder import BuildFailed
from twisted_quotes.library.packs.building.builds import BuiltPack, DictionaryIsolated
from twisted_quotes.library.packs.building.process import PROGRESS_NAME
from twisted_quotes.library.packs.pack import Pack
from twisted_quotes.quotes.formats import QuoteFormat

from ....fakes import FakeProcess
from .cases import BuildTestCase


def warnings_in(events: Sequence[Any]) -> list[str | None]:
    """Return the messages of captured warnings and errors."""
    return [formatEvent(x) for x in events if x["log_level"] >= LogLevel.warn]


LONG = 1000.0
"""Longer than the time limit of any process, in seconds."""


class ThreadTests(BuildTestCase):
    """Tests of packs that a thread writes."""

    def test_one_build_serves_all_requests(self) -> None:
        waiting = [self.get_pack() for _ in range(100)]
        self.assertEqual((self.builds.count, len(self.threads.waiting)), (1, 1))
        self.threads.run_all()
        packs = {self.successResultOf(each).pack for each in waiting}
        self.assertEqual(len(packs), 1)
        self.successResultOf(self.get_pack())
        self.assertEqual((self.builds.count, self.leftovers()), (0, []))

    def test_the_next_service_finds_the_pack(self) -> None:
        folder = self.build_pack().folder
        self.builds = self.make_provider().builds
        self.patch(builder.PackBuilder, "write", None)
        self.assertEqual(self.build_pack().folder, folder)

    def test_a_cancelled_wait_affects_neither_other_waits_nor_the_build(self) -> None:
        first, second = self.get_pack(), self.get_pack()
        for each in (first, second):
            each.cancel()
            self.failureResultOf(each, CancelledError)
        self.threads.run_all()
        self.assertEqual(len(self.builds.collection.packs), 1)

    def test_the_number_of_waits_is_limited(self) -> None:
        """A cancelled one makes room."""
        self.builds = self.make_provider(max_waiting=2).builds
        first, _, _ = (self.get_pack() for _ in range(3))
        self.assertRaises(TooBusy, self.get_pack)
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.build_pack()

    def test_the_request_that_starts_a_build_may_always_wait(self) -> None:
        self.builds = self.make_provider(max_waiting=0).builds
        waiting = self.get_pack()
        self.assertRaises(TooBusy, self.get_pack)
        self.threads.run_all()
        self.successResultOf(waiting)

    def test_one_thread_at_a_time_writes_a_pack(self) -> None:
        """The others serve searches."""
        self.write({"other": "three"})
        waiting = [self.get_pack("book"), self.get_pack("other")]
        # Locking, looking for a pack, and creating a folder.
        self.threads.run(6)
        self.assertEqual(len(self.threads.waiting), 1)
        self.threads.run_all()
        for each in waiting:
            self.successResultOf(each)

    def test_another_process_that_writes_the_pack_is_waited_for(self) -> None:
        plan = self.plan_for("book")
        lock = self.cache.try_lock(plan)
        assert lock is not None
        waiting = self.get_pack()
        for _ in range(3):
            self.threads.run_all()
            self.assertNoResult(waiting)
            self.reactor.advance(0.1)
        self.cache.unlock(plan, lock)
        self.threads.run_all()
        self.reactor.advance(0.1)
        self.threads.run_all()
        self.successResultOf(waiting)

    def test_the_wait_for_another_process_is_limited(self) -> None:
        """And ends at a shutdown."""
        plan = self.plan_for("book")
        lock = self.cache.try_lock(plan)
        assert lock is not None
        self.addCleanup(self.cache.unlock, plan, lock)
        waiting = self.get_pack()
        self.threads.run_all()
        self.reactor.advance(LONG)
        self.threads.run_all()
        self.successResultOf(waiting)
        self.builds = self.make_provider().builds
        self.book.write_text("another")
        waiting = self.get_pack()
        lock = self.cache.try_lock(self.plan_for("book"))
        self.threads.run_all()
        stopped = self.builds.stop()
        self.reactor.advance(1)
        self.threads.run_all()
        self.successResultOf(stopped)
        self.failureResultOf(waiting, CancelledError)
        self.failureResultOf(self.get_pack(), CancelledError)

    def test_a_pack_without_a_dictionary_is_soon_built_again(self) -> None:
        """It is not stored as that of the plan."""
        self.write({"other": "three"})
        plan = self.plan_for("book", "other")
        self.book.rename(self.folder / ".book")
        for _ in range(2):
            waiting = self.builds.get(plan)
            self.threads.run_all()
            pack, left_out = self.successResultOf(waiting)
            self.assertEqual((pack.quote_count, left_out), (1, ["book"]))
        self.assertIsNone(self.cache.find(plan))
        self.reactor.advance(2)
        (self.folder / ".book").rename(self.book)
        waiting = self.builds.get(self.plan_for("book", "other"))
        self.threads.run_all()
        self.assertEqual(self.successResultOf(waiting).left_out, [])

    def test_a_cache_folder_that_was_removed_is_created_again(self) -> None:
        rmtree(self.cache_folder)
        self.build_pack()

    def test_an_error_fails_all_waits(self) -> None:
        """The next request starts a new build."""
        waiting = [self.get_pack(), self.get_pack()]
        self.break_build()
        for each in waiting:
            self.failureResultOf(each, ServiceNotReady)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        self.assertEqual(self.leftovers(), [])
        self.build_pack()

    def break_build(self) -> None:
        """Make it impossible to write the pack, after its folder was created."""
        self.threads.run(3)
        [folder] = self.cache_folder.glob("building-*/")
        (folder / "lines").mkdir()
        self.threads.run_all()

    def test_an_error_is_logged_with_the_names(self) -> None:
        """Also if no request waits."""
        waiting = self.get_pack()
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        with capturedLogs() as events:
            self.break_build()
        self.flushLoggedErrors(OSError)
        self.assertEqual(
            warnings_in(events), ["No index was made: 'book' is left out."]
        )

    def test_warnings_about_a_dictionary_are_logged_once(self) -> None:
        self.book.write_bytes(b"caf\xe9")
        self.write({"other": "1"})
        with capturedLogs() as events:
            self.build_pack()
            self.build_pack("book", "other")
        warning = "In the dictionary 'book': 1 place is not UTF-8."
        self.assertEqual(warnings_in(events), [warning])

    def test_all_files_are_closed(self) -> None:
        before = os.listdir("/proc/self/fd")
        self.build_pack()
        self.assertEqual(len(os.listdir("/proc/self/fd")), len(before))

    def test_shutdown_stops_the_thread(self) -> None:
        waiting = self.get_pack()
        self.threads.run(3)
        stopped = self.builds.stop()
        self.assertNoResult(stopped)
        self.run_turns()
        self.failureResultOf(waiting, CancelledError)
        self.successResultOf(stopped)
        self.assertEqual(self.leftovers(), [])

    def test_a_process_replaces_a_thread_that_takes_too_long(self) -> None:
        """So no other pack waits for it."""
        self.slow_down_quotes()
        self.write({"other": "three"})
        slow, other = self.get_pack("book"), self.get_pack("other")
        self.threads.run_all()
        self.successResultOf(other)
        self.assertNoResult(slow)
        [process] = self.reactor.processes
        self.finish_build(process)
        self.assertEqual(self.successResultOf(slow).pack.quote_count, 2)

    def slow_down_quotes(self) -> None:
        """Advance the time by the limit of a thread with each quote."""
        real = QuoteFormat.split

        def split_slowly(*arguments: Any) -> Iterator[Any]:
            for each in real(*arguments):
                yield each
                self.reactor.rightNow += builder.THREAD_TIME_LIMIT

        self.patch(QuoteFormat, "split", split_slowly)


class ProcessTests(BuildTestCase):
    """Tests of packs that a process writes."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(builder, "MAX_SIZE_FOR_THREAD", 0)
        self.write({"other": "three", "third": "four"})

    def start_build(self, *names: str) -> Deferred[BuiltPack]:
        """Get a pack; let the threads do all they can."""
        waiting = self.get_pack(*names)
        self.threads.run_all()
        return waiting

    def running_process(self) -> FakeProcess:
        """Return the one running process."""
        [process] = [each for each in self.reactor.processes if each.pid is not None]
        return process

    def build_in_process(self, *names: str) -> Pack:
        """Get a pack that a process writes."""
        waiting = self.start_build(*names)
        self.finish_build(self.running_process())
        return self.successResultOf(waiting).pack

    def test_a_process_gets_the_plan_and_a_folder(self) -> None:
        self.assertEqual(self.build_in_process().quote_count, 2)
        [process] = self.reactor.processes
        self.assertEqual(
            process.arguments[1:5],
            ("-B", "-P", "-m", "twisted_quotes.library.packs.building.process"),
        )
        self.assertEqual(list(process.environment), ["PYTHONPATH", "PATH"])

    def test_a_thread_writes_what_is_only_copied(self) -> None:
        self.build_in_process("book", "other")
        self.build_pack("book")
        self.assertEqual(len(self.reactor.processes), 1)

    def test_two_processes_run_at_the_same_time(self) -> None:
        """A slow one does not delay other packs."""
        self.start_build("book")
        second, third = self.start_build("other"), self.start_build("third")
        slow, process = self.reactor.processes
        self.finish_build(process)
        self.successResultOf(second)
        self.finish_build(self.reactor.processes[2])
        self.successResultOf(third)
        self.finish_build(slow)

    def time_out(self, *names: str) -> Deferred[BuiltPack]:
        """Let a process exceed its time limit."""
        waiting = self.start_build(*names)
        process = self.running_process()
        Path(os.fsdecode(process.arguments[-1]), PROGRESS_NAME).write_bytes(b"00000000")
        self.reactor.advance(LONG)
        self.assertEqual(process.signals, ["KILL"])
        process.end(signal=9)
        self.threads.run_all()
        self.assertEqual(self.leftovers(), [])
        return waiting

    def fail_alone(self) -> None:
        """Let the build of a dictionary with a pack of its own take too long."""
        self.failureResultOf(self.time_out("book"), ServiceNotReady)
        self.assertEqual(len(self.flushLoggedErrors(BuildFailed)), 1)

    def test_a_build_that_takes_too_long_is_not_repeated_at_once(self) -> None:
        self.fail_alone()
        self.failureResultOf(self.get_pack(), ServiceNotReady)
        self.assertEqual(len(self.reactor.processes), 1)
        self.reactor.advance(20 * LONG)
        self.build_in_process()

    def test_a_new_state_of_a_dictionary_is_built_at_once(self) -> None:
        self.fail_alone()
        self.book.write_text("all is well\n")
        self.build_in_process()

    def test_a_request_may_start_a_retry_without_a_wait(self) -> None:
        self.fail_alone()
        self.reactor.advance(20 * LONG)
        for _ in range(2):
            pack = self.builds.get(self.plan_for("book"), wait=False)
            self.failureResultOf(pack, ServiceNotReady)
        self.threads.run_all()
        self.finish_build(self.running_process())
        self.successResultOf(self.get_pack())

    def test_one_of_several_dictionaries_that_takes_too_long_is_isolated(self) -> None:
        """Whether the process is killed, or ends by itself."""
        waiting = self.time_out("book", "other")
        self.failureResultOf(waiting, DictionaryIsolated)
        self.assertEqual(self.builds.isolated, {"book"})
        waiting = self.start_build("other", "third")
        process = self.running_process()
        Path(os.fsdecode(process.arguments[-1]), PROGRESS_NAME).write_bytes(b"00000001")
        process.end(signal=signal.SIGPROF)
        self.threads.run_all()
        self.failureResultOf(waiting, DictionaryIsolated)
        self.assertEqual(self.builds.isolated, {"book", "third"})

    def test_a_process_that_fails_makes_the_service_not_ready(self) -> None:
        """Its standard error is logged, and the next request starts a new build."""
        waiting = self.start_build("book", "other")
        self.running_process().print(errors=b"No space left on device\n")
        self.running_process().end(1)
        self.threads.run_all()
        self.failureResultOf(waiting, ServiceNotReady)
        [logged] = self.flushLoggedErrors(BuildFailed)
        self.assertIn("No space left", str(logged.value))
        self.assertEqual(self.leftovers(), [])
        self.build_in_process("book", "other")

    def test_a_process_that_cannot_be_started_makes_the_service_not_ready(self) -> None:
        self.reactor.spawn_error = OSError("too many processes")
        for _ in range(2):
            waiting = self.get_pack()
            self.run_turns()
            self.failureResultOf(waiting, ServiceNotReady)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 2)

    def test_shutdown_kills_the_processes_and_waits_for_them(self) -> None:
        waiting = [self.start_build(name) for name in ("book", "other", "third")]
        stopped = self.builds.stop()
        self.threads.run_all()
        self.assertNoResult(stopped)
        for process in self.reactor.processes:
            self.assertEqual(process.signals, ["KILL"])
            process.end(signal=9)
        self.run_turns()
        self.successResultOf(stopped)
        for each in waiting:
            self.failureResultOf(each, CancelledError)
        self.assertEqual((len(self.reactor.processes), self.leftovers()), (2, []))

    def test_hundreds_of_waiting_builds_end_at_a_shutdown(self) -> None:
        """Those that fail at once do not exhaust the stack."""
        count = 400
        names = [f"{number}" for number in range(count)]
        self.write(dict.fromkeys(names, "five"))
        plans = {name: self.plan_for(name) for name in names}
        waiting = [self.builds.get(plan) for plan in plans.values()]
        self.threads.run_all()
        stopped = self.builds.stop()
        for process in self.reactor.processes:
            process.end(signal=9)
        self.run_turns(count)
        for each in waiting:
            self.failureResultOf(each, CancelledError)
        self.successResultOf(stopped)
