"""
The service in a worker: it serves as the only process would, and begins and ends
as the supervisor says.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, TimeoutError, maybeDeferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IListeningPort
from twisted.internet.tcp import Port

from twisted_quotes.concurrency.shared_counters import Column, SharedCounters
from twisted_quotes.errors import ServiceNotReady
from twisted_quotes.monitoring.metrics import MetricFamily, Metrics
from twisted_quotes.service import QuotesService

from .control import (
    ControlledWorker,
    RequestRetirement,
    SendFinalMetrics,
    ServingStarted,
    SingleConnectionFactory,
    WorkerControlProtocol,
)
from .worker_sockets import FairAcceptor

METRICS_TIMEOUT = 3.0
"""How long the supervisor may take to add up all metrics, in seconds."""


class SupervisorConnection:
    """
    What a worker asks of the supervisor.

    @param reactor: tells time.
    @param descriptor: the way there, as an open file.
    @param metrics: those of this process.
    """

    def __init__(self, reactor: Any, descriptor: int, metrics: Metrics) -> None:
        self._reactor = reactor
        self._descriptor = descriptor
        self.control = WorkerControlProtocol()
        self.metrics = metrics

    def connect(self, worker: ControlledWorker) -> None:
        """
        Do what the supervisor says from now on.

        @param worker: does it.
        """
        self.control.worker = worker
        with socket.socket(fileno=self._descriptor) as control_socket:
            control_socket.setblocking(False)
            self._reactor.adoptStreamConnection(
                control_socket.fileno(),
                control_socket.family,
                SingleConnectionFactory(self.control),
            )

    async def collect_all_metrics(self) -> list[MetricFamily]:
        """
        The metrics of all workers.

        @raise ServiceNotReady: the supervisor does not answer.
        """
        try:
            return await self.control.collect_all_metrics().addTimeout(
                METRICS_TIMEOUT, self._reactor
            )
        except (TimeoutError, ConnectionDone, ConnectionLost):
            raise ServiceNotReady("what adds up the metrics") from None

    async def send_final_metrics(self) -> None:
        """Tell the last metrics, if there is still somebody to tell."""
        acknowledged: Deferred[Any] = self.control.callRemote(
            SendFinalMetrics, families=self.metrics.families()
        )
        acknowledged.addTimeout(METRICS_TIMEOUT, self._reactor)
        # Who is gone, or stands still, has no use for them.
        await DeferredList([acknowledged], consumeErrors=True)


class WorkerService(QuotesService):
    """
    The service in a worker.
    """

    _supervisor_connection: SupervisorConnection
    _shared_counters: SharedCounters
    _row: int
    _stopping = _retiring = False
    # Whether the others go on, so that the sockets are to stay as they are.
    _others_still_serving = True

    def attach_to_supervisor(
        self,
        supervisor_connection: SupervisorConnection,
        shared_counters: SharedCounters,
        row: int,
    ) -> None:
        """
        Be part of a whole; it is to be called before the start.

        @param supervisor_connection: the way to the supervisor.
        @param shared_counters: what the workers know of each other.
        @param row: the row of this one.
        """
        self._supervisor_connection = supervisor_connection
        self._shared_counters = shared_counters
        self._row = row
        self._acceptors: list[FairAcceptor] = []
        self._drain_ended: Deferred[None] = Deferred()

    # The start

    def startService(self) -> None:
        """Listen on all sockets, and on the supervisor."""
        super().startService()
        self._supervisor_connection.connect(self)

    def _port_opened(self, port: IListeningPort, description: str) -> None:
        """The supervisor tells where it is, and has many wait, once for all."""
        assert isinstance(port, Port)
        acceptor = FairAcceptor(self._reactor, port, self._shared_counters, self._row)
        acceptor.start()
        self._acceptors.append(acceptor)

    def _notify_ready(self) -> None:
        if self._shutdown_done is None:
            self._shared_counters.write(self._row, Column.SERVING, 1)
            self._supervisor_connection.control.callRemote(ServingStarted)

    def signal_received(self, number: int) -> None:
        """
        Ask the supervisor to be replaced, or end at once at a second signal.

        A signal to the whole process group comes to the supervisor as well, which
        may have said so before.

        @param number: the signal, SIGTERM.
        """
        if self._shutdown_requested:
            self._force_this_worker()
        elif not self._stopping:
            self._supervisor_connection.control.callRemote(RequestRetirement)
        self._shutdown_requested = True

    # What the supervisor says

    def drain(self) -> None:
        """Go on serving, and be ready no more."""
        self._readiness.draining = True
        self._stop_reactor()

    def close(self) -> None:
        """Close the listening sockets, as all others do, and end."""
        self._others_still_serving = False
        self._end_drain()
        if self._retiring:
            # Nobody else serves any more, either.
            self._site.close()

    def retire(self) -> None:
        """Leave the listening sockets to the others, answer who is here, and end."""
        self._retiring = not self._stopping
        self._stop_reactor()
        self._end_drain()

    def report_metrics(self) -> list[MetricFamily]:
        """Tell the metrics of this process."""
        return self._supervisor_connection.metrics.families()

    def supervisor_lost(self) -> None:
        """Nobody will tell when to end: end now."""
        if self._shutdown_done is None or not self._shutdown_done.called:
            self._log.error("The connection to the supervisor is lost.")
            self._readiness.draining = True
            # It may be there still, and the others, too.
            self._force_this_worker()

    def _force_this_worker(self) -> None:
        """End now, and leave the sockets to the others as they are."""
        self._stop_reactor()
        self._end_drain()
        super().force()

    def force(self) -> None:
        """End now, as all others do."""
        self._others_still_serving = False
        self._end_drain()
        super().force()

    def _stop_reactor(self) -> None:
        if not self._stopping:
            self._stopping = True
            self._reactor.stop()

    def _end_drain(self) -> None:
        if not self._drain_ended.called:
            self._drain_ended.callback(None)

    # The end

    def _start_drain_delay(self) -> Deferred[None]:
        return self._drain_ended

    async def _stop_listening(self) -> None:
        self._shared_counters.write(self._row, Column.SERVING, 0)
        for acceptor in self._acceptors:
            acceptor.stop()
        if self._others_still_serving:
            await DeferredList(
                [maybeDeferred(port.stopListening) for port, _ in self._ports]
            )
        else:
            await super()._stop_listening()

    def _mark_not_ready(self) -> None:
        """It is the service that is ready; where one worker leaves, it still is."""
        if not self._retiring:
            super()._mark_not_ready()

    def _close_site(self) -> None:
        """Refuse nobody whom another worker would not refuse."""
        if self._retiring and self._others_still_serving:
            self._site.drain_connections()
        else:
            super()._close_site()

    async def _finish(self) -> None:
        await super()._finish()
        await self._supervisor_connection.send_final_metrics()
