"""
One worker, as the supervisor sees it.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from twisted.internet.defer import Deferred, TimeoutError, succeed
from twisted.internet.error import ConnectionClosed, ProcessDone, ProcessExitedAlready
from twisted.internet.interfaces import IProcessTransport, IReactorTime
from twisted.internet.protocol import ProcessProtocol, connectionDone
from twisted.logger import Logger
from twisted.protocols.amp import Command
from twisted.python.failure import Failure

from twisted_quotes.monitoring.metrics import Family
from twisted_quotes.processes.process import SERVICE
from twisted_quotes.processes.reaper import MARK
from twisted_quotes.processes.signals import kept_from_children

from .control import Close, Drain, Force, Once, Reload, Retire, SupervisorEnd
from .inherited_fds import CONTROL, SCOREBOARD, SOCKETS, VARIABLE, Inheritance, bequeath

REPORT_TIME = 1.0
"""How long a worker may take to tell its metrics, in seconds."""

# Not for workers: the supervisor alone talks to systemd.
_KEPT = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC")


class Workers(Protocol):
    """What becomes of workers, and of what they say."""

    def serves(self, worker: Worker) -> None:
        """A worker listens."""

    def leaves(self, worker: Worker) -> None:
        """A worker has been asked to end, by somebody else."""

    def has_ended(self, worker: Worker, how: str, well: bool) -> None:
        """A worker is gone, and tells how, and whether with a status of 0."""

    def total(self) -> Deferred[list[Family]]:
        """A worker wants the metrics of all."""


class Worker(ProcessProtocol):
    """
    One worker.

    @param clock: tells time.
    @param supervisor: is told what becomes of it.
    @param row: its row on the scoreboard.
    @param share: which share of what is shared out it has.

    @ivar is_leaving: whether another one takes its place already.
    @ivar last: its metrics, as it told them last.
    @ivar silent_since: since when it has told none, though it was asked; L{None}
        if it has.
    @ivar ended: fires when it is gone.
    """

    transport: IProcessTransport
    _log = Logger()

    def __init__(
        self, clock: IReactorTime, supervisor: Workers, row: int, share: int
    ) -> None:
        self._clock = clock
        self._supervisor = supervisor
        self.row = row
        self.share = share
        self.control = SupervisorEnd(self)
        self.is_leaving = False
        self.last: list[Family] = []
        self.silent_since: float | None = None
        self.ended: Deferred[None] = Deferred()
        self._since: float | None = None
        self._asked_at: float | None = None
        self._waiting: list[Deferred[None]] = []

    # What it says

    def serves(self) -> None:
        """It listens."""
        self._since = self._clock.seconds()
        self._supervisor.serves(self)

    def leaves(self) -> None:
        """It has been asked to end."""
        self._supervisor.leaves(self)

    def total(self) -> Deferred[list[Family]]:
        """It wants the metrics of all."""
        return self._supervisor.total()

    def takes_leave(self, families: list[Family]) -> None:
        """It tells its last metrics."""
        self.last = families
        self.silent_since = None

    def processEnded(self, reason: Failure = connectionDone) -> None:
        """It is gone."""
        well = reason.check(ProcessDone) is not None
        how = "it ended by itself" if well else reason.getErrorMessage()
        self._supervisor.has_ended(self, how, well)
        self.ended.callback(None)

    # What it is told

    @property
    def is_serving(self) -> bool:
        """Whether it has begun to serve."""
        return self._since is not None

    @property
    def served(self) -> float:
        """For how long it has served, in seconds."""
        return 0.0 if self._since is None else self._clock.seconds() - self._since

    def tell(self, order: type[Drain | Close | Retire | Force | Reload]) -> None:
        """Tell it to do something. One that is gone does nothing more."""
        command: type[Command] = order
        self.control.callRemote(command)

    def report(self) -> Deferred[None]:
        """
        Have it tell its metrics. It is asked once, until it has answered.

        @return: fires when it has, or when it takes too long to.
        """
        now = self._clock.seconds()
        if self._asked_at is None:
            self._asked_at = now
            asked = self.control.report()
            asked.addCallbacks(self.takes_leave, self._fails)
            asked.addCallback(self._has_answered)
        if self._asked_at is None or now - self._asked_at >= REPORT_TIME:
            return succeed(None)
        told: Deferred[None] = Deferred()
        self._waiting.append(told)
        told.addTimeout(self._asked_at + REPORT_TIME - now, self._clock)
        return told.addErrback(self._is_silent, self._asked_at)

    def _has_answered(self, _: object) -> None:
        """Those who wait have what there is."""
        self._asked_at = None
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(None)

    def _fails(self, failure: Failure) -> None:
        """It cannot tell its metrics, or nothing at all any more."""
        if failure.check(ConnectionClosed) and self.silent_since is None:
            self.silent_since = self._asked_at
        self._complain(failure.getErrorMessage())

    def _is_silent(self, failure: Failure, since: float) -> None:
        """It takes too long."""
        failure.trap(TimeoutError)
        if self.silent_since is None:
            self.silent_since = since
        self._complain(f"it has said nothing for {REPORT_TIME:g} s")

    def _complain(self, reason: str) -> None:
        self._log.warn(
            "Worker {pid} does not tell its metrics: {reason}",
            pid=self.transport.pid,
            reason=reason,
        )

    def kill(self) -> None:
        """End it."""
        try:
            self.transport.signalProcess("KILL")
        except ProcessExitedAlready:
            # What follows from that is on its way.
            return


@dataclass(frozen=True)
class Starter:
    """
    Starts workers.

    @ivar reactor: starts processes, and talks to them.
    @ivar command_line: that of this process: a worker is started as it was.
    @ivar environment: that of this process, for the options may stand there.
    @ivar scoreboard: the scoreboard, as an open file.
    @ivar listeners: the listening sockets, as open files.
    @ivar inheritance: what each worker inherits, but for its row and its share.
    """

    reactor: Any
    command_line: Sequence[str]
    environment: Mapping[str, str]
    scoreboard: int
    listeners: Callable[[], Sequence[int]]
    inheritance: Callable[[int, int], Inheritance]

    def start(self, supervisor: Workers, row: int, share: int) -> Worker:
        """
        Start a worker.

        @raise OSError: it could not be started.
        """
        worker = Worker(self.reactor, supervisor, row, share)
        ours, theirs = socket.socketpair()
        with ours, theirs, open(os.devnull, "rb") as nothing:
            ours.setblocking(False)
            with kept_from_children():
                self.reactor.spawnProcess(
                    worker,
                    self.command_line[0],
                    tuple(self.command_line),
                    env=self._environment(row, share),
                    childFDs={
                        0: nothing.fileno(),
                        1: 1,
                        2: 2,
                        CONTROL: theirs.fileno(),
                        SCOREBOARD: self.scoreboard,
                        **dict(enumerate(self.listeners(), SOCKETS)),
                    },
                )
            self.reactor.adoptStreamConnection(
                ours.fileno(), socket.AF_UNIX, Once(worker.control)
            )
        return worker

    def _environment(self, row: int, share: int) -> dict[str, str]:
        kept = {k: v for k, v in self.environment.items() if k not in _KEPT}
        inheritance = bequeath(self.inheritance(row, share))
        return {**kept, VARIABLE: inheritance, MARK: SERVICE}
