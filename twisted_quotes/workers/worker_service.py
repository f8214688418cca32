"""
The service in a worker: it serves like a single process, and follows the supervisor.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, TimeoutError
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import connectionDone
from twisted.internet.tcp import Port
from twisted.python.failure import Failure

from twisted_quotes.concurrency.shared_counters import Column, SharedCapacity
from twisted_quotes.errors import ServiceNotReady
from twisted_quotes.monitoring.metrics import MetricFamily, Metrics
from twisted_quotes.service.quotes_service import QuotesService

from .control import ControlProtocol, Message, SendFinalMetrics
from .inherited_fds import CONTROL_FD
from .worker_sockets import FairAcceptor

METRICS_TIMEOUT = 3.0
"""The time limit for the supervisor to collect all metrics, in seconds."""


class SupervisorConnection(ControlProtocol):
    """
    The connection to the supervisor.

    @ivar metrics: the metrics of this process.
    """

    def __init__(self, reactor: Any, metrics: Metrics) -> None:
        super().__init__()
        self._reactor = reactor
        self.metrics = metrics

    def connect_to(self, descriptor: int) -> None:
        """Connect, and close the descriptor of the inherited socket."""
        with socket.socket(fileno=descriptor) as control_socket:
            self.connect(self._reactor, control_socket)

    async def collect_all_metrics(self) -> list[MetricFamily]:
        """Request the metrics of all workers, or raise L{ServiceNotReady}."""
        try:
            return await self.request_metrics().addTimeout(
                METRICS_TIMEOUT, self._reactor
            )
        except (TimeoutError, ConnectionDone, ConnectionLost):
            raise ServiceNotReady("the metrics of the workers") from None

    async def send_final_metrics(self) -> None:
        """Send the last metrics; ignore a supervisor that does not respond."""
        acknowledged: Deferred[Any] = self.callRemote(
            SendFinalMetrics, families=self.metrics.families()
        )
        acknowledged.addTimeout(METRICS_TIMEOUT, self._reactor)
        await DeferredList([acknowledged], consumeErrors=True)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell the worker."""
        super().connectionLost(reason)
        self.receiver.supervisor_lost()


@dataclass(kw_only=True, eq=False, repr=False)
class WorkerService(QuotesService):
    """
    The service in a worker.

    @ivar connections: counts the connections of this worker.
    """

    supervisor: SupervisorConnection
    connections: SharedCapacity

    _acceptors: list[FairAcceptor] = field(init=False, default_factory=list)
    _drain_ended: Deferred[None] = field(init=False, default_factory=Deferred)
    _stopping = _retiring = False
    # Whether the other workers go on, so that the sockets must not be changed.
    _others_still_serving = True

    def startService(self) -> None:
        """Listen on all sockets, and connect to the supervisor."""
        super().startService()
        self.connections.on_release = self._connection_closed
        self.supervisor.receiver = self
        self.supervisor.connect_to(CONTROL_FD)

    def _listening_started(self, port: IListeningPort, description: str) -> None:
        assert isinstance(port, Port)
        acceptor = FairAcceptor(self.reactor, port, self.connections)
        acceptor.start()
        self._acceptors.append(acceptor)
        super()._listening_started(port, description)

    def _connection_closed(self) -> None:
        for acceptor in self._acceptors:
            acceptor.connection_closed()

    def _set_serving(self, value: bool) -> None:
        row = self.connections.row
        self.connections.shared_counters.write(row, Column.SERVING, value)

    def _notify_ready(self) -> None:
        if self._shutdown_done is None:
            self._set_serving(True)
            self.supervisor.send(Message.SERVING_STARTED)

    def signal_received(self, number: int) -> None:
        """
        Handle SIGTERM: the first one requests a replacement, the second one forces the
        shutdown.

        If the signal was sent to the whole process group, the supervisor may have
        started the shutdown before.
        """
        if self._shutdown_requested:
            self._force_alone()
        elif not self._stopping:
            self.supervisor.send(Message.RETIREMENT_REQUESTED)
        self._shutdown_requested = True

    # Messages and requests of the supervisor

    def drain(self) -> None:
        """Start to stop and report that the service is not ready, but go on serving."""
        self.readiness.draining = True
        self._stop_reactor()

    def close(self) -> None:
        """Close the listening sockets, as all workers do, and finish."""
        self._others_still_serving = False
        self._end_drain()
        if self._retiring:
            # No other worker takes the requests that this one would now refuse.
            self.site.close()

    def retire(self) -> None:
        """Leave the listening sockets to the other workers, and finish."""
        self._retiring = not self._stopping
        self._stop_reactor()
        self._end_drain()

    def force(self) -> None:
        """Finish at once, as all workers do."""
        self._others_still_serving = False
        self._end_drain()
        super().force()

    def report_metrics(self) -> list[MetricFamily]:
        """Return the metrics of this process."""
        return self.supervisor.metrics.families()

    def supervisor_lost(self) -> None:
        """Finish at once, unless the shutdown is complete."""
        if self._shutdown_done is None or not self._shutdown_done.called:
            self._log.error("The connection to the supervisor is lost.")
            self.readiness.draining = True
            # The supervisor may still run, and so may the other workers.
            self._force_alone()

    def _force_alone(self) -> None:
        """Finish at once, and leave the listening sockets to the other workers."""
        self._stop_reactor()
        self._end_drain()
        super().force()

    def _stop_reactor(self) -> None:
        if not self._stopping:
            self._stopping = True
            self.reactor.stop()

    def _end_drain(self) -> None:
        if not self._drain_ended.called:
            self._drain_ended.callback(None)

    # The steps of the shutdown

    def _mark_not_ready(self) -> None:
        # Readiness is that of the whole service, which goes on if one worker retires.
        if not self._retiring:
            super()._mark_not_ready()

    def _make_drain_delay(self) -> Deferred[None]:
        return self._drain_ended

    async def _stop_listening(self) -> None:
        self._set_serving(False)
        for acceptor in self._acceptors:
            acceptor.stop()
        if self._others_still_serving:
            await self._close_ports()
        else:
            await super()._stop_listening()

    def _close_site(self) -> None:
        """Refuse new requests only if all workers shut down."""
        if self._retiring and self._others_still_serving:
            self.site.drain_connections()
        else:
            super()._close_site()

    async def _finish(self) -> None:
        await super()._finish()
        await self.supervisor.send_final_metrics()
