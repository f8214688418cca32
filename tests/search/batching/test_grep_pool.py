"""
Tests for L{twisted_quotes.search.batching.grep_pool}.
"""

from __future__ import annotations

import errno
import os
import signal
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.errors import DictionaryNotFound, SearchTimedOut
from twisted_quotes.grep.arguments import (
    line_arguments,
    pattern_file_arguments,
)
from twisted_quotes.grep.runner import MAX_BUFFERED
from twisted_quotes.library.library import Library
from twisted_quotes.monitoring.metrics import Metrics
from twisted_quotes.query.queries import Search
from twisted_quotes.search.batching.grep_pool import IDLE_TIMEOUT
from twisted_quotes.search.finder import Finder

from ...cases import RealGrepTestCase, run_real_grep
from ...fakes import FakeProcess, FakeReactor, find_entries
from ...metrics import metric_values
from .cases import ANY_TERM, ANY_TEXT, TEXT, FakeGrepTestCase


class PatternFileTests(SynchronousTestCase):
    """Tests for reading the term from a file, with the real grep."""

    @settings(max_examples=150)
    @given(ANY_TEXT, ANY_TERM)
    def test_the_output_is_that_of_a_grep_with_the_term_as_an_argument(
        self, text: bytes, term: str
    ) -> None:
        theirs, ours = os.pipe()
        os.write(ours, term.encode() + b"\n")
        os.close(ours)
        try:
            ahead = run_real_grep(pattern_file_arguments(theirs), text, theirs)
        finally:
            os.close(theirs)
        alone = run_real_grep(line_arguments(Search(term=term), None), text)
        self.assertEqual(ahead, alone, term)


class PrestartReactor(FakeReactor):
    """Starts fake greps, and keeps the pipes from which they read their terms."""

    def __init__(self) -> None:
        super().__init__()
        self.pattern_fds: dict[FakeProcess, int] = {}
        self.prestart_error: OSError | None = None

    def spawnProcess(self, *arguments: Any, **kwargs: Any) -> FakeProcess:
        """Spawn a process, and duplicate the pipe for its term."""
        child_fds = kwargs["childFDs"]
        if 3 in child_fds and self.prestart_error is not None:
            raise self.prestart_error
        process = super().spawnProcess(*arguments, **kwargs)
        if 3 in child_fds:
            self.pattern_fds[process] = os.dup(child_fds[3])
        return process


class GrepPoolTestCase(FakeGrepTestCase):
    """Has a finder that prestarts greps."""

    max_running = 8
    reactor: PrestartReactor

    def setUp(self) -> None:
        super().setUp()
        self.reactor = PrestartReactor()
        self.open_descriptors = {*os.listdir("/proc/self/fd")}
        self.use_new_finder()

    def use_new_finder(self, now: float = 2.0**33) -> None:
        """Set C{finder}."""
        self.finder = self.make_finder(
            running=self.max_running, batch_threshold=2, max_prestarted=2, now=now
        )
        # From the second on they come one after another.
        self.search_with_new_grep("first")
        self.assertEqual(self.prestarted_greps, [])
        self.reactor.processes.clear()

    def end_all(self, finder: Finder) -> None:
        """End all greps, and assert that nothing is left."""
        super().end_all(finder)
        finder.searchable_library.monitor.stop()
        while self.reactor.pattern_fds:
            os.close(self.reactor.pattern_fds.popitem()[1])
        # Garbage of other tests may have been closed meanwhile.
        self.assertLessEqual({*os.listdir("/proc/self/fd")}, self.open_descriptors)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual(len(finder.outstanding), 0)

    @property
    def ordinary_greps(self) -> list[FakeProcess]:
        """The greps that were started with their terms."""
        return [each for each in self.reactor.processes if "-e" in each.arguments]

    @property
    def prestarted_greps(self) -> list[FakeProcess]:
        """The prestarted greps."""
        return [each for each in self.reactor.processes if "-f" in each.arguments]

    def received_patterns(self, process: FakeProcess) -> bytes:
        """Return all that was written to the pipe of a grep."""
        os.set_blocking(self.reactor.pattern_fds[process], False)
        message = os.read(self.reactor.pattern_fds[process], 10_000)
        self.assertEqual(os.read(self.reactor.pattern_fds[process], 1), b"")
        return message

    def end_grep(self, process: FakeProcess, output: bytes = b"love\n") -> None:
        """Have a grep find something and end."""
        process.print(output)
        process.end()

    def search_with_new_grep(
        self, term: str, dictionary: str = "alpha", **fields: Any
    ) -> None:
        """Run a search with a grep that is started for it."""
        found = self.start_search(term, dictionary, **fields)
        self.end_grep(self.ordinary_greps[-1])
        self.successResultOf(found)

    def used_count(self, result: str = "used") -> float:
        """Return how many prestarted greps were used, or were not."""
        values = metric_values(self.metrics)
        return values[f'quotes_spare_greps_total{{result="{result}"}}']


