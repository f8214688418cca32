"""
Tests of the use cases, with processes that a test ends by hand.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from twisted.internet.defer import CancelledError
from twisted.python.filepath import FilePath
from twisted.trial.unittest import SynchronousTestCase, TestCase

from twisted_quotes.errors import (
    BadRequest,
    DictionaryNotFound,
    SearchTimedOut,
    TooBusy,
)
from twisted_quotes.grep.arguments import GrepFailed
from twisted_quotes.library.library import Library
from twisted_quotes.query.queries import All, Search

from ..fakes import FakeReactor, find_entries, make_test_finder

LOVE = Search(term="love")


class FinderTests(SynchronousTestCase):
    """What a finder does with greps that do as they are told."""

    def setUp(self) -> None:
        """Make a finder with one place, and one more that may wait."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        (Path(folder.name) / "book").write_bytes(b"love\r\n")
        self.reactor = FakeReactor()
        self.finder = make_test_finder(
            self.reactor,
            Library(FilePath(folder.name)),
            f"{folder.name}/.cache",
            1,
            1,
            5.0,
        )
        self.outstanding = self.finder.outstanding

    def test_what_grep_prints_is_the_answer(self) -> None:
        """The lines that grep printed are the entries."""
        found = find_entries(self.finder, LOVE)
        self.assertNoResult(found)
        [process] = self.reactor.processes
        self.assertEqual(process.executable, "/bin/grep")
        self.assertEqual(process.arguments, ("grep", "-a", "-F", "-e", "love"))
        self.assertEqual(process.environment, {"LC_ALL": "C"})
        process.print(b"love\r\nmore lo")
        process.print(b"ve\n")
        process.end()
        self.assertEqual(self.successResultOf(found), ["love", "more love"])
        self.assertEqual(len(self.outstanding), 0)

    def test_only_the_part_that_was_asked_for_is_returned(self) -> None:
        """Offset and nresults count entries."""
        found = find_entries(self.finder, All(offset=1, nresults=1))
        [process] = self.reactor.processes
        process.print(b"a\nb\nc\n")
        process.end()
        self.assertEqual(self.successResultOf(found), ["b"])

    def test_each_match_has_its_own_context(self) -> None:
        """The groups that grep prints are taken apart."""
        found = find_entries(self.finder, Search(term="b", n_after=1))
        [process] = self.reactor.processes
        process.print(b"1:b\n2:bb\n3-c\n")
        process.end()
        self.assertEqual(self.successResultOf(found), ["b\nbb", "bb\nc"])

    def test_finding_nothing_is_a_success(self) -> None:
        """Exit status 1 is no error."""
        found = find_entries(self.finder, LOVE)
        self.reactor.processes[0].end(1)
        self.assertEqual(self.successResultOf(found), [])

    def test_a_grep_that_fails_is_not_the_callers_fault(self) -> None:
        """Neither an error of grep's nor a signal is answered as a bad request."""
        for status, signal in ((2, None), (0, 9)):
            found = find_entries(self.finder, LOVE)
            self.reactor.processes[-1].print(errors=b"grep: trouble\n")
            self.reactor.processes[-1].end(status, signal)
            self.failureResultOf(found, GrepFailed)

    def test_a_pattern_is_matched_against_the_text(self) -> None:
        """Where the file's bytes are not its text, grep is fed the text."""
        found = find_entries(self.finder, Search(term="love$", regex=True))
        probe = self.reactor.processes[0]
        self.assertIsInstance(probe.child_fds[0], int)
        probe.end(0)
        search = self.reactor.processes[1]
        self.assertEqual(search.child_fds[0], "w")
        self.assertEqual(search.written, b"love\n")
        self.assertEqual(search.closed, [0])
        search.print(b"love\n")
        search.end()
        self.assertEqual(self.successResultOf(found), ["love"])

    def test_a_pattern_reads_the_file_itself_where_it_can(self) -> None:
        """Where bytes and text are the same, grep reads the file."""
        found = find_entries(self.finder, Search(term="(", regex=True))
        self.reactor.processes[0].end(1)
        search = self.reactor.processes[1]
        self.assertIsInstance(search.child_fds[0], int)
        search.print(errors=b"grep: Unmatched ( or \\(\n")
        search.end(2)
        self.assertIn(
            "Unmatched", self.failureResultOf(found, BadRequest).value.message
        )

    def test_a_search_past_its_time_is_killed(self) -> None:
        """The answer does not wait for the grep to die, but its place does."""
        found = find_entries(self.finder, LOVE)
        self.reactor.advance(4.9)
        self.assertNoResult(found)
        self.reactor.advance(0.2)
        self.failureResultOf(found, SearchTimedOut)
        [process] = self.reactor.processes
        self.assertEqual(process.signals, ["KILL"])
        waiting = find_entries(self.finder, LOVE)
        self.assertEqual(len(self.reactor.processes), 1)
        process.end(0, 9)
        self.reactor.processes[1].end()
        self.assertEqual(self.successResultOf(waiting), [])

    def test_who_waits_has_not_begun_to_spend_the_time(self) -> None:
        """The time limit counts from when the grep starts."""
        first, second = find_entries(self.finder, LOVE), find_entries(self.finder, LOVE)
        self.reactor.advance(4)
        self.reactor.processes[0].end()
        self.successResultOf(first)
        self.reactor.advance(4)
        self.assertNoResult(second)
        self.reactor.processes[1].end()
        self.successResultOf(second)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_beyond_those_who_wait_it_is_too_busy(self) -> None:
        """Nothing is spawned for one too many."""
        found = [find_entries(self.finder, LOVE) for _ in range(3)]
        self.failureResultOf(found[2], TooBusy)
        self.assertEqual(len(self.reactor.processes), 1)
        for number in range(2):
            self.reactor.processes[number].end()
            self.successResultOf(found[number])

    def test_a_cancelled_search_kills_its_grep(self) -> None:
        """And one that waits gives up its wait."""
        running, waiting = (
            find_entries(self.finder, LOVE),
            find_entries(self.finder, LOVE),
        )
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        running.cancel()
        self.failureResultOf(running, CancelledError)
        [process] = self.reactor.processes
        self.assertEqual(process.signals, ["KILL"])
        self.assertEqual(len(self.outstanding), 1)
        process.end(0, 9)
        self.assertEqual(len(self.outstanding), 0)

    def test_what_goes_wrong_gives_the_place_back(self) -> None:
        """Neither a missing dictionary nor a failing spawn keeps a place."""
        self.failureResultOf(
            find_entries(self.finder, All(dictionary="none")), DictionaryNotFound
        )
        self.reactor.spawn_error = OSError("too many processes")
        self.failureResultOf(find_entries(self.finder, LOVE), OSError)
        self.reactor.spawn_error = None
        found = find_entries(self.finder, LOVE)
        self.reactor.processes[0].end()
        self.assertEqual(self.successResultOf(found), [])

    def test_no_file_stays_open(self) -> None:
        """The dictionary is closed when its grep has answered."""
        before = os.listdir("/proc/self/fd")
        found = find_entries(self.finder, LOVE)
        self.assertGreater(len(os.listdir("/proc/self/fd")), len(before))
        self.reactor.processes[0].end()
        self.successResultOf(found)
        self.assertEqual(len(os.listdir("/proc/self/fd")), len(before))


class RealGrepTests(TestCase):
    """The same with the real grep."""

    async def test_a_real_grep_finds_what_is_there(self) -> None:
        """A search in a dictionary with odd bytes finds its lines."""
        from twisted.internet import reactor

        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "book").write_bytes(b"\xef\xbb\xbf\xff love\r\nhate\n")
            finder = make_test_finder(
                reactor, Library(FilePath(folder)), f"{folder}/.cache"
            )
            self.assertEqual(await find_entries(finder, LOVE), ["\ufffd love"])
            found = await find_entries(finder, Search(term="^. love$", regex=True))
            self.assertEqual(found, ["\ufffd love"])
