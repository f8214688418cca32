"""
The greps of a search: one after another, in a place, within a time limit.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.interfaces import IReactorProcess, IReactorTime

from twisted_quotes.concurrency.closing import Closing
from twisted_quotes.concurrency.limiter import ANYBODY, Claim, Place, Places
from twisted_quotes.concurrency.outstanding import Outstanding
from twisted_quotes.errors import SearchTimedOut
from twisted_quotes.monitoring.metrics import Metrics
from twisted_quotes.processes.process import Child, Command, Outcome, run
from twisted_quotes.text.lines import NormalizedFile

from . import arguments as grep
from .arguments import GrepFailed

MAX_BUFFERED = 1024 * 1024
"""The most bytes of output, roughly, that are held in memory before they are sent."""

MOST_OUTPUT = 1000
"""How many bytes a grep may print if nothing else is said, before it is killed."""


class ReactorForProcesses(IReactorProcess, IReactorTime):
    """What is needed of the reactor: to start processes and to tell time."""


@dataclass(frozen=True)
class GrepRunner:
    """
    How greps are run.

    @ivar reactor: starts and times them.
    @ivar executable: the absolute path of grep.
    @ivar places: where they run, and searches wait.
    @ivar time_limit: how long the greps of a search may run, in seconds.
    @ivar outstanding: is told of each of them.
    @ivar restrain: limits what a process may use: its id, for how long it is
        needed, in seconds, and whether it may run for long.
    @ivar metrics: has greps counted.
    """

    reactor: ReactorForProcesses
    executable: str
    places: Places
    time_limit: float
    outstanding: Outstanding
    restrain: Callable[[int, float, bool], object]
    metrics: Metrics = field(default_factory=Metrics)

    async def take_place(self, claim: Claim = ANYBODY) -> Greps:
        """
        Wait for a place to run greps in.

        @raise TooBusy: as many wait as may.
        @raise TooManyRequests: the client has more waiting than its share.
        """
        return Greps(self, await self.places.take(claim))

    def start(
        self,
        arguments: tuple[str | bytes, ...],
        environment: Mapping[str, str],
        stdin: int | Literal["w"],
        most_output: int,
        also: Mapping[int, int] = MappingProxyType({}),
        slow: bool = False,
    ) -> Child:
        """
        Start a grep, and have it counted.

        The parameters are those of L{run<twisted_quotes.processes.process.run>} and its
        L{Command}.

        @param slow: whether it may run for long.
        @raise OSError: it could not be started, or not be restrained.
        """
        command = Command(self.executable, arguments, environment)
        try:
            child = run(self.reactor, command, stdin, most_output, also)
        except OSError:
            self.metrics.spawn_failures.inc()
            raise
        self.metrics.greps.inc()
        try:
            if child.transport.pid is not None:
                self.restrain(child.transport.pid, self.time_limit, slow)
        except OSError:
            self.outstanding.add(child.ended)
            child.give_up()
            raise
        return child

    async def take_place_again(self, claim: Claim) -> Greps:
        """Wait for a place after another one, or another's, was of no use."""
        return Greps(self, await self.places.take_again(claim))


class Greps(Closing):
    """
    The greps of one search.

    @param runner: how they are run.
    @param place: where they run.
    """

    def __init__(self, runner: GrepRunner, place: Place) -> None:
        self._runner = runner
        self._place: Place | None = place
        self._claim = place.claim
        self._time_left = runner.time_limit

    def rest(self) -> None:
        """Give the place back until the next grep is run, which has all the time."""
        self._time_left = self._runner.time_limit
        if self._place is not None:
            self._place.close()
            self._place = None

    def close(self) -> None:
        """Give the place back for good."""
        self.rest()

    async def run(
        self,
        arguments: tuple[str | bytes, ...],
        environment: Mapping[str, str],
        stdin: int | NormalizedFile,
        regex: bool = False,
        most_output: int | None = None,
    ) -> Outcome:
        """
        Run grep.

        @param stdin: what it reads: a file descriptor, or a text it is fed.
        @param regex: whether it looks for a regular expression of the caller's.
        @param most_output: after how many bytes of output it is killed, and
            answered with those; L{None} where more than L{MOST_OUTPUT} cannot
            be.
        @raise SearchTimedOut: the greps of this search took too long.
        @raise BadRequest: the regular expression is wrong.
        @raise GrepFailed: grep failed for a reason of its own.
        @raise OSError: it could not be started.
        """
        runner = self._runner
        if self._place is None:
            self._place = await runner.places.take_again(self._claim)
        before = _bytes_read(stdin)
        child = runner.start(
            *(arguments, environment),
            stdin if isinstance(stdin, int) else "w",
            most_output or MOST_OUTPUT,
            slow=self._claim.slow,
        )
        if isinstance(stdin, NormalizedFile):
            child.feed(stdin)
        outcome = await self.answer(child, lambda: _bytes_read(stdin) - before, regex)
        if not (outcome.is_whole or most_output):
            raise GrepFailed("grep printed more than it can have been asked for")
        return outcome

    async def answer(
        self, child: Child, bytes_read: Callable[[], int], regex: bool = False
    ) -> Outcome:
        """
        Wait for a grep that looks for something, as long as it may.

        @param child: the grep.
        @param bytes_read: tells how many bytes it has read.
        @raise SearchTimedOut: the greps of this search took too long.
        @raise BadRequest: as for L{run}.
        @raise GrepFailed: as for L{run}.
        """
        runner, metrics = self._runner, self._runner.metrics
        assert self._place is not None, "a grep that runs has a place"
        self._place.hold_until(runner.outstanding.add(child.ended))
        metrics.greps_running.inc()
        child.ended.addCallback(lambda _: metrics.greps_running.dec())
        began = runner.reactor.seconds()
        try:
            outcome = await self._outcome(child)
        finally:
            metrics.bytes_searched.inc(max(0, bytes_read()))
        self._time_left -= min(runner.reactor.seconds() - began, self._time_left)
        grep.check(outcome.status, outcome.errors, regex)
        return outcome

    async def _outcome(self, child: Child) -> Outcome:
        """Wait for a grep, and count those that are killed."""
        runner = self._runner
        killed = runner.metrics.greps_killed
        try:
            outcome = await child.answered.addTimeout(self._time_left, runner.reactor)
        except TimeoutError:
            killed.labels("timeout").inc()
            raise SearchTimedOut(runner.time_limit) from None
        except CancelledError:
            cut_short = runner.outstanding.is_cut_short
            killed.labels("shutdown" if cut_short else "left").inc()
            raise
        if not outcome.is_whole:
            killed.labels("output").inc()
            # Until it is gone it may read on, and move the position of its file.
            await _after(child.ended)
        elif outcome.signal is not None:
            killed.labels("outside").inc()
        return outcome


def _after(ended: Deferred[None]) -> Deferred[None]:
    """Wait for something that others wait for, too."""
    waiting: Deferred[None] = Deferred()
    ended.addCallback(waiting.callback)
    return waiting


def _bytes_read(stdin: int | NormalizedFile) -> int:
    """How far a file has been read, by this process and its children."""
    if isinstance(stdin, NormalizedFile):
        return stdin.bytes_read
    return os.lseek(stdin, 0, os.SEEK_CUR)
