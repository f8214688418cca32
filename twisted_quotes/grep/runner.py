"""
Running the greps of a search: one after another, in a slot, within a time limit.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from twisted.internet.defer import CancelledError, Deferred, TimeoutError, succeed

from twisted_quotes.concurrency.closing import Closeable
from twisted_quotes.concurrency.limiter import (
    ConcurrencyLimiter,
    Slot,
    SlotRequest,
)
from twisted_quotes.concurrency.outstanding import Outstanding
from twisted_quotes.errors import SearchTimedOut
from twisted_quotes.monitoring.metrics import Metrics
from twisted_quotes.processes.process import (
    ChildProcess,
    Command,
    Outcome,
    ReactorForProcesses,
    spawn,
)
from twisted_quotes.query.selection import Pattern
from twisted_quotes.text.lines import NormalizedFile

from .arguments import GrepFailed, check_exit_status, pattern_environment

MAX_BUFFERED = 1024 * 1024
"""The approximate maximum of output in bytes to hold in memory before sending it."""

MAX_SHORT_OUTPUT = 1000
"""The maximum output in bytes of a grep that prints a number or nothing."""


@dataclass(frozen=True)
class GrepRunner:
    """
    How greps are run.

    @ivar executable: the absolute path of grep.
    @ivar limiter: has the slots in which greps run.
    @ivar time_limit: the maximum total run time of the greps of a search, in seconds.
        For a streamed search it starts anew each time that the slot is released.
    @ivar outstanding: contains each grep until it ends.
    @ivar apply_limits: applies resource limits to a process; called with its id, its
        time limit in seconds, and whether it may run for all of that time.
    """

    reactor: ReactorForProcesses
    executable: str
    limiter: ConcurrencyLimiter
    time_limit: float
    outstanding: Outstanding
    apply_limits: Callable[[int, float, bool], object]
    metrics: Metrics = field(default_factory=Metrics)

    async def acquire_session(self, slot_request: SlotRequest) -> GrepSession:
        """
        Wait for a slot to run greps in.

        @raise TooBusy: the queue is full.
        @raise TooManyRequests: the client has more requests waiting than its share.
        """
        return GrepSession(self, await self.limiter.acquire(slot_request))

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
        Start and count a grep.

        Most parameters are those of L{spawn<twisted_quotes.processes.process.spawn>}
        and L{Command}.

        @param slow: whether it may use its whole time limit.
        @raise OSError: it cannot be started, or its resources cannot be limited.
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


class GrepSession(Closeable):
    """
    The greps of one search.

    @param slot: where they run.
    @ivar time_left: how long they may still run, in seconds.
    """

    def __init__(self, runner: GrepRunner, slot: Slot) -> None:
        self._runner = runner
        self._slot: Slot | None = slot
        self._slot_request = slot.slot_request
        self.time_left = runner.time_limit

    def release_slot(self) -> None:
        """Release the slot until the next grep, and reset the time limit."""
        self.time_left = self._runner.time_limit
        if self._slot is not None:
            self._slot.close()
            self._slot = None

    close = release_slot

    def lend_slot(self) -> Deferred[Slot]:
        """
        Have no slot until L{return_slot}.

        @return: fires with the slot, or with another one if this has none.
        """
        slot, self._slot = self._slot, None
        if slot is None:
            return self._runner.limiter.reacquire(self._slot_request)
        return succeed(slot)

    def return_slot(self, slot: Slot) -> None:
        """Have a slot again."""
        self._slot = slot

    def fork(self, running: int) -> GrepSession | None:
        """
        Return a session for greps that run at the same time as those of this one.

        @param running: how many sessions of the same search there are.
        @return: L{None} if no slot is free, if requests wait for one, or if the search
            has its share.
        """
        limiter = self._runner.limiter
        # By default there are four slots for each core.
        if running >= limiter.limit // 4:
            return None
        slot = limiter.acquire_free(self._slot_request)
        if slot is None:
            return None
        fork = GrepSession(self._runner, slot)
        fork.time_left = self.time_left
        return fork

    async def run(
        self,
        arguments: tuple[str | bytes, ...],
        pattern: Pattern | None,
        stdin: int | NormalizedFile,
        max_output: int | None = None,
    ) -> Outcome:
        """
        Run grep.

        @param pattern: what it searches for; L{None} for a search of plain bytes.
        @param stdin: what it reads: a file descriptor, or text to feed to it.
        @param max_output: grep is killed after it has printed this many bytes, which
            then are the result. L{None} for a grep that prints a number or nothing:
            for it, more than L{MAX_SHORT_OUTPUT} bytes are an error.
        @raise SearchTimedOut: the greps of this search exceeded the time limit.
        @raise BadRequest: the regular expression is invalid.
        @raise GrepFailed: grep failed for another reason.
        @raise OSError: grep cannot be started.
        """
        runner = self._runner
        if self._slot is None:
            self._slot = await runner.limiter.reacquire(self._slot_request)
        start_offset = _offset(stdin)
        child = runner.start(
            arguments,
            pattern_environment(pattern),
            stdin if isinstance(stdin, int) else "w",
            max_output or MAX_SHORT_OUTPUT,
            slow=self._slot_request.slow,
        )
        if isinstance(stdin, NormalizedFile):
            child.write_stdin(stdin)
        regex = pattern is not None and pattern.regex
        outcome = await self.wait_for_outcome(child, stdin, start_offset, regex)
        if not (outcome.is_complete or max_output):
            raise GrepFailed("grep printed more than it can have been asked for")
        return outcome

    async def wait_for_outcome(
        self,
        child: ChildProcess,
        stdin: int | NormalizedFile,
        start_offset: int,
        regex: bool = False,
    ) -> Outcome:
        """
        Wait for a grep within the time limit; the errors are those of L{run}.

        @param start_offset: the offset in C{stdin} at which it starts to read.
        """
        runner, metrics, slot = self._runner, self._runner.metrics, self._slot
        assert slot is not None, "a running grep has a slot"
        slot.hold_until(runner.outstanding.add(child.ended))
        metrics.greps_running += 1
        child.ended.addCallback(self._count_ended)
        started_at = runner.reactor.seconds()
        try:
            outcome = await child.result.addTimeout(self.time_left, runner.reactor)
        except TimeoutError:
            metrics.greps_killed.labels("timeout").inc()
            raise SearchTimedOut(runner.time_limit) from None
        except CancelledError:
            reason = "shutdown" if runner.outstanding.is_cancelled else "left"
            metrics.greps_killed.labels(reason).inc()
            raise
        else:
            if not outcome.is_complete:
                metrics.greps_killed.labels("output").inc()
                # Until grep has ended, it can move the offset of the file.
                await _observe(child.ended)
            elif outcome.signal is not None:
                metrics.greps_killed.labels("outside").inc()
        finally:
            metrics.bytes_searched.inc(max(0, _offset(stdin) - start_offset))
        self.time_left -= min(runner.reactor.seconds() - started_at, self.time_left)
        check_exit_status(outcome.exit_code, outcome.stderr, regex)
        return outcome

    def _count_ended(self, _: None) -> None:
        self._runner.metrics.greps_running -= 1


def _observe(ended: Deferred[None]) -> Deferred[None]:
    """Wait for a Deferred without consuming its result, or cancelling it."""
    observer: Deferred[None] = Deferred()
    ended.addCallback(observer.callback)
    return observer


def _offset(stdin: int | NormalizedFile) -> int:
    """Return the offset up to which this process and its children have read."""
    if isinstance(stdin, NormalizedFile):
        return stdin.bytes_read
    return os.lseek(stdin, 0, os.SEEK_CUR)
