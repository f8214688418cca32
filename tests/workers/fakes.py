"""
Fakes of workers and of what starts them.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed

from twisted_quotes.monitoring.metrics import Metrics
from twisted_quotes.workers.control import ControlProtocol, Message
from twisted_quotes.workers.worker_process import Worker, WorkerSupervisor

from ..fakes import FakeProcess, FakeReactor


class FakeControl(ControlProtocol):
    """Records messages in the list C{messages}."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[Message] = []

    def send(self, message: Message) -> None:
        """Record a message."""
        self.messages.append(message)


class FakeWorker(Worker):
    """
    A worker with a fake process.

    @ivar messages: the messages that were sent to it.
    @ivar metrics: the metrics that it reports.
    """

    def __init__(
        self, reactor: FakeReactor, supervisor: WorkerSupervisor, row: int, share: int
    ) -> None:
        super().__init__(reactor, supervisor, row, share)
        self.control = control = FakeControl()
        control.receiver = self
        self.messages = control.messages
        self.metrics = Metrics()
        self.process = FakeProcess(self, "python", (), {}, {})

    def collect_metrics(self) -> Deferred[Any]:
        """Report the metrics."""
        self.last_metrics = self.metrics.families()
        return succeed(None)

    def end(self, signal: int | None = None) -> None:
        """End with status 0, or by a signal."""
        self.process.end(0, signal)


class FakeStarter:
    """
    Starts fake workers.

    @ivar started: the workers, in order.
    @ivar error: raised instead of starting a worker, if set.
    """

    def __init__(self, reactor: FakeReactor) -> None:
        self.reactor = reactor
        self.started: list[FakeWorker] = []
        self.error: OSError | None = None

    def __call__(
        self, supervisor: WorkerSupervisor, row: int, share: int
    ) -> FakeWorker:
        """Start a worker."""
        if self.error is not None:
            raise self.error
        self.started.append(FakeWorker(self.reactor, supervisor, row, share))
        return self.started[-1]