class GrepPoolTests(GrepPoolTestCase):
    """Tests for starting, using and closing prestarted greps."""

    def test_a_grep_is_prestarted_while_another_runs(self) -> None:
        self.start_search("love")
        [prestarted] = self.prestarted_greps
        self.assertEqual(
            prestarted.arguments, ("grep", "-a", "-F", "-f", "/proc/self/fd/3")
        )
        self.assertEqual(prestarted.environment, {"LC_ALL": "C"})
        self.assertEqual(metric_values(self.metrics)["quotes_greps_total"], 1 + 2)
        self.assertEqual(metric_values(self.metrics)["quotes_greps_running"], 1)

    def test_the_next_search_uses_the_prestarted_grep(self) -> None:
        """Meanwhile another one is started."""
        self.search_with_new_grep("life")
        found = self.start_search("love")
        first, second = self.prestarted_greps
        self.assertEqual(self.received_patterns(first), b"love\n")
        self.assertEqual(metric_values(self.metrics)["quotes_greps_running"], 1)
        self.end_grep(first, b"love\nlove of life\n")
        self.assertEqual(self.successResultOf(found), ["love", "love of life"])
        self.assertEqual(
            (len(self.ordinary_greps), self.used_count(), second.signals), (1, 1, [])
        )

    def test_a_page_of_its_output_can_be_selected(self) -> None:
        self.search_with_new_grep("life")
        found = self.start_search("love", nresults=1, offset=1)
        self.end_grep(self.prestarted_greps[0], b"love and life\nlove\nlove of life\n")
        self.assertEqual(self.successResultOf(found), ["love"])

    def test_a_prestarted_grep_may_find_nothing(self) -> None:
        self.search_with_new_grep("life")
        found = self.start_search("nobody")
        self.prestarted_greps[0].end(1)
        self.assertEqual(self.successResultOf(found), [])

    def test_a_prestarted_grep_is_killed_after_the_idle_timeout(self) -> None:
        """The shutdown waits until it has ended."""
        self.search_with_new_grep("life")
        self.reactor.advance(IDLE_TIMEOUT - 1)
        self.assertEqual(self.prestarted_greps[0].signals, [])
        self.reactor.advance(1)
        self.assertEqual(self.prestarted_greps[0].signals, ["KILL"])
        self.assertEqual(self.used_count("unused"), 1)
        # Until it is gone, the end would wait for it.
        self.assertEqual(len(self.finder.outstanding), 1)

    def test_each_dictionary_has_its_own_grep_up_to_the_limit(self) -> None:
        for name in ("alpha", "beta", "delta"):
            self.search_with_new_grep("life", name)
        self.assertEqual(len(self.prestarted_greps), 2)
        self.start_search("love", "beta")
        self.assertEqual(self.received_patterns(self.prestarted_greps[1]), b"love\n")

    def test_simultaneous_searches_neither_start_nor_use_one(self) -> None:
        first = self.start_search("love")
        self.start_search("life")
        self.start_search("nothing")
        self.assertEqual((len(self.ordinary_greps), len(self.prestarted_greps)), (2, 1))
        self.assertEqual(self.used_count(), 0)
        self.end_grep(self.ordinary_greps[0])
        self.successResultOf(first)
        self.start_search("of life")
        self.assertEqual((len(self.prestarted_greps), self.used_count()), (1, 0))

    def test_after_simultaneous_searches_two_sequential_ones_start_one(self) -> None:
        for term in ("love", "life"):
            self.start_search(term)
        for process in self.ordinary_greps:
            self.end_grep(process)
        self.end_prestarted()
        self.reactor.processes.clear()
        counts = []
        for _ in range(3):
            self.search_with_new_grep("love")
            counts.append(len(self.prestarted_greps))
            self.end_prestarted()
        self.assertEqual(counts, [0, 1, 2])

    def test_other_than_bytewise_searches_start_none(self) -> None:
        self.start_search("love", ignore_case=True)
        self.start_search("love", n_after=1)
        self.start_search("love", "*")
        self.assertEqual(self.prestarted_greps, [])

    def test_a_large_dictionary_or_one_behind_a_link_has_none(self) -> None:
        (self.folder / "link").symlink_to(self.folder / "beta")
        (self.folder / "alpha").write_bytes(TEXT + b"x" * MAX_BUFFERED)
        for name in ("link", "alpha"):
            found = self.start_search("love", name)
            self.end_grep(self.ordinary_greps[-1])
            self.successResultOf(found)
        self.assertEqual((len(self.ordinary_greps), len(self.prestarted_greps)), (2, 0))

    def test_a_recently_changed_dictionary_has_none(self) -> None:
        changed = (self.folder / "alpha").stat().st_ctime
        for later, count in (0.01, 0), (1.0, 1):
            self.use_new_finder(changed + later)
            self.search_with_new_grep("love")
            self.assertEqual(len(self.prestarted_greps), count)
            self.end_prestarted()

    def test_a_dictionary_replaced_before_it_is_opened_has_none(self) -> None:
        path_state = Library.path_state
        self.patch(
            Library, "path_state", lambda library, _: path_state(library, "beta")
        )
        self.search_with_new_grep("love")
        self.assertEqual(self.prestarted_greps, [])

    def test_after_a_change_of_the_dictionary_another_grep_is_run(self) -> None:
        path, other = self.folder / "alpha", self.folder / "other"
        other.write_bytes(TEXT)

        def state() -> tuple[int, int]:
            return path.stat().st_ino, path.stat().st_ctime_ns

        for change in (
            lambda: path.write_bytes(TEXT + b"more\n"),
            lambda: os.utime(path, (1, 1)),
            lambda: path.chmod(0o600),
            lambda: other.replace(path),
        ):
            self.search_with_new_grep("life")
            prestarted = self.prestarted_greps[-1]
            before = state()
            # The clock of the kernel is coarse.
            while state() == before:
                change()
            self.start_search("love")
            self.assertEqual(prestarted.signals, ["KILL"])
            self.end_grep(self.ordinary_greps[-1])
            self.end_prestarted()

    def end_prestarted(self) -> None:
        """Let the idle timeout pass, and end the prestarted greps."""
        self.reactor.advance(IDLE_TIMEOUT)
        for prestarted in self.prestarted_greps:
            if prestarted.pid is not None:
                prestarted.end(signal=9)

    def test_a_removed_dictionary_is_not_found(self) -> None:
        self.search_with_new_grep("life")
        (self.folder / "alpha").unlink()
        self.failureResultOf(self.start_search("love"), DictionaryNotFound)

    def test_a_dictionary_that_changes_during_the_search_is_read_again(self) -> None:
        self.search_with_new_grep("life")
        found = self.start_search("love")
        (self.folder / "alpha").write_bytes(TEXT + b"love is all\n")
        self.end_grep(self.prestarted_greps[0])
        self.assertNoResult(found)
        self.end_grep(self.ordinary_greps[-1], b"love is all\n")
        self.assertEqual(self.successResultOf(found), ["love is all"])

    def test_a_prestarted_grep_has_the_time_limit_of_a_search(self) -> None:
        """The time counts from when it gets the term."""
        self.search_with_new_grep("life")
        self.reactor.advance(IDLE_TIMEOUT - 1)
        found = self.start_search("love")
        self.reactor.advance(9)
        self.assertNoResult(found)
        self.reactor.advance(1)
        self.failureResultOf(found, SearchTimedOut)
        self.assertEqual(self.prestarted_greps[0].signals, ["KILL"])

    def test_a_cancelled_search_kills_the_prestarted_grep(self) -> None:
        self.search_with_new_grep("life")
        self.start_search("love").cancel()
        self.assertEqual(self.prestarted_greps[0].signals, ["KILL"])

    def test_after_one_is_killed_an_ordinary_grep_is_run(self) -> None:
        self.search_with_new_grep("life")
        with capturedLogs() as events:
            self.prestarted_greps[0].end(signal=9)
        self.assertEqual((events, self.used_count("unused")), ([], 1))
        self.search_with_new_grep("love")
        self.assertEqual((len(self.ordinary_greps), len(self.prestarted_greps)), (2, 2))

    def test_after_one_is_killed_during_a_search_an_ordinary_grep_is_run(
        self,
    ) -> None:
        self.search_with_new_grep("life")
        found = self.start_search("love")
        self.assertEqual(self.received_patterns(self.prestarted_greps[0]), b"love\n")
        self.prestarted_greps[0].end(signal=9)
        self.assertNoResult(found)
        self.end_grep(self.ordinary_greps[-1])
        self.assertEqual(self.successResultOf(found), ["love"])

    def test_after_one_ends_by_itself_no_other_is_started(self) -> None:
        """It is not GNU grep, or cannot read the pipe. The end of stderr is logged."""
        self.search_with_new_grep("life")
        with capturedLogs() as events:
            self.prestarted_greps[0].print(
                errors=b"usage\n" * 1000 + b"grep: no such option\n"
            )
            self.prestarted_greps[0].end(2)
        [logged] = [formatEvent(each) for each in events]
        self.assertIn("status 2", logged)
        self.assertIn("grep: no such option", logged)
        self.assertLess(len(logged), 300)
        self.search_with_new_grep("love")
        self.assertEqual((len(self.ordinary_greps), len(self.prestarted_greps)), (2, 1))

    def test_one_that_prints_without_a_term_is_killed(self) -> None:
        """The shutdown waits until it has ended."""
        self.search_with_new_grep("life")
        with capturedLogs() as events:
            self.prestarted_greps[0].print(b"x" * 2 * MAX_BUFFERED)
        self.assertEqual(self.prestarted_greps[0].signals, ["KILL"])
        self.assertEqual(len(self.finder.outstanding), 1)
        self.assertEqual([len(formatEvent(each)) < 100 for each in events], [True])

    def test_a_term_that_is_too_long_for_the_pipe_gets_an_ordinary_grep(self) -> None:
        self.search_with_new_grep("life")
        term = "\U0001f600" * 1024
        found = self.start_search(term)
        self.assertEqual(self.prestarted_greps[0].signals, ["KILL"])
        self.assertIn(term, self.ordinary_greps[-1].arguments)
        self.assertEqual((self.used_count(), self.used_count("unused")), (0, 1))
        self.end_grep(self.ordinary_greps[-1])
        self.successResultOf(found)

    def test_searches_do_not_fail_if_none_can_be_started(self) -> None:
        self.reactor.prestart_error = OSError(errno.EAGAIN, "too many")
        self.search_with_new_grep("life")
        self.search_with_new_grep("love")
        self.assertEqual(self.prestarted_greps, [])
        self.assertEqual(metric_values(self.metrics)["quotes_spawn_failures_total"], 2)

    def test_stopping_closes_all_and_starts_no_more(self) -> None:
        self.search_with_new_grep("life")
        found = self.start_search("love", "beta")
        self.finder.grep_pool.stop()
        self.assertEqual(
            [each.signals for each in self.prestarted_greps], [["KILL"]] * 2
        )
        self.end_grep(self.ordinary_greps[-1])
        self.successResultOf(found)
        self.search_with_new_grep("life", "delta")
        self.assertEqual(len(self.prestarted_greps), 2)


