"""
Tests of the service in a worker: it ends as its supervisor says.
"""

from __future__ import annotations

import os
import socket
from signal import SIGTERM
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.tcp import Port
from twisted.logger import capturedLogs
from twisted.python.failure import Failure

from twisted_quotes import service
from twisted_quotes.concurrency.shared_counters import Column, SharedCounters
from twisted_quotes.errors import ServiceNotReady
from twisted_quotes.service import FLUSH_TIMEOUT
from twisted_quotes.workers.control import (
    CollectAllMetrics,
    RequestRetirement,
    SendFinalMetrics,
    ServingStarted,
)
from twisted_quotes.workers.worker_service import (
    METRICS_TIMEOUT,
    SupervisorConnection,
    WorkerService,
)

from ..test_service import ENDPOINT, FakeEndpoint, ServiceTestCase
from ..web.clients import FakeSocket, get_request


class SharedPort(Port):
    """A port that is closed in the next turn, and shared with nobody."""

    def __init__(self, reactor: Any, factory: IProtocolFactory) -> None:
        super().__init__(0, factory, reactor=reactor)
        self.clock = reactor
        self.socket = socket.socket()
        self.listening = True
        factory.doStart()

    def stopReading(self) -> None:
        """It does not read."""

    def fileno(self) -> int:
        """It has no open file."""
        return -1

    def getHost(self) -> IPv4Address:
        """It has an address."""
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


class FakeLink(SupervisorConnection):
    """
    A way to a supervisor that does not answer by itself.

    @ivar sent_commands: what it was told and asked, in order, with the answers that are
        due.
    """

    def __init__(self, case: WorkerTestCase) -> None:
        super().__init__(case.reactor, 0, case.web.metrics)
        self.sent_commands: list[tuple[Any, Deferred[Any]]] = []
        case.patch(self.control, "callRemote", self._send_command)

    def connect(self, worker: Any) -> None:
        """Know whom the supervisor talks to."""
        self.control.worker = worker

    def _send_command(self, command: Any, **arguments: Any) -> Deferred[Any]:
        self.sent_commands.append((command, Deferred()))
        return self.sent_commands[-1][1]

    @property
    def commands(self) -> list[Any]:
        """What was asked."""
        return [command for command, _ in self.sent_commands]


class WorkerTestCase(ServiceTestCase):
    """Starts and ends the service of a worker, in memory."""

    def setUp(self) -> None:
        """Make what it needs."""
        super().setUp()
        self.rejecting_ports: list[object] = []
        self.patch(
            service,
            "reject_new_connections",
            lambda *port: self.rejecting_ports.append(port),
        )
        self.shared_counters = SharedCounters.create(2)
        self.addCleanup(os.close, self.shared_counters.descriptor)
        self.link = FakeLink(self)

    def start_worker(self, timeout: float = 30.0) -> WorkerService:
        """The service of a worker that serves."""
        self.port = SharedPort(self.reactor, self.web.site)
        reactor: Any = self.reactor
        service = WorkerService(
            reactor,
            self.web.site,
            [(ENDPOINT, FakeEndpoint(succeed(self.port)))],
            self.web.outstanding,
            *(0.0, timeout),
            self.signals,
            lambda: self.outstanding_at_close.append(len(self.web.outstanding)),
            self.clean_up,
            self.web.readiness,
            self.systemd,
            ["quotes.test"],
        )
        self.addCleanup(self.end_service, service)
        service.attach_to_supervisor(self.link, self.shared_counters, 1)
        self.reactor.stop = self.stop_reactor  # type: ignore[method-assign]
        service.startService()
        self.run_reactor()
        return service

    def stop_reactor(self) -> None:
        """Begin the shutdown, as the reactor does."""
        [self.finished] = self.reactor.fire_shutdown()
        self.reactor.advance(0)

    def assert_ended(self, finished: Deferred[Any]) -> None:
        """All is over when the last metrics are told."""
        self.assertNoResult(finished)
        command, reply = self.link.sent_commands[-1]
        self.assertIs(command, SendFinalMetrics)
        reply.callback({})
        super().assert_ended(finished)

    def assert_aborted(self, client: FakeSocket) -> None:
        """Check that a client is refused, and that nothing is waited for."""
        [process] = self.web.running_processes()
        self.assertEqual(process.signals, ["KILL"])
        process.end(signal=9)
        client.deliver()
        self.assert_refused(client)
        client.half_close()
        self.reactor.advance(FLUSH_TIMEOUT)


