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

from twisted_quotes.monitoring.metrics import MetricFamily
from twisted_quotes.processes.process import SERVICE_ID
from twisted_quotes.processes.reaper import SERVICE_ID_VARIABLE
from twisted_quotes.processes.signals import block_terminal_signals

from .control import (
    Close,
    Drain,
    Force,
    Reload,
    Retire,
    SingleConnectionFactory,
    SupervisorControlProtocol,
)
from .inherited_fds import (
    CONFIGURATION_VARIABLE,
    CONTROL_FD,
    FIRST_LISTENER_FD,
    SHARED_COUNTERS_FD,
    WorkerConfiguration,
    encode_worker_configuration,
)

REPORT_TIMEOUT = 1.0
"""How long a worker may take to tell its metrics, in seconds."""

# Not for workers: the supervisor alone talks to systemd.
_SYSTEMD_VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC")


class WorkerSupervisor(Protocol):
    """What becomes of workers, and of what they say."""

    def serving_started(self, worker: Worker) -> None:
        """A worker listens."""

    def retirement_requested(self, worker: Worker) -> None:
        """A worker has been asked to end, by somebody else."""

    def worker_ended(self, worker: Worker, reason: str, exited_cleanly: bool) -> None:
        """A worker is gone, and tells how, and whether with a status of 0."""

    def collect_all_metrics(self) -> Deferred[list[MetricFamily]]:
        """A worker wants the metrics of all."""


