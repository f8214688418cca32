"""
Tests for L{twisted_quotes.greps}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.errors import BadRequest, SearchTimedOut, TooBusy
from twisted_quotes.grep import GrepFailed
from twisted_quotes.greps import GrepRunner, Greps
from twisted_quotes.outstanding import Outstanding
from twisted_quotes.places import Places
from twisted_quotes.process import Outcome

from .fakes import FakeReactor


class GrepsTests(SynchronousTestCase):
    """Tests of the greps of one search, with processes that a test ends."""

    def setUp(self) -> None:
        """Have one place, and room for one to wait."""
        self.reactor = FakeReactor()
        reactor: Any = self.reactor
        self.outstanding = Outstanding()
        self.restrained: list[tuple[int, float]] = []
        self.runner = GrepRunner(
            reactor, "/bin/grep", Places(1, 1), 10.0, self.outstanding, self.restrain
        )

    def restrain(self, pid: int, seconds: float) -> None:
        """Note what is limited."""
        self.restrained.append((pid, seconds))

    def take_place(self) -> Deferred[Greps]:
        """Wait for the place."""
        return Deferred.fromCoroutine(self.runner.take_place())

    def run_grep(self, greps: Greps, regex: bool = False) -> Deferred[Outcome]:
        """Run a grep."""
        return Deferred.fromCoroutine(greps.run(("-c",), {"A": "b"}, 7, regex))

    def test_a_grep_is_run_as_it_is_told(self) -> None:
        """With its arguments, its environment and what it reads."""
        greps = self.successResultOf(self.take_place())
        ran = self.run_grep(greps)
        [process] = self.reactor.processes
        self.assertEqual(process.arguments, ("grep", "-c"))
        self.assertEqual(process.environment, {"A": "b"})
        self.assertEqual(process.child_fds[0], 7)
        process.print(b"12\n")
        process.end()
        self.assertEqual(self.successResultOf(ran).output, b"12\n")
        self.assertEqual(self.restrained, [(4711, 10.0)])

    def test_the_greps_of_a_search_share_its_time(self) -> None:
        """A second one has what the first one left of it."""
        greps = self.successResultOf(self.take_place())
        first = self.run_grep(greps)
        self.reactor.advance(6)
        self.reactor.processes[0].end()
        self.successResultOf(first)
        self.reactor.advance(100)
        second = self.run_grep(greps)
        self.reactor.advance(3.9)
        self.assertNoResult(second)
        self.reactor.advance(0.2)
        self.failureResultOf(second, SearchTimedOut)
        self.assertEqual(self.reactor.processes[1].signals, ["KILL"])
        self.reactor.processes[1].end(signal=9)
        self.assertEqual(len(self.outstanding), 0)

    def test_at_rest_it_holds_no_place(self) -> None:
        """Another may have it meanwhile; the next grep waits for it again."""
        greps = self.successResultOf(self.take_place())
        greps.rest()
        other = self.successResultOf(self.take_place())
        waiting = self.take_place()
        ran = self.run_grep(greps)
        self.assertEqual(self.reactor.processes, [])
        self.assertNoResult(ran)
        self.failureResultOf(self.take_place(), TooBusy)
        with other:
            pass
        with self.successResultOf(waiting):
            pass
        [process] = self.reactor.processes
        process.end()
        self.successResultOf(ran)
        with greps:
            pass
        self.successResultOf(self.take_place())

    def test_after_a_rest_the_time_counts_anew(self) -> None:
        """How long its reader took is not the search's fault."""
        greps = self.successResultOf(self.take_place())
        for _ in range(3):
            ran = self.run_grep(greps)
            self.reactor.advance(9)
            self.reactor.processes[-1].end()
            self.successResultOf(ran)
            greps.rest()

    def test_what_grep_complains_of_is_an_error(self) -> None:
        """The caller's, where a regular expression is wrong; else nobody's."""
        greps = self.successResultOf(self.take_place())
        for regex, kind in ((True, BadRequest), (False, GrepFailed)):
            ran = self.run_grep(greps, regex)
            self.reactor.processes[-1].print(errors=b"grep: Unmatched (\n")
            self.reactor.processes[-1].end(2)
            self.failureResultOf(ran, kind)

    def test_a_place_is_held_while_a_killed_grep_dies(self) -> None:
        """No more greps run than may."""
        greps = self.successResultOf(self.take_place())
        ran = self.run_grep(greps)
        ran.cancel()
        self.failureResultOf(ran, CancelledError)
        greps.rest()
        waiting = self.take_place()
        self.assertNoResult(waiting)
        self.reactor.processes[0].end(signal=9)
        self.successResultOf(waiting)
