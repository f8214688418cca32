"""
Workers that do what a test has them do.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ProcessTerminated
from twisted.protocols.amp import Command
from twisted.python.failure import Failure

from twisted_quotes.monitoring.metrics import Metrics
from twisted_quotes.workers.worker_process import Worker, WorkerSupervisor

from ..fakes import FakeProcess, FakeReactor


class FakeWorker(Worker):
    """
    A worker whose process is none.

    @ivar orders: the names of what it was told, in order.
    @ivar metrics: those that it tells, at once.
    """

    def __init__(
        self, reactor: Any, supervisor: WorkerSupervisor, row: int, share: int
    ) -> None:
        super().__init__(reactor, supervisor, row, share)
        self.orders: list[str] = []
        self.metrics = Metrics()
        self.process = FakeProcess(self, "python", (), {}, {})

    def send_command(self, control_command: type[Command]) -> None:
        """Keep what it is told."""
        self.orders.append(control_command.__name__)

    def collect_metrics(self) -> Any:
        """Tell the metrics."""
        from twisted.internet.defer import succeed

        self.last_metrics = self.metrics.families()
        return succeed(None)

    def end(self, signal: int | None = None) -> None:
        """End, by itself or by a signal."""
        self.process.end(0, signal)


class FakeStarter:
    """
    Starts workers that are none.

    @ivar started: all of them, in order.
    @ivar error: raised by the next starts, if set.
    """

    def __init__(self, reactor: FakeReactor) -> None:
        self.reactor = reactor
        self.started: list[FakeWorker] = []
        self.error: OSError | None = None

    def __call__(
        self, supervisor: WorkerSupervisor, row: int, share: int
    ) -> FakeWorker:
        """Start one."""
        if self.error is not None:
            raise self.error
        worker = FakeWorker(self.reactor, supervisor, row, share)
        self.started.append(worker)
        return worker


def killed_failure() -> Failure:
    """How a process ends that is killed."""
    return Failure(ProcessTerminated(None, 9, 9))
