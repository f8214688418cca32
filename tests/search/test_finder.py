"""
Tests for L{twisted_quotes.search.finder}, with processes that the test ends.
"""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.errors import (
    BadRequest,
    DictionaryNotFound,
    SearchTimedOut,
    TooBusy,
)
from twisted_quotes.grep.arguments import GrepFailed
from twisted_quotes.library.library import Library
from twisted_quotes.query.queries import All, Search

from ..cases import RealGrepTestCase
from ..fakes import FakeReactor, find_entries, make_test_finder

LOVE = Search(term="love")


class FinderTests(SynchronousTestCase):
    """Tests with one slot, one place in the queue and a timeout of 5 seconds."""

    def setUp(self) -> None:
        temporary_folder = Path(self.enterContext(TemporaryDirectory()))
        (temporary_folder / "book").write_bytes(b"love\r\n")
        self.reactor = FakeReactor()
        self.finder = make_test_finder(
            self.reactor,
            Library(temporary_folder),
            f"{temporary_folder}/.cache",
            1,
            1,
            5.0,
        )
        self.outstanding = self.finder.outstanding

    def test_lines_that_grep_prints_are_the_entries(self) -> None:
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

    def test_a_query_returns_its_part_of_the_output(self) -> None:
        """Offset and nresults count entries; each match has its own context."""
        for query, output, entries in (
            (All(offset=1, nresults=1), b"a\nb\nc\n", ["b"]),
            (Search(term="b", n_after=1), b"1:b\n2:bb\n3-c\n", ["b\nbb", "bb\nc"]),
        ):
            found = find_entries(self.finder, query)
            self.reactor.processes[-1].print(output)
            self.reactor.processes[-1].end()
            self.assertEqual(self.successResultOf(found), entries)

    def test_exit_status_1_is_an_empty_result(self) -> None:
        found = find_entries(self.finder, LOVE)
        self.reactor.processes[0].end(1)
        self.assertEqual(self.successResultOf(found), [])

    def test_an_error_or_a_signal_of_grep_is_not_a_bad_request(self) -> None:
        for status, signal in ((2, None), (0, 9)):
            found = find_entries(self.finder, LOVE)
            self.reactor.processes[-1].print(errors=b"grep: trouble\n")
            self.reactor.processes[-1].end(status, signal)
            self.failureResultOf(found, GrepFailed)

    def test_a_regex_is_matched_against_normalized_text(self) -> None:
        """If the bytes of the file are not its text, grep reads the text."""
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

    def test_a_regex_is_matched_against_a_file_that_is_normalized(self) -> None:
        found = find_entries(self.finder, Search(term="(", regex=True))
        self.reactor.processes[0].end(1)
        search = self.reactor.processes[1]
        self.assertIsInstance(search.child_fds[0], int)
        search.print(errors=b"grep: Unmatched ( or \\(\n")
        search.end(2)
        self.assertIn(
            "Unmatched", self.failureResultOf(found, BadRequest).value.message
        )

    def test_a_search_past_its_timeout_is_killed(self) -> None:
        """It fails at once, and keeps its slot until grep has ended."""
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

    def test_the_timeout_does_not_include_the_wait_for_a_slot(self) -> None:
        first, second = find_entries(self.finder, LOVE), find_entries(self.finder, LOVE)
        self.reactor.advance(4)
        self.reactor.processes[0].end()
        self.successResultOf(first)
        self.reactor.advance(4)
        self.assertNoResult(second)
        self.reactor.processes[1].end()
        self.successResultOf(second)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_a_search_that_does_not_fit_in_the_queue_fails(self) -> None:
        found = [find_entries(self.finder, LOVE) for _ in range(3)]
        self.failureResultOf(found[2], TooBusy)
        self.assertEqual(len(self.reactor.processes), 1)
        for number in range(2):
            self.reactor.processes[number].end()
            self.successResultOf(found[number])

    def test_a_cancelled_search_kills_its_grep_or_stops_waiting(self) -> None:
        running, waiting = (find_entries(self.finder, LOVE) for _ in range(2))
        for search in (waiting, running):
            search.cancel()
            self.failureResultOf(search, CancelledError)
        [process] = self.reactor.processes
        self.assertEqual(process.signals, ["KILL"])
        self.assertEqual(len(self.outstanding), 1)
        process.end(0, 9)
        self.assertEqual(len(self.outstanding), 0)

    def test_a_shutdown_waits_for_versions_and_can_cancel_them(self) -> None:
        """A thread reads those of a large library."""
        library = self.finder.searchable_library
        self.patch(library, "in_thread", lambda *_: Deferred())
        versions = self.finder.read_versions(("book",) * 1000, False)
        self.assertEqual(len(self.outstanding), 1)
        self.outstanding.cancel()
        self.failureResultOf(versions, CancelledError)
        self.assertEqual(len(self.outstanding), 0)

    def test_a_failed_search_releases_its_slot(self) -> None:
        self.failureResultOf(
            find_entries(self.finder, All(dictionary="none")), DictionaryNotFound
        )
        self.reactor.spawn_error = OSError("too many processes")
        self.failureResultOf(find_entries(self.finder, LOVE), OSError)
        self.reactor.spawn_error = None
        found = find_entries(self.finder, LOVE)
        self.reactor.processes[0].end()
        self.assertEqual(self.successResultOf(found), [])

    def test_a_finished_search_leaves_no_file_open(self) -> None:
        before = os.listdir("/proc/self/fd")
        found = find_entries(self.finder, LOVE)
        self.assertGreater(len(os.listdir("/proc/self/fd")), len(before))
        self.reactor.processes[0].end()
        self.successResultOf(found)
        self.assertEqual(len(os.listdir("/proc/self/fd")), len(before))


class RealGrepTests(RealGrepTestCase):
    """Tests with the real grep."""

    async def test_invalid_bytes_are_replacement_characters(self) -> None:
        self.write("dreams", b"\xef\xbb\xbf\xff love\r\nhate\n")
        for query in (LOVE, Search(term="^. love$", regex=True)):
            found = await find_entries(self.make_finder(), query)
            self.assertEqual(found, ["\ufffd love"])