class TwoSlotsTests(GrepPoolTestCase):
    """Tests with two slots."""

    max_running = 2

    def test_a_search_takes_the_last_slot_from_a_prestarted_grep(self) -> None:
        self.start_search("love")
        [prestarted] = self.prestarted_greps
        self.start_search("love", ignore_case=True)
        self.assertEqual(prestarted.signals, ["KILL"])

    def test_the_slot_of_a_prestarted_grep_is_not_used_twice(self) -> None:
        self.search_with_new_grep("life")
        self.start_search("love", "beta")
        self.assertEqual([each.signals for each in self.prestarted_greps], [[]])

    def test_none_is_started_without_a_free_slot(self) -> None:
        self.start_search("love", ignore_case=True)
        self.start_search("love")
        self.assertEqual(self.prestarted_greps, [])


class ThreeSlotsTests(GrepPoolTestCase):
    """Tests with three slots."""

    max_running = 3

    def test_the_oldest_prestarted_grep_is_closed_first(self) -> None:
        for name in ("alpha", "beta"):
            self.search_with_new_grep("life", name)
        counts = []
        for _ in range(3):
            self.start_search("love", ignore_case=True)
            counts.append([len(each.signals) for each in self.prestarted_greps])
        self.assertEqual(counts, [[0, 0], [1, 0], [1, 1]])


