"""
Fakes of workers and of what starts them.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.tcp import Port

from twisted_quotes.monitoring.metrics import Metrics
from twisted_quotes.workers.control import ControlProtocol, Message
from twisted_quotes.workers.worker_process import Worker, WorkerSupervisor

from ..fakes import FakeProcess, FakeReactor

# The backlog is given, because the socket of the port is not bound.
SHARED_ENDPOINT = "tcp:8000:interface=127.0.0.1:backlog=50"


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
        self,
        supervisor: WorkerSupervisor,
        row: int,
        share: int,
        listener_fds: Sequence[int],
    ) -> FakeWorker:
        """Start a worker."""
        if self.error is not None:
            raise self.error
        self.started.append(FakeWorker(self.reactor, supervisor, row, share))
        return self.started[-1]


class SharedPort(Port):
    """A port without a listening socket, which stops in the next turn."""

    def __init__(self, reactor: Any, factory: IProtocolFactory) -> None:
        super().__init__(0, factory, reactor=reactor)
        self.clock = reactor
        self.socket = socket.socket()
        self.listening = True
        factory.doStart()

    def stopReading(self) -> None:
        """Do nothing."""

    def fileno(self) -> int:
        """Return no descriptor."""
        return -1

    def getHost(self) -> IPv4Address:
        """Return an address."""
        return IPv4Address("TCP", "127.0.0.1", 8000)

    def stopListening(self, connDone: object = None) -> Deferred[None]:
        """Stop in the next turn."""
        stopped: Deferred[None] = Deferred()
        self.clock.callLater(0, self._stop, stopped)
        return stopped

    def _stop(self, stopped: Deferred[None]) -> None:
        self.listening = False
        self.socket.close()
        assert self.factory is not None
        self.factory.doStop()
        stopped.callback(None)
