"""
Tests of greps that are started ahead.
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent
from twisted.python.filepath import FilePath
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.errors import DictionaryNotFound, SearchTimedOut
from twisted_quotes.grep.arguments import (
    encode_pattern_file,
    line_arguments,
    pattern_file_arguments,
)
from twisted_quotes.grep.prestart import IDLE_TIMEOUT
from twisted_quotes.grep.runner import MAX_BUFFERED
from twisted_quotes.library.library import Library
from twisted_quotes.monitoring.metrics import Metrics
from twisted_quotes.query.queries import Search
from twisted_quotes.search.finder import Finder

from ..cases import RealGrepTestCase, run_real_grep
from ..fakes import FakeProcess, FakeReactor, find_entries, make_test_finder

TEXT = b"love and life\nlove\nlife\nlove of life\nnothing\n"


class PatternFileTests(SynchronousTestCase):
    """Tests of telling grep what to look for when it runs, with the real grep."""

    # Few bytes, so that terms are found, with all that is not text among them.
    @settings(max_examples=150)
    @given(
        st.lists(st.sampled_from(list(b"aab \n\n\r\0\xc3\xa9\xff\\.*")), max_size=60),
        st.text("ab \r\u00e9\\.*-", min_size=1, max_size=3),
    )
    def test_it_prints_what_it_would_have_printed(
        self, text: list[int], term: str
    ) -> None:
        """Byte for byte."""
        theirs, ours = os.pipe()
        os.write(ours, encode_pattern_file(term))
        os.close(ours)
        try:
            ahead = run_real_grep(pattern_file_arguments(theirs), bytes(text), theirs)
        finally:
            os.close(theirs)
        alone = run_real_grep(line_arguments(Search(term=term), None), bytes(text))
        self.assertEqual(ahead, alone, term)


class PrestartReactor(FakeReactor):
    """Starts fake greps, and knows what they are told."""

    def __init__(self) -> None:
        super().__init__()
        self.pattern_fds: dict[FakeProcess, int] = {}
        self.prestart_error: OSError | None = None

    def spawnProcess(self, *arguments: Any, **kwargs: Any) -> FakeProcess:
        """Spawn a process, and keep the file that tells it what to look for."""
        child_fds = kwargs["childFDs"]
        if 3 in child_fds and self.prestart_error is not None:
            raise self.prestart_error
        process = super().spawnProcess(*arguments, **kwargs)
        if 3 in child_fds:
            self.pattern_fds[process] = os.dup(child_fds[3])
        return process


class GrepPoolTestCase(SynchronousTestCase):
    """Has greps that do what a test says."""

    max_running = 8

    def setUp(self) -> None:
        """Make a library of three dictionaries."""
        temporary_directory = TemporaryDirectory()
        self.addCleanup(temporary_directory.cleanup)
        self.folder = Path(temporary_directory.name, "library")
        self.folder.mkdir()
        for name in ("alpha", "beta", "delta"):
            (self.folder / name).write_bytes(TEXT)
        self.reactor = PrestartReactor()
        self.metrics = Metrics()
        self.open_descriptor_count = len(os.listdir("/proc/self/fd"))
        self.cache = Path(temporary_directory.name, "cache")
        self.make_finder(self.cache)

    def make_finder(self, cache: Path, now: float = 2.0**33) -> Finder:
        """A finder on the library."""
        finder = make_test_finder(
            self.reactor,
            Library(FilePath(str(self.folder))),
            cache,
            running=self.max_running,
            metrics=self.metrics,
            batch_threshold=2,
            max_prestarted=2,
            now=now,
        )
        self.addCleanup(self.end_all, finder)
        self.finder = finder
        # From the second on they come one after another.
        self.search_with_new_grep("first")
        self.assertEqual(self.prestarted_greps, [])
        self.reactor.processes.clear()
        return finder

    def end_all(self, finder: Finder) -> None:
        """End what a test has left; then nothing is open, and nothing is due."""
        finder.grep_pool.stop()
        finder.outstanding.cancel()
        for process in self.reactor.processes:
            if process.pid is not None:
                process.end(signal=9)
        while self.reactor.pattern_fds:
            os.close(self.reactor.pattern_fds.popitem()[1])
        self.assertEqual(len(os.listdir("/proc/self/fd")), self.open_descriptor_count)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual(len(finder.outstanding), 0)

    def start_search(
        self, term: str, dictionary: str = "alpha", **fields: Any
    ) -> Deferred[list[str]]:
        """Look for a term."""
        query = Search(term=term, dictionary=dictionary, **fields)
        found = find_entries(self.finder, query)
        self.addCleanup(found.addErrback, lambda failure: None)
        return found

    @property
    def ordinary_greps(self) -> list[FakeProcess]:
        """The greps that were told what to look for when they were started."""
        return [each for each in self.reactor.processes if "-e" in each.arguments]

    @property
    def prestarted_greps(self) -> list[FakeProcess]:
        """The greps that were started ahead."""
        return [each for each in self.reactor.processes if "-f" in each.arguments]

    def received_patterns(self, process: FakeProcess) -> bytes:
        """All that a grep was told, up to the end of it."""
        os.set_blocking(self.reactor.pattern_fds[process], False)
        message = os.read(self.reactor.pattern_fds[process], 10_000)
        self.assertEqual(os.read(self.reactor.pattern_fds[process], 1), b"")
        return message

    def end_grep(self, process: FakeProcess, output: bytes = b"love\n") -> None:
        """Have a grep find something."""
        process.print(output)
        process.end()

    def search_with_new_grep(
        self, term: str, dictionary: str = "alpha", **fields: Any
    ) -> None:
        """Search by a grep that is started for it, from the beginning to the end."""
        found = self.start_search(term, dictionary, **fields)
        self.end_grep(self.ordinary_greps[-1])
        self.successResultOf(found)

    def read_metric(self, name: str) -> float:
        """The value of a metric."""
        text = self.metrics.render("text/plain")[1].decode()
        [line] = [each for each in text.splitlines() if each.startswith(f"{name} ")]
        return float(line.rpartition(" ")[2])

    def used_count(self, result: str = "used") -> float:
        """How many of them were of use, or were not."""
        return self.read_metric(f'quotes_spare_greps_total{{result="{result}"}}')


class GrepPoolTests(GrepPoolTestCase):
    """Tests of what is started ahead, and of what becomes of it."""

    def test_one_is_started_while_a_grep_looks(self) -> None:
        """It reads what to look for from a file that nobody else has."""
        self.start_search("love")
        [prestarted] = self.prestarted_greps
        self.assertEqual(
            prestarted.arguments, ("grep", "-a", "-F", "-f", "/proc/self/fd/3")
        )
        self.assertEqual(prestarted.environment, {"LC_ALL": "C"})
        self.assertEqual(self.read_metric("quotes_greps_total"), 1 + 2)
        self.assertEqual(self.read_metric("quotes_greps_running"), 1)

    def test_the_next_search_has_only_to_tell_it(self) -> None:
        """Another one is started then, for the search after it."""
        self.search_with_new_grep("life")
        found = self.start_search("love")
        first, second = self.prestarted_greps
        self.assertEqual(self.received_patterns(first), b"love\n")
        self.assertEqual(self.read_metric("quotes_greps_running"), 1)
        self.end_grep(first, b"love\nlove of life\n")
        self.assertEqual(self.successResultOf(found), ["love", "love of life"])
        self.assertEqual(
            (len(self.ordinary_greps), self.used_count(), second.signals), (1, 1, [])
        )

    def test_it_finds_the_part_that_is_asked_for(self) -> None:
        """It does not know how much that is."""
        self.search_with_new_grep("life")
        found = self.start_search("love", nresults=1, offset=1)
        self.end_grep(self.prestarted_greps[0], b"love and life\nlove\nlove of life\n")
        self.assertEqual(self.successResultOf(found), ["love"])

    def test_one_that_finds_nothing_is_well(self) -> None:
        """It ends with a status of 1, as ever."""
        self.search_with_new_grep("life")
        found = self.start_search("nobody")
        self.prestarted_greps[0].end(1)
        self.assertEqual(self.successResultOf(found), [])

    def test_one_that_is_not_told_anything_for_a_while_is_ended(self) -> None:
        """Nobody may ask again."""
        self.search_with_new_grep("life")
        self.reactor.advance(IDLE_TIMEOUT - 1)
        self.assertEqual(self.prestarted_greps[0].signals, [])
        self.reactor.advance(1)
        self.assertEqual(self.prestarted_greps[0].signals, ["KILL"])
        self.assertEqual(self.used_count("unused"), 1)
        # Until it is gone, the end would wait for it.
        self.assertEqual(len(self.finder.outstanding), 1)

    def test_each_dictionary_has_one_of_its_own(self) -> None:
        """As many as there may be; who has one keeps it."""
        for name in ("alpha", "beta", "delta"):
            self.search_with_new_grep("life", name)
        self.assertEqual(len(self.prestarted_greps), 2)
        self.start_search("love", "beta")
        self.assertEqual(self.received_patterns(self.prestarted_greps[1]), b"love\n")

    def test_who_does_not_search_alone_has_none(self) -> None:
        """Where searches come at the same time, none is started ahead or used."""
        first = self.start_search("love")
        self.start_search("life")
        self.start_search("nothing")
        self.assertEqual((len(self.ordinary_greps), len(self.prestarted_greps)), (2, 1))
        self.assertEqual(self.used_count(), 0)
        self.end_grep(self.ordinary_greps[0])
        self.successResultOf(first)
        self.start_search("of life")
        self.assertEqual((len(self.prestarted_greps), self.used_count()), (1, 0))

    def test_after_such_a_time_two_must_have_come_one_after_another(self) -> None:
        """It may have been a moment between them."""
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

    def test_what_is_not_looked_for_as_it_stands_has_none(self) -> None:
        """Nor have patterns, context, and all dictionaries together."""
        self.start_search("love", ignore_case=True)
        self.start_search("love", n_after=1)
        self.start_search("love", "*")
        self.assertEqual(self.prestarted_greps, [])

    def test_a_long_dictionary_has_none(self) -> None:
        """It is the search that takes its time there."""
        (self.folder / "alpha").write_bytes(TEXT + b"x" * MAX_BUFFERED)
        self.start_search("love")
        self.assertEqual((len(self.ordinary_greps), len(self.prestarted_greps)), (1, 0))

    def test_a_dictionary_that_has_just_changed_has_none(self) -> None:
        """It could change once more, and look the same."""
        changed = (self.folder / "alpha").stat().st_ctime
        for later, count in (0.01, 0), (1.0, 1):
            self.make_finder(self.cache, changed + later)
            self.search_with_new_grep("love")
            self.assertEqual(len(self.prestarted_greps), count)
            self.end_prestarted()

    def test_a_dictionary_behind_a_link_has_none(self) -> None:
        """It could lead elsewhere by then, unseen."""
        (self.folder / "link").symlink_to(self.folder / "alpha")
        self.start_search("love", "link")
        self.assertEqual((len(self.ordinary_greps), len(self.prestarted_greps)), (1, 0))

    def test_one_that_was_made_for_another_state_is_not_used(self) -> None:
        """It is ended, and another grep is run."""
        for change in self.dictionary_changes():
            self.search_with_new_grep("life")
            prestarted = self.prestarted_greps[-1]
            change()
            self.start_search("love")
            self.assertEqual(prestarted.signals, ["KILL"])
            self.end_grep(self.ordinary_greps[-1])
            self.end_prestarted()

    def dictionary_changes(self) -> list[Callable[[], object]]:
        """What may become of a dictionary."""
        path, other = self.folder / "alpha", self.folder / "other"
        other.write_bytes(TEXT)
        return [
            lambda: path.write_bytes(TEXT + b"more\n"),
            lambda: os.utime(path, (1, 1)),
            lambda: other.replace(path),
            lambda: self.change_permissions(path),
        ]

    def change_permissions(self, path: Path) -> None:
        """Change who may read a file, as soon as that can be seen."""
        before = path.stat().st_ctime_ns
        while path.stat().st_ctime_ns == before:
            path.chmod(0o600)

    def end_prestarted(self) -> None:
        """Have all end that wait, or have been killed."""
        self.reactor.advance(IDLE_TIMEOUT)
        for prestarted in self.prestarted_greps:
            if prestarted.pid is not None:
                prestarted.end(signal=9)

    def test_a_dictionary_that_is_gone_is_not_found(self) -> None:
        """Though a grep has it open."""
        self.search_with_new_grep("life")
        (self.folder / "alpha").unlink()
        self.failureResultOf(self.start_search("love"), DictionaryNotFound)

    def test_a_dictionary_that_changes_under_it_is_searched_again(self) -> None:
        """What it has printed is of no state at all."""
        self.search_with_new_grep("life")
        found = self.start_search("love")
        (self.folder / "alpha").write_bytes(TEXT + b"love is all\n")
        self.end_grep(self.prestarted_greps[0])
        self.assertNoResult(found)
        self.end_grep(self.ordinary_greps[-1], b"love is all\n")
        self.assertEqual(self.successResultOf(found), ["love is all"])

    def test_one_that_takes_too_long_is_killed(self) -> None:
        """What counts is the time since it was told."""
        self.search_with_new_grep("life")
        self.reactor.advance(IDLE_TIMEOUT - 1)
        found = self.start_search("love")
        self.reactor.advance(9)
        self.assertNoResult(found)
        self.reactor.advance(1)
        self.failureResultOf(found, SearchTimedOut)
        self.assertEqual(self.prestarted_greps[0].signals, ["KILL"])

    def test_one_whose_caller_leaves_is_killed(self) -> None:
        """As any grep."""
        self.search_with_new_grep("life")
        self.start_search("love").cancel()
        self.assertEqual(self.prestarted_greps[0].signals, ["KILL"])

    def test_one_that_was_killed_is_not_missed(self) -> None:
        """The next search has a grep of its own, and the one after it has a spare."""
        self.search_with_new_grep("life")
        with capturedLogs() as events:
            self.prestarted_greps[0].end(signal=9)
        self.assertEqual((events, self.used_count("unused")), ([], 1))
        self.search_with_new_grep("love")
        self.assertEqual((len(self.ordinary_greps), len(self.prestarted_greps)), (2, 2))

    def test_one_that_is_killed_when_it_has_been_told_is_not_missed_either(
        self,
    ) -> None:
        """It may have been about to die before; another grep is run."""
        self.search_with_new_grep("life")
        found = self.start_search("love")
        self.assertEqual(self.received_patterns(self.prestarted_greps[0]), b"love\n")
        self.prestarted_greps[0].end(signal=9)
        self.assertNoResult(found)
        self.end_grep(self.ordinary_greps[-1])
        self.assertEqual(self.successResultOf(found), ["love"])

    def test_where_one_ends_by_itself_no_other_is_started(self) -> None:
        """What is called grep there is another one, or cannot read what it is told."""
        self.search_with_new_grep("life")
        with capturedLogs() as events:
            self.prestarted_greps[0].print(errors=b"grep: unknown option")
            self.prestarted_greps[0].end(2)
        self.assertEqual(len(events), 1)
        self.search_with_new_grep("love")
        self.assertEqual((len(self.ordinary_greps), len(self.prestarted_greps)), (2, 1))

    def test_one_that_floods_is_ended_and_the_end_waits_for_that(self) -> None:
        """Though it has answered, in a way."""
        self.search_with_new_grep("life")
        with capturedLogs() as events:
            self.prestarted_greps[0].print(b"x" * 2 * MAX_BUFFERED)
        self.assertEqual(self.prestarted_greps[0].signals, ["KILL"])
        self.assertEqual(len(self.finder.outstanding), 1)
        self.assertEqual([len(formatEvent(each)) < 100 for each in events], [True])

    def test_of_what_one_says_that_ends_by_itself_the_end_is_logged(self) -> None:
        """It may say a lot, and what is wrong last."""
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

    def test_a_term_that_may_not_be_told_at_once_has_a_grep_of_its_own(self) -> None:
        """What is longer could be read in parts."""
        self.search_with_new_grep("life")
        term = "\U0001f600" * 1024
        found = self.start_search(term)
        self.assertEqual(self.prestarted_greps[0].signals, ["KILL"])
        self.assertIn(term, self.ordinary_greps[-1].arguments)
        self.assertEqual((self.used_count(), self.used_count("unused")), (0, 1))
        self.end_grep(self.ordinary_greps[-1])
        self.successResultOf(found)

    def test_one_that_cannot_be_started_is_not_missed(self) -> None:
        """Who searches meanwhile is answered."""
        self.reactor.prestart_error = OSError(errno.EAGAIN, "too many")
        self.search_with_new_grep("life")
        self.search_with_new_grep("love")
        self.assertEqual(self.prestarted_greps, [])
        self.assertEqual(self.read_metric("quotes_spawn_failures_total"), 2)

    def test_when_no_more_searches_come_all_are_ended(self) -> None:
        """And none is started for those who search still."""
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
    """Tests with two places."""

    max_running = 2

    def test_one_that_waits_is_ended_for_the_last_place(self) -> None:
        """There are never more greps than may be."""
        self.start_search("love")
        [prestarted] = self.prestarted_greps
        self.start_search("love", ignore_case=True)
        self.assertEqual(prestarted.signals, ["KILL"])

    def test_it_has_a_place_that_no_other_one_has(self) -> None:
        """While one waits, and a search runs, there is no place for a second one."""
        self.search_with_new_grep("life")
        self.start_search("love", "beta")
        self.assertEqual([each.signals for each in self.prestarted_greps], [[]])

    def test_none_is_started_where_all_places_are_taken(self) -> None:
        """It would be one too many."""
        self.start_search("love", ignore_case=True)
        self.start_search("love")
        self.assertEqual(self.prestarted_greps, [])


class ThreeSlotsTests(GrepPoolTestCase):
    """Tests with three places."""

    max_running = 3

    def test_those_that_wait_leave_their_places_one_after_another(self) -> None:
        """The one that has waited longest begins; no more are ended than must be."""
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
        """Have a finder that starts greps ahead."""
        super().setUp()
        self.write("alpha", TEXT)
        self.metrics = Metrics()
        self.finder = self.make_finder(
            batch_threshold=2, max_prestarted=1, metrics=self.metrics
        )
        self.addCleanup(self.finder.grep_pool.stop)

    async def search(self, term: str) -> list[str]:
        """Look for a term."""
        return await find_entries(self.finder, Search(term=term, dictionary="alpha"))

    def used_count(self) -> bytes:
        """How many of them were of use."""
        text = self.metrics.render("text/plain")[1]
        return text.partition(b'spare_greps_total{result="used"} ')[2].split()[0]

    async def test_searches_one_after_another_find_what_they_look_for(self) -> None:
        """From the third on by a grep that was there."""
        for term in ("nothing", "love of", "none", "nothing", "\u00e9"):
            expected = [line for line in TEXT.decode().splitlines() if term in line]
            self.assertEqual(await self.search(term), expected)
        self.assertEqual(self.used_count(), b"3.0")

    async def test_a_change_is_found_at_once(self) -> None:
        """Whatever way it was made."""
        for _ in range(2):
            await self.search("love")
        self.write("alpha", "new\n")
        self.assertEqual(await self.search("new"), ["new"])
        self.write("other", "newer\n")
        (self.folder / "other").replace(self.folder / "alpha")
        self.assertEqual(await self.search("new"), ["newer"])

    async def test_one_that_has_just_been_killed_is_not_missed(self) -> None:
        """Though nobody has told us yet."""
        for _ in range(2):
            await self.search("love")
        [child] = (
            Path("/proc/self/task", str(os.getpid()), "children").read_text().split()
        )
        os.kill(int(child), signal.SIGKILL)
        os.waitid(os.P_PID, int(child), os.WEXITED | os.WNOWAIT)
        self.assertEqual(await self.search("nothing"), ["nothing"])

    async def test_a_byte_order_mark_is_no_part_of_what_is_searched(self) -> None:
        """Nor is it for one that was started ahead."""
        self.write("alpha", b"\xef\xbb\xbflove\n")
        for _ in range(2):
            await self.search("love")
        self.assertEqual(await self.search("love"), ["love"])
        self.assertEqual(await self.search("\ufeff"), [])
        self.assertEqual(self.used_count(), b"2.0")