class Worker(ProcessProtocol):
    """
    One worker.

    @param clock: tells time.
    @param supervisor: is told what becomes of it.
    @param row: its row on the scoreboard.
    @param share: which share of what is shared out it has.

    @ivar is_retiring: whether another one takes its place already.
    @ivar last_metrics: its metrics, as it told them last.
    @ivar silent_since: since when it has told none, though it was asked; L{None}
        if it has.
    @ivar ended: fires when it is gone.
    """

    transport: IProcessTransport
    _log = Logger()

    def __init__(
        self, clock: IReactorTime, supervisor: WorkerSupervisor, row: int, share: int
    ) -> None:
        self._clock = clock
        self._supervisor = supervisor
        self.row = row
        self.share = share
        self.control = SupervisorControlProtocol(self)
        self.is_retiring = False
        self.last_metrics: list[MetricFamily] = []
        self.silent_since: float | None = None
        self.ended: Deferred[None] = Deferred()
        self._serving_since: float | None = None
        self._report_requested_at: float | None = None
        self._report_waiters: list[Deferred[None]] = []

    # What it says

    def serving_started(self) -> None:
        """It listens."""
        self._serving_since = self._clock.seconds()
        self._supervisor.serving_started(self)

    def retirement_requested(self) -> None:
        """It has been asked to end."""
        self._supervisor.retirement_requested(self)

    def collect_all_metrics(self) -> Deferred[list[MetricFamily]]:
        """It wants the metrics of all."""
        return self._supervisor.collect_all_metrics()

    def metrics_received(self, families: list[MetricFamily]) -> None:
        """It tells its last metrics."""
        self.last_metrics = families
        self.silent_since = None

    def processEnded(self, reason: Failure = connectionDone) -> None:
        """It is gone."""
        exited_cleanly = reason.check(ProcessDone) is not None
        description = (
            "it ended by itself" if exited_cleanly else reason.getErrorMessage()
        )
        self._supervisor.worker_ended(self, description, exited_cleanly)
        self.ended.callback(None)

    # What it is told

    @property
    def is_serving(self) -> bool:
        """Whether it has begun to serve."""
        return self._serving_since is not None

    @property
    def uptime(self) -> float:
        """For how long it has served, in seconds."""
        return (
            0.0
            if self._serving_since is None
            else self._clock.seconds() - self._serving_since
        )

    def send_command(
        self, control_command: type[Drain | Close | Retire | Force | Reload]
    ) -> None:
        """Tell it to do something. One that is gone does nothing more."""
        command: type[Command] = control_command
        self.control.callRemote(command)

    def collect_metrics(self) -> Deferred[None]:
        """
        Have it tell its metrics. It is asked once, until it has answered.

        @return: fires when it has, or when it takes too long to.
        """
        now = self._clock.seconds()
        if self._report_requested_at is None:
            self._report_requested_at = now
            requested = self.control.request_metrics()
            requested.addCallbacks(self.metrics_received, self._report_failed)
            requested.addCallback(self._report_finished)
        if (
            self._report_requested_at is None
            or now - self._report_requested_at >= REPORT_TIMEOUT
        ):
            return succeed(None)
        reported: Deferred[None] = Deferred()
        self._report_waiters.append(reported)
        reported.addTimeout(
            self._report_requested_at + REPORT_TIMEOUT - now, self._clock
        )
        return reported.addErrback(self._report_timed_out, self._report_requested_at)

    def _report_finished(self, _: object) -> None:
        """Those who wait have what there is."""
        self._report_requested_at = None
        waiters, self._report_waiters = self._report_waiters, []
        for each in waiters:
            each.callback(None)

    def _report_failed(self, failure: Failure) -> None:
        """It cannot tell its metrics, or nothing at all any more."""
        if failure.check(ConnectionClosed) and self.silent_since is None:
            self.silent_since = self._report_requested_at
        self._log_missing_report(failure.getErrorMessage())

    def _report_timed_out(self, failure: Failure, requested_at: float) -> None:
        """It takes too long."""
        failure.trap(TimeoutError)
        if self.silent_since is None:
            self.silent_since = requested_at
        self._log_missing_report(f"it has said nothing for {REPORT_TIMEOUT:g} s")

    def _log_missing_report(self, reason: str) -> None:
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
class WorkerStarter:
    """
    Starts workers.

    @ivar reactor: starts processes, and talks to them.
    @ivar command_line: that of this process: a worker is started as it was.
    @ivar environment: that of this process, for the options may stand there.
    @ivar shared_counters_fd: the scoreboard, as an open file.
    @ivar listener_fds: the listening sockets, as open files.
    @ivar worker_configuration: what each worker inherits, but for its row and its
        share.
    """

    reactor: Any
    command_line: Sequence[str]
    environment: Mapping[str, str]
    shared_counters_fd: int
    listener_fds: Callable[[], Sequence[int]]
    worker_configuration: Callable[[int, int], WorkerConfiguration]

    def start(self, supervisor: WorkerSupervisor, row: int, share: int) -> Worker:
        """
        Start a worker.

        @raise OSError: it could not be started.
        """
        worker = Worker(self.reactor, supervisor, row, share)
        supervisor_socket, worker_socket = socket.socketpair()
        with supervisor_socket, worker_socket, open(os.devnull, "rb") as dev_null:
            supervisor_socket.setblocking(False)
            with block_terminal_signals():
                self.reactor.spawnProcess(
                    worker,
                    self.command_line[0],
                    tuple(self.command_line),
                    env=self._environment(row, share),
                    childFDs={
                        0: dev_null.fileno(),
                        1: 1,
                        2: 2,
                        CONTROL_FD: worker_socket.fileno(),
                        SHARED_COUNTERS_FD: self.shared_counters_fd,
                        **dict(enumerate(self.listener_fds(), FIRST_LISTENER_FD)),
                    },
                )
            self.reactor.adoptStreamConnection(
                supervisor_socket.fileno(),
                socket.AF_UNIX,
                SingleConnectionFactory(worker.control),
            )
        return worker

    def _environment(self, row: int, share: int) -> dict[str, str]:
        environment = {
            k: v for k, v in self.environment.items() if k not in _SYSTEMD_VARIABLES
        }
        encoded_configuration = encode_worker_configuration(
            self.worker_configuration(row, share)
        )
        return {
            **environment,
            CONFIGURATION_VARIABLE: encoded_configuration,
            SERVICE_ID_VARIABLE: SERVICE_ID,
        }
