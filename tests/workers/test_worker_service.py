"""
Tests of the service in a worker: it follows the supervisor.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from signal import SIGTERM
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs
from twisted.python.failure import Failure

from twisted_quotes.concurrency.shared_counters import (
    Column,
    SharedCapacity,
    SharedCounters,
)
from twisted_quotes.errors import ServiceNotReady
from twisted_quotes.service import quotes_service
from twisted_quotes.service.quotes_service import FLUSH_TIMEOUT
from twisted_quotes.workers.control import (
    Message,
    ReportMetrics,
    SendFinalMetrics,
)
from twisted_quotes.workers.worker_service import (
    METRICS_TIMEOUT,
    SupervisorConnection,
    WorkerService,
)

from ..service.cases import FakeEndpoint, ServiceTestCase
from ..web.clients import FakeSocket, get_request
from .fakes import SHARED_ENDPOINT, SharedPort


class FakeConnection(SupervisorConnection):
    """
    A connection to a supervisor that does not respond by itself.

    @ivar messages: the messages to it.
    @ivar requests: the requests to it, each with its response.
    """

    def __init__(self, reactor: Any, metrics: Any) -> None:
        super().__init__(reactor, metrics)
        self.messages: list[Message] = []
        self.requests: list[tuple[Any, Deferred[Any]]] = []

    def connect_to(self, descriptor: int) -> None:
        """Do nothing."""

    def send(self, message: Message) -> None:
        """Record a message."""
        self.messages.append(message)

    def callRemote(self, commandType: Any, *a: Any, **kw: Any) -> Deferred[Any]:
        """Record a request."""
        self.requests.append((commandType, Deferred()))
        return self.requests[-1][1]


class WorkerTestCase(ServiceTestCase):
    """Starts the service of a worker, in memory."""

    def setUp(self) -> None:
        """Make what the service needs."""
        super().setUp()
        self.rejecting_ports: list[object] = []
        self.patch(
            quotes_service,
            "reject_new_connections",
            lambda *port: self.rejecting_ports.append(port),
        )
        self.shared_counters = SharedCounters.create(2)
        self.addCleanup(os.close, self.shared_counters.descriptor)
        self.connections = SharedCapacity(
            100, self.shared_counters, 1, Column.CONNECTIONS
        )
        self.supervisor = FakeConnection(self.reactor, self.web.metrics)

    def start_worker(self) -> WorkerService:
        """Start the service of a worker."""
        self.port = SharedPort(self.reactor, self.web.site)
        service = WorkerService(
            **self.service_arguments(0.0, 30.0),
            endpoints=[(SHARED_ENDPOINT, FakeEndpoint(succeed(self.port)))],
            supervisor=self.supervisor,
            connections=self.connections,
        )
        self.addCleanup(self.end_service, service)
        self.reactor.stop = self.stop_reactor  # type: ignore[method-assign]
        service.startService()
        self.reactor.start_running()
        return service

    def stop_reactor(self) -> None:
        """Start the shutdown, as the reactor does."""
        [self.finished] = self.reactor.fire_shutdown()
        self.reactor.advance(0)

    def assert_ended(self, finished: Deferred[Any]) -> None:
        """Check that the last step is to send the final metrics."""
        self.assertNoResult(finished)
        command, response = self.supervisor.requests[-1]
        self.assertIs(command, SendFinalMetrics)
        response.callback({})
        super().assert_ended(finished)

    def assert_aborted(self, client: FakeSocket) -> None:
        """Check that the grep of a client is killed, and its request refused."""
        [process] = self.web.running_processes()
        self.assertEqual(process.signals, ["KILL"])
        process.end(signal=9)
        client.deliver()
        self.assert_shutting_down(client)
        client.half_close()
        self.reactor.advance(FLUSH_TIMEOUT)


class WorkerServiceTests(WorkerTestCase):
    """Tests of L{WorkerService}."""

    def test_the_supervisor_is_told_that_it_serves(self) -> None:
        """And the other workers."""
        self.start_worker()
        self.assertEqual(self.supervisor.messages, [Message.SERVING_STARTED])
        self.assertEqual(self.shared_counters.read(1, Column.SERVING), 1)
        self.assertEqual(len(self.reactor.getReaders()), 1)

    def test_a_closed_connection_ends_a_delay(self) -> None:
        """The worker has no more connections than the others now."""
        self.start_worker()
        self.shared_counters.write(0, Column.SERVING, 1)
        self.connections.try_acquire()
        [acceptor] = self.reactor.getReaders()
        acceptor.doRead()
        self.assertEqual(self.reactor.getReaders(), [])
        self.connections.release()
        self.assertEqual(self.reactor.getReaders(), [acceptor])

    def test_a_signal_is_passed_to_the_supervisor(self) -> None:
        """The worker goes on until it is told to retire."""
        self.start_worker()
        self.signals.send(SIGTERM)
        self.assertEqual(self.supervisor.messages[1:], [Message.RETIREMENT_REQUESTED])
        self.assertFalse(self.web.readiness.draining)

    def test_a_second_signal_forces_the_shutdown_of_this_worker(self) -> None:
        """Also before the supervisor responds. The sockets do not change."""
        self.start_worker()
        client = self.start_search()
        self.signals.send(SIGTERM, SIGTERM)
        self.assertEqual(self.supervisor.messages[1:], [Message.RETIREMENT_REQUESTED])
        client.deliver()
        self.assert_shutting_down(client)
        self.reactor.advance(FLUSH_TIMEOUT)
        self.assertEqual(self.rejecting_ports, [])
        self.assert_ended(self.finished)

    def test_a_signal_to_the_process_group_forces_nothing(self) -> None:
        """The supervisor may have received it before."""
        service, client = self.start_worker(), self.start_search()
        service.drain()
        self.signals.send(SIGTERM)
        client.deliver()
        self.assertEqual(client.responses(), [])
        self.assertEqual(self.supervisor.messages, [Message.SERVING_STARTED])

    def test_it_reopens_the_access_log(self) -> None:
        """When the supervisor tells it to."""
        service = self.start_worker()
        self.log.rename(self.temporary_folder / "old.log")
        service.reload()
        self.assertTrue(self.log.exists())

    def test_it_drains_until_it_is_told_to_close(self) -> None:
        """Then it closes its sockets, and responds to outstanding requests."""
        service, client = self.start_worker(), self.start_search()
        for _ in range(2):
            service.drain()
        self.assertTrue(self.web.readiness.draining)
        self.reactor.advance(10)
        self.assertTrue(self.port.listening)
        for _ in range(2):
            service.close()
        self.reactor.pump([0] * 3)
        self.assertFalse(self.port.listening)
        self.assertEqual(len(self.rejecting_ports), 1)
        self.assertEqual(self.shared_counters.read(1, Column.SERVING), 0)
        self.assertNoResult(self.finished)
        self.finish_searches(client)
        self.assertEqual(client.responses()[0].code, 200)
        client.half_close()
        self.assert_ended(self.finished)

    def test_a_retiring_worker_leaves_the_sockets_to_the_others(self) -> None:
        """It responds to all requests on its connections, also to new ones."""
        service = self.start_worker()
        client, idle = self.start_search(), self.web.connect()
        service.retire()
        self.reactor.pump([0] * 3)
        self.assertFalse(self.port.listening)
        self.assertEqual(self.rejecting_ports, [])
        self.assertFalse(self.web.readiness.draining)
        self.finish_searches(client)
        idle.send(get_request())
        for each in (client, idle):
            self.assertEqual([each.code for each in each.responses()], [200])
            each.half_close()
        self.assert_ended(self.finished)
        # For the cleanup of the test.
        self.web.readiness.draining = True

    def test_a_retiring_worker_can_be_told_to_close(self) -> None:
        """Then it refuses new requests, as the other workers do."""
        service = self.start_worker()
        idle = self.web.connect()
        service.retire()
        self.reactor.pump([0] * 3)
        service.drain()
        self.assertTrue(self.web.readiness.draining)
        service.close()
        idle.send(get_request())
        self.assert_shutting_down(idle)
        idle.half_close()
        self.assert_ended(self.finished)

    def test_the_supervisor_can_force_the_shutdown(self) -> None:
        """Also before the reactor has started the shutdown."""
        for is_reactor_slow in (False, True):
            self.setUp()
            service = self.start_worker()
            client = self.start_search()
            if is_reactor_slow:
                self.reactor.stop = lambda: None  # type: ignore[method-assign]
            service.drain()
            service.force()
            if is_reactor_slow:
                self.stop_reactor()
            self.assertEqual(len(self.rejecting_ports), 1)
            self.assert_aborted(client)
            self.assert_ended(self.finished)

    def test_a_shutdown_forced_early_does_not_wait_for_clients(self) -> None:
        """The limit counts from when it was forced."""
        service = self.start_worker()
        self.start_search().stalled = True
        self.reactor.stop = lambda: None  # type: ignore[method-assign]
        service.drain()
        service.force()
        self.stop_reactor()
        self.assertNoResult(self.finished)
        self.reactor.advance(FLUSH_TIMEOUT)
        self.assert_ended(self.finished)

    def test_without_a_supervisor_it_shuts_down_at_once(self) -> None:
        """The other workers may go on, so the sockets do not change."""
        service, client = self.start_worker(), self.start_search()
        with capturedLogs() as events:
            service.supervisor_lost()
        self.assertIn("supervisor is lost", events[0]["log_format"])
        self.assertEqual(self.rejecting_ports, [])
        self.assert_aborted(client)
        self.assert_ended(self.finished)
        with capturedLogs() as events:
            service.supervisor_lost()
        self.assertEqual(events, [])


class SupervisorConnectionTests(WorkerTestCase):
    """Tests of L{SupervisorConnection}."""

    def collect(self) -> Deferred[Any]:
        """Request the metrics of all workers."""
        return Deferred.fromCoroutine(self.supervisor.collect_all_metrics())

    def test_metrics_are_reported_both_ways(self) -> None:
        """Those of all workers, and those of this one."""
        families = self.web.metrics.families()
        collected = self.collect()
        [(command, response)] = self.supervisor.requests
        self.assertIs(command, ReportMetrics)
        response.callback({"families": families})
        self.assertEqual(self.successResultOf(collected), families)
        names = [each.name for each in self.start_worker().report_metrics()]
        self.assertEqual(names, [each.name for each in families])

    def test_a_supervisor_that_does_not_respond_is_not_waited_for(self) -> None:
        """Whether it hangs or has ended."""
        fail: Callable[[], object]
        for fail in (
            lambda: self.reactor.advance(METRICS_TIMEOUT),
            lambda: self.supervisor.requests[-1][1].errback(Failure(ConnectionDone())),
        ):
            collected = self.collect()
            fail()
            self.failureResultOf(collected, ServiceNotReady)

    def test_the_final_metrics_need_no_response(self) -> None:
        """The supervisor may have ended."""
        sent = Deferred.fromCoroutine(self.supervisor.send_final_metrics())
        [(command, response)] = self.supervisor.requests
        self.assertIs(command, SendFinalMetrics)
        self.assertNoResult(sent)
        response.errback(Failure(ConnectionDone()))
        self.successResultOf(sent)

    def test_it_uses_an_inherited_socket(self) -> None:
        """The worker is told when the connection is lost."""
        own_socket, other_socket = socket.socketpair()
        self.addCleanup(other_socket.close)
        connection = SupervisorConnection(self.reactor, self.web.metrics)
        worker = connection.receiver = LostRecorder()
        connection.connect_to(own_socket.detach())
        [(_, family, factory)] = self.reactor.adoptedStreamConnections
        self.assertEqual(family, socket.AF_UNIX)
        protocol = factory.buildProtocol(None)
        self.assertIs(protocol, connection)
        protocol.makeConnection(StringTransport())
        protocol.connectionLost(Failure(ConnectionDone()))
        self.assertTrue(worker.is_lost)


class LostRecorder:
    """Records that the supervisor is lost."""

    is_lost = False

    def supervisor_lost(self) -> None:
        """Record it."""
        self.is_lost = True
