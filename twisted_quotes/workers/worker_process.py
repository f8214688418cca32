"""
A worker process, as the supervisor sees it.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionClosed, ProcessDone, ProcessExitedAlready
from twisted.internet.interfaces import IProcessTransport, IReactorTime
from twisted.internet.protocol import ProcessProtocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_quotes.concurrency.outstanding import Outstanding
from twisted_quotes.monitoring.metrics import MetricFamily
from twisted_quotes.processes.process import SERVICE_ID
from twisted_quotes.processes.reaper_process import SERVICE_ID_VARIABLE
from twisted_quotes.processes.signals import ABORT_START_SIGNAL, block_terminal_signals

from .control import ControlProtocol
from .inherited_fds import (
    CONFIGURATION_VARIABLE,
    CONTROL_FD,
    FIRST_LISTENER_FD,
    SHARED_COUNTERS_FD,
    WorkerConfiguration,
)

REPORT_TIMEOUT = 1.0
"""The time limit for a worker to report its metrics, in seconds."""

# Only the supervisor notifies systemd.
_SYSTEMD_VARIABLES = {"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"}


class WorkerSupervisor(Protocol):
    """Handles the events of its workers."""

    def serving_started(self, worker: Worker) -> None: ...

    def retirement_requested(self, worker: Worker) -> None: ...

    def worker_ended(
        self, worker: Worker, reason: str, exited_cleanly: bool
    ) -> None: ...

    def collect_all_metrics(self) -> Awaitable[list[MetricFamily]]: ...


@dataclass(eq=False)
class Worker(ProcessProtocol):
    """
    A worker, as the supervisor knows it.

    @ivar row: its row of the shared counters.
    @ivar share: the index of its share of the limits.
    @ivar is_retiring: whether another worker replaces it already.
    @ivar last_metrics: the metrics that it last reported.
    @ivar silent_since: when the request for metrics was sent that it has not answered;
        L{None} if there is none.
    @ivar ended: fires when the process has ended.
    """

    clock: IReactorTime
    supervisor: WorkerSupervisor
    row: int
    share: int

    _log = Logger()
    is_retiring = False

    def __post_init__(self) -> None:
        self.transport: IProcessTransport
        self.control = ControlProtocol()
        self.control.receiver = self
        self.last_metrics: list[MetricFamily] = []
        self.silent_since: float | None = None
        self.ended: Deferred[None] = Deferred()
        self._serving_since: float | None = None
        self._report = Outstanding()

    @property
    def is_serving(self) -> bool:
        """Whether it has started to serve."""
        return self._serving_since is not None

    @property
    def uptime(self) -> float:
        """The time since it started to serve, in seconds; 0 if it has not."""
        if self._serving_since is None:
            return 0.0
        return self.clock.seconds() - self._serving_since

    def serving_started(self) -> None:
        self._serving_since = self.clock.seconds()
        self.supervisor.serving_started(self)

    def retirement_requested(self) -> None:
        self.supervisor.retirement_requested(self)

    async def report_metrics(self) -> list[MetricFamily]:
        """Collect the metrics of all workers, for one whose client requests them."""
        return await self.supervisor.collect_all_metrics()

    def metrics_received(self, families: list[MetricFamily]) -> None:
        self.last_metrics = families
        self.silent_since = None

    def processEnded(self, reason: Failure = connectionDone) -> None:
        exited_cleanly = reason.check(ProcessDone) is not None
        how = "it exited by itself" if exited_cleanly else reason.getErrorMessage()
        self.supervisor.worker_ended(self, how, exited_cleanly)
        self.ended.callback(None)

    def collect_metrics(self) -> Deferred[Any]:
        """
        Request its metrics, unless a request is pending.

        @return: fires when it has responded, or L{REPORT_TIMEOUT} after the request.
        """
        if self.silent_since is None:
            self.silent_since = self.clock.seconds()
            timeout = self.clock.callLater(REPORT_TIMEOUT, self._report_timed_out)
            report = self.control.request_metrics().addCallbacks(
                self.metrics_received, self._report_failed
            )
            report.addCallback(lambda _: timeout.cancel() if timeout.active() else None)
            self._report.add(report)
        return self._report.when_done()

    def _report_failed(self, failure: Failure) -> None:
        # An error is a response, but a lost connection is not.
        if not failure.check(ConnectionClosed):
            self.silent_since = None
        self._log_missing_report(failure.getErrorMessage())

    def _report_timed_out(self) -> None:
        self._log_missing_report(f"no response for {REPORT_TIMEOUT:g} s")
        self._report.discard()

    def _log_missing_report(self, reason: str) -> None:
        self._log.warn(
            "Worker {pid} does not report its metrics: {reason}",
            pid=self.transport.pid,
            reason=reason,
        )

    def kill(self) -> None:
        """Kill the process."""
        self._send_signal("KILL")

    def abort_start(self) -> None:
        """End the process, unless it serves."""
        self._send_signal(ABORT_START_SIGNAL)

    def _send_signal(self, signal: str | int) -> None:
        with suppress(ProcessExitedAlready):
            self.transport.signalProcess(signal)


@dataclass(frozen=True)
class WorkerStarter:
    """
    Starts workers.

    @ivar command_line: the command line of this process, which workers share.
    @ivar environment: the environment of this process, which can contain options.
    @ivar configuration: the configuration of each worker but for its row and share.
    """

    reactor: Any
    command_line: Sequence[str]
    environment: Mapping[str, str]
    shared_counters_fd: int
    configuration: WorkerConfiguration

    def __call__(
        self,
        supervisor: WorkerSupervisor,
        row: int,
        share: int,
        listener_fds: Sequence[int],
    ) -> Worker:
        """
        Start a worker.

        @param listener_fds: the file descriptors of the listening sockets.
        @raise OSError: the process cannot be started.
        """
        worker = Worker(self.reactor, supervisor, row, share)
        supervisor_socket, worker_socket = socket.socketpair()
        with supervisor_socket, worker_socket, open(os.devnull, "rb") as dev_null:
            # If the process cannot be started, the connection is lost.
            worker.control.connect(self.reactor, supervisor_socket)
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
                        **dict(enumerate(listener_fds, FIRST_LISTENER_FD)),
                    },
                )
        return worker

    def _environment(self, row: int, share: int) -> dict[str, str]:
        configuration = msgspec.structs.replace(
            self.configuration, row=row, share=share
        )
        return {
            **{
                k: self.environment[k]
                for k in self.environment.keys() - _SYSTEMD_VARIABLES
            },
            CONFIGURATION_VARIABLE: msgspec.json.encode(configuration).decode(),
            SERVICE_ID_VARIABLE: SERVICE_ID,
        }