class RealGrepPoolTests(RealGrepTestCase):
    """Tests with the real grep."""

    def setUp(self) -> None:
        super().setUp()
        self.write("alpha", TEXT)
        self.metrics = Metrics()
        self.finder = self.make_finder(
            batch_threshold=2, max_prestarted=1, metrics=self.metrics
        )
        self.addCleanup(self.finder.grep_pool.stop)

    async def search(self, term: str) -> list[str]:
        """Search for a term."""
        return await find_entries(self.finder, Search(term=term, dictionary="alpha"))

    def used_count(self) -> float:
        """Return how many prestarted greps were used."""
        return metric_values(self.metrics)['quotes_spare_greps_total{result="used"}']

    async def test_the_third_sequential_search_uses_a_prestarted_grep(self) -> None:
        for term in ("nothing", "love of", "none", "nothing", "\u00e9"):
            expected = [line for line in TEXT.decode().splitlines() if term in line]
            self.assertEqual(await self.search(term), expected)
        self.assertEqual(self.used_count(), 3)

    async def test_a_change_of_the_dictionary_is_found_at_once(self) -> None:
        for _ in range(2):
            await self.search("love")
        self.write("alpha", "new\n")
        self.assertEqual(await self.search("new"), ["new"])
        self.write("other", "newer\n")
        (self.folder / "other").replace(self.folder / "alpha")
        self.assertEqual(await self.search("new"), ["newer"])

    async def test_a_grep_that_has_just_been_killed_is_replaced(self) -> None:
        """Before its end has been reported."""
        # Tests before this one can have left children that have not ended yet.
        children = Path("/proc/self/task", str(os.getpid()), "children")
        before = children.read_text().split()
        for _ in range(2):
            await self.search("love")
        [child] = {*children.read_text().split()}.difference(before)
        os.kill(int(child), signal.SIGKILL)
        os.waitid(os.P_PID, int(child), os.WEXITED | os.WNOWAIT)
        self.assertEqual(await self.search("nothing"), ["nothing"])

    async def test_a_byte_order_mark_is_not_searched(self) -> None:
        self.write("alpha", b"\xef\xbb\xbflove\n")
        for _ in range(2):
            await self.search("love")
        self.assertEqual(await self.search("love"), ["love"])
        self.assertEqual(await self.search("\ufeff"), [])
        self.assertEqual(self.used_count(), 2)
