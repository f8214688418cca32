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

from twisted_quotes.concurrency.closing import Closeable
from twisted_quotes.concurrency.limiter import (
    DEFAULT_SLOT_REQUEST,
    ConcurrencyLimiter,
    Slot,
    SlotRequest,
)
from twisted_quotes.concurrency.outstanding import Outstanding
from twisted_quotes.errors import SearchTimedOut
from twisted_quotes.monitoring.metrics import Metrics
from twisted_quotes.processes.process import ChildProcess, Command, Outcome, spawn
from twisted_quotes.query.queries import Pattern
from twisted_quotes.text.lines import NormalizedFile

from . import arguments as grep
from .arguments import GrepFailed

MAX_BUFFERED = 1024 * 1024
"""The most bytes of output, roughly, that are held in memory before they are sent."""

DEFAULT_MAX_OUTPUT = 1000
"""How many bytes a grep may print if nothing else is said, before it is killed."""


class ReactorForProcesses(IReactorProcess, IReactorTime):
    """What is needed of the reactor: to start processes and to tell time."""


@dataclass(frozen=True)
class GrepRunner:
    """
    How greps are run.

    @ivar reactor: starts and times them.
    @ivar executable: the absolute path of grep.
    @ivar limiter: where they run, and searches wait.
    @ivar time_limit: how long the greps of a search may run, in seconds.
    @ivar outstanding: is told of each of them.
    @ivar apply_limits: limits what a process may use: its id, for how long it is
        needed, in seconds, and whether it may run for long.
    @ivar metrics: has greps counted.
    """

    reactor: ReactorForProcesses
    executable: str
    limiter: ConcurrencyLimiter
    time_limit: float
    outstanding: Outstanding
    apply_limits: Callable[[int, float, bool], object]
    metrics: Metrics = field(default_factory=Metrics)

    async def acquire_session(
        self, claim: SlotRequest = DEFAULT_SLOT_REQUEST
    ) -> GrepSession:
        """
        Wait for a place to run greps in.

        @raise TooBusy: as many wait as may.
        @raise TooManyRequests: the client has more waiting than its share.
        """
        return GrepSession(self, await self.limiter.acquire(claim))

    def start(
        self,
        arguments: tuple[str | bytes, ...],
        environment: Mapping[str, str],
        stdin: int | Literal["w"],
        max_output: int,
        extra_fds: Mapping[int, int] = MappingProxyType({}),
        slow: bool = False,
    ) -> ChildProcess:
        """
        Start a grep, and have it counted.

        The parameters are those of L{run<twisted_quotes.processes.process.run>} and its
        L{Command}.

        @param slow: whether it may run for long.
        @raise OSError: it could not be started, or not be restrained.
        """
        command = Command(self.executable, arguments, environment)
        try:
            child = spawn(self.reactor, command, stdin, max_output, extra_fds)
        except OSError:
            self.metrics.spawn_failures.inc()
            raise
        self.metrics.greps.inc()
        try:
            if child.transport.pid is not None:
                self.apply_limits(child.transport.pid, self.time_limit, slow)
        except OSError:
            self.outstanding.add(child.ended)
            child.cancel()
            raise
        return child

    async def reacquire_session(self, claim: SlotRequest) -> GrepSession:
        """Wait for a place after another one, or another's, was of no use."""
        return GrepSession(self, await self.limiter.reacquire(claim))


class GrepSession(Closeable):
    """
    The greps of one search.

    @param runner: how they are run.
    @param slot: where they run.
    """

    def __init__(self, runner: GrepRunner, slot: Slot) -> None:
        self._runner = runner
        self._slot: Slot | None = slot
        self._claim = slot.slot_request
        self._time_left = runner.time_limit

    def release_slot(self) -> None:
        """Give the place back until the next grep is run, which has all the time."""
        self._time_left = self._runner.time_limit
        if self._slot is not None:
            self._slot.close()
            self._slot = None

    def close(self) -> None:
        """Give the place back for good."""
        self.release_slot()

    async def run(
        self,
        arguments: tuple[str | bytes, ...],
        pattern: Pattern | None,
        stdin: int | NormalizedFile,
        max_output: int | None = None,
    ) -> Outcome:
        """
        Run grep.

        @param pattern: what it searches for, in the syntax of grep; L{None} if
            it searches for plain bytes.
        @param stdin: what it reads: a file descriptor, or text to feed to it.
        @param max_output: the number of bytes of output after which it is killed
            and the result is those bytes; L{None} if grep cannot print more than
            L{DEFAULT_MAX_OUTPUT}.
        @raise SearchTimedOut: the greps of this search took too long.
        @raise BadRequest: the regular expression is wrong.
        @raise GrepFailed: grep failed for a reason of its own.
        @raise OSError: it could not be started.
        """
        runner = self._runner
        if self._slot is None:
            self._slot = await runner.limiter.reacquire(self._claim)
        start_offset = _bytes_read(stdin)
        child = runner.start(
            *(arguments, grep.environment(pattern)),
            stdin if isinstance(stdin, int) else "w",
            max_output or DEFAULT_MAX_OUTPUT,
            slow=self._claim.slow,
        )
        if isinstance(stdin, NormalizedFile):
            child.write_stdin(stdin)
        outcome = await self.wait_for_outcome(
            child,
            lambda: _bytes_read(stdin) - start_offset,
            pattern is not None and pattern.regex,
        )
        if not (outcome.is_complete or max_output):
            raise GrepFailed("grep printed more than it can have been asked for")
        return outcome

    async def wait_for_outcome(
        self, child: ChildProcess, bytes_read: Callable[[], int], regex: bool = False
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
        assert self._slot is not None, "a grep that runs has a place"
        self._slot.hold_until(runner.outstanding.add(child.ended))
        metrics.greps_running.inc()
        child.ended.addCallback(lambda _: metrics.greps_running.dec())
        started_at = runner.reactor.seconds()
        try:
            outcome = await self._wait_with_timeout(child)
        finally:
            metrics.bytes_searched.inc(max(0, bytes_read()))
        self._time_left -= min(runner.reactor.seconds() - started_at, self._time_left)
        grep.check_exit_status(outcome.exit_code, outcome.stderr, regex)
        return outcome

    async def _wait_with_timeout(self, child: ChildProcess) -> Outcome:
        """Wait for a grep, and count those that are killed."""
        runner = self._runner
        killed = runner.metrics.greps_killed
        try:
            outcome = await child.result.addTimeout(self._time_left, runner.reactor)
        except TimeoutError:
            killed.labels("timeout").inc()
            raise SearchTimedOut(runner.time_limit) from None
        except CancelledError:
            cut_short = runner.outstanding.is_cancelled
            killed.labels("shutdown" if cut_short else "left").inc()
            raise
        if not outcome.is_complete:
            killed.labels("output").inc()
            # Until it is gone it may read on, and move the position of its file.
            await _observe(child.ended)
        elif outcome.signal is not None:
            killed.labels("outside").inc()
        return outcome


def _observe(ended: Deferred[None]) -> Deferred[None]:
    """Wait for something that others wait for, too."""
    waiting: Deferred[None] = Deferred()
    ended.addCallback(waiting.callback)
    return waiting


def _bytes_read(stdin: int | NormalizedFile) -> int:
    """How far a file has been read, by this process and its children."""
    if isinstance(stdin, NormalizedFile):
        return stdin.bytes_read
    return os.lseek(stdin, 0, os.SEEK_CUR)