class WorkerServiceTests(WorkerTestCase):
    """Tests of a worker, from its start to its end."""

    def test_it_tells_that_it_serves(self) -> None:
        """To its supervisor, the others, and nobody else."""
        self.start_worker()
        self.assertEqual(self.link.commands, [ServingStarted])
        self.assertEqual(self.shared_counters.read(1, Column.SERVING), 1)
        self.assertEqual(len(self.reactor.getReaders()), 1)

    def test_a_signal_is_left_to_the_supervisor(self) -> None:
        """It is only told of it."""
        self.start_worker()
        self.signals.send(SIGTERM)
        self.assertEqual(self.link.commands, [ServingStarted, RequestRetirement])
        self.assertFalse(self.web.readiness.draining)

    def test_a_second_signal_forces_the_end_of_this_worker_alone(self) -> None:
        """Even before the supervisor has answered; the sockets stay as they are."""
        self.start_worker()
        client = self.start_search()
        self.signals.send(SIGTERM, SIGTERM)
        self.assertEqual(self.link.commands, [ServingStarted, RequestRetirement])
        client.deliver()
        self.assert_refused(client)
        self.reactor.advance(FLUSH_TIMEOUT)
        self.assertEqual(self.rejecting_ports, [])
        self.assert_ended(self.finished)

    def test_a_signal_to_the_whole_group_forces_nothing(self) -> None:
        """The supervisor has it, too, and may have said so before."""
        service = self.start_worker()
        client = self.start_search()
        service.drain()
        self.signals.send(SIGTERM)
        client.deliver()
        self.assertEqual(client.responses(), [])
        self.assertEqual(self.link.commands, [ServingStarted])

    def test_it_opens_its_access_log_anew_when_it_is_told_to(self) -> None:
        """The supervisor alone gets the signal, and logs it."""
        service = self.start_worker()
        self.log.rename(self.temporary_folder / "old.log")
        service.reload()
        self.assertTrue(self.log.exists())

    def test_it_drains_until_it_is_told_to_close(self) -> None:
        """It goes on serving, then closes, answers, and ends."""
        service = self.start_worker()
        client = self.start_search()
        service.drain()
        service.drain()
        self.assertTrue(self.web.readiness.draining)
        self.reactor.advance(10)
        self.assertTrue(self.port.listening)
        service.close()
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

    def test_it_can_leave_the_sockets_to_others(self) -> None:
        """It closes its own at once, and answers who has asked, and who asks yet."""
        service = self.start_worker()
        client, late = self.start_search(), self.web.connect()
        service.retire()
        self.reactor.pump([0] * 3)
        self.assertFalse(self.port.listening)
        self.assertEqual(self.rejecting_ports, [])
        self.assertFalse(self.web.readiness.draining)
        self.finish_searches(client)
        late.send(get_request())
        for each in (client, late):
            self.assertEqual([answer.code for answer in each.responses()], [200])
            each.half_close()
        self.assert_ended(self.finished)
        # So that nothing of it is left behind.
        self.web.readiness.draining = True

    def test_while_it_leaves_the_others_may_be_told_to_end(self) -> None:
        """Then nobody is answered here, either, who asks later."""
        service = self.start_worker()
        late = self.web.connect()
        service.retire()
        self.reactor.pump([0] * 3)
        service.drain()
        self.assertTrue(self.web.readiness.draining)
        service.close()
        late.send(get_request())
        self.assert_refused(late)
        late.half_close()
        self.assert_ended(self.finished)

    def test_it_can_be_told_to_end_now(self) -> None:
        """Whatever it was waiting for."""
        service = self.start_worker()
        client = self.start_search()
        service.drain()
        service.force()
        self.assertEqual(len(self.rejecting_ports), 1)
        self.assert_aborted(client)
        self.assert_ended(self.finished)

    def test_without_a_supervisor_it_ends_now(self) -> None:
        """
        Nobody else would tell it to; but at its own end it expects that. Others may
        go on, so it has the kernel let in who connects.
        """
        service = self.start_worker()
        client = self.start_search()
        with capturedLogs() as events:
            service.supervisor_lost()
        self.assertIn("supervisor is lost", events[0]["log_format"])
        self.assertEqual(self.rejecting_ports, [])
        self.assert_aborted(client)
        self.assert_ended(self.finished)
        with capturedLogs() as events:
            service.supervisor_lost()
        self.assertEqual(events, [])


class LinkTests(WorkerTestCase):
    """Tests of what a worker asks of its supervisor."""

    def request_total(self) -> Deferred[Any]:
        """Ask for all metrics."""
        return Deferred.fromCoroutine(self.link.collect_all_metrics())

    def test_metrics_of_all_can_be_asked_for(self) -> None:
        """And its own are told."""
        families = self.web.metrics.families()
        total = self.request_total()
        [(command, answer)] = self.link.sent_commands
        answer.callback({"families": families})
        self.assertEqual(
            (command, self.successResultOf(total)), (CollectAllMetrics, families)
        )
        names = [each.name for each in self.start_worker().report_metrics()]
        self.assertEqual(names, [each.name for each in families])

    def test_a_supervisor_that_does_not_answer_holds_up_nobody(self) -> None:
        """One that stands still, or is gone."""
        total = self.request_total()
        self.reactor.advance(METRICS_TIMEOUT)
        self.failureResultOf(total, ServiceNotReady)
        total = self.request_total()
        self.link.sent_commands[-1][1].errback(Failure(ConnectionDone()))
        self.failureResultOf(total, ServiceNotReady)

    def test_the_last_metrics_are_told(self) -> None:
        """If there is still somebody to tell."""
        leave = Deferred.fromCoroutine(self.link.send_final_metrics())
        self.assertEqual(self.link.commands, [SendFinalMetrics])
        self.assertNoResult(leave)
        self.link.sent_commands[-1][1].errback(Failure(ConnectionDone()))
        self.successResultOf(leave)

    def test_it_is_connected_by_an_open_file(self) -> None:
        """Which it has from its supervisor."""
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        link = SupervisorConnection(self.reactor, theirs.detach(), self.web.metrics)
        worker: Any = object()
        link.connect(worker)
        self.assertIs(link.control.worker, worker)
        [(_, family, factory)] = self.reactor.adoptedStreamConnections
        self.assertEqual(family, socket.AF_UNIX)
        self.assertIs(factory.buildProtocol(None), link.control)
