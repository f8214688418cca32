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
from twisted_quotes.concurrency.shared_counters import Column, Scoreboard
from twisted_quotes.errors import NotReadyNow
from twisted_quotes.service import FLUSH_TIME
from twisted_quotes.workers.control import Farewell, Leaving, Serving, Total
from twisted_quotes.workers.worker_service import TOTAL_TIME, Link, WorkerService

from ..test_service import ENDPOINT, FakeEndpoint, ServiceTestCase
from ..web.clients import FakeSocket, get


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


class FakeLink(Link):
    """
    A way to a supervisor that does not answer by itself.

    @ivar asked: what it was told and asked, in order, with the answers that are due.
    """

    def __init__(self, case: WorkerTestCase) -> None:
        super().__init__(case.reactor, 0, case.web.metrics)
        self.asked: list[tuple[Any, Deferred[Any]]] = []
        case.patch(self.control, "callRemote", self._ask)

    def connect(self, worker: Any) -> None:
        """Know whom the supervisor talks to."""
        self.control.worker = worker

    def _ask(self, command: Any, **arguments: Any) -> Deferred[Any]:
        self.asked.append((command, Deferred()))
        return self.asked[-1][1]

    @property
    def commands(self) -> list[Any]:
        """What was asked."""
        return [command for command, _ in self.asked]


class WorkerTestCase(ServiceTestCase):
    """Starts and ends the service of a worker, in memory."""

    def setUp(self) -> None:
        """Make what it needs."""
        super().setUp()
        self.shut: list[object] = []
        self.patch(service, "let_nobody_in", lambda *port: self.shut.append(port))
        self.scoreboard = Scoreboard.make(2)
        self.addCleanup(os.close, self.scoreboard.descriptor)
        self.link = FakeLink(self)

    def work(self, timeout: float = 30.0) -> WorkerService:
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
            lambda: self.closed.append(len(self.web.outstanding)),
            self.clear_up,
            self.web.readiness,
            self.systemd,
            ["quotes.test"],
        )
        self.addCleanup(self.end_for_good, service)
        service.work_for(self.link, self.scoreboard, 1)
        self.reactor.stop = self.stop  # type: ignore[method-assign]
        service.startService()
        self.run_reactor()
        return service

    def stop(self) -> None:
        """Begin the shutdown, as the reactor does."""
        [self.over] = self.reactor.fire_shutdown()
        self.reactor.advance(0)

    def assert_ended(self, over: Deferred[Any]) -> None:
        """All is over when the last metrics are told."""
        self.assertNoResult(over)
        command, told = self.link.asked[-1]
        self.assertIs(command, Farewell)
        told.callback({})
        super().assert_ended(over)

    def cut(self, client: FakeSocket) -> None:
        """Check that a client is refused, and that nothing is waited for."""
        [process] = self.web.running()
        self.assertEqual(process.signals, ["KILL"])
        process.end(signal=9)
        client.deliver()
        self.assert_refused(client)
        client.shut_down()
        self.reactor.advance(FLUSH_TIME)


class WorkerServiceTests(WorkerTestCase):
    """Tests of a worker, from its start to its end."""

    def test_it_tells_that_it_serves(self) -> None:
        """To its supervisor, the others, and nobody else."""
        self.work()
        self.assertEqual(self.link.commands, [Serving])
        self.assertEqual(self.scoreboard.read(1, Column.SERVING), 1)
        self.assertEqual(len(self.reactor.getReaders()), 1)

    def test_a_signal_is_left_to_the_supervisor(self) -> None:
        """It is only told of it."""
        self.work()
        self.signals.send(SIGTERM)
        self.assertEqual(self.link.commands, [Serving, Leaving])
        self.assertFalse(self.web.readiness.draining)

    def test_a_second_signal_forces_the_end_of_this_worker_alone(self) -> None:
        """Even before the supervisor has answered; the sockets stay as they are."""
        self.work()
        client = self.search()
        self.signals.send(SIGTERM, SIGTERM)
        self.assertEqual(self.link.commands, [Serving, Leaving])
        client.deliver()
        self.assert_refused(client)
        self.reactor.advance(FLUSH_TIME)
        self.assertEqual(self.shut, [])
        self.assert_ended(self.over)

    def test_a_signal_to_the_whole_group_forces_nothing(self) -> None:
        """The supervisor has it, too, and may have said so before."""
        service = self.work()
        client = self.search()
        service.drain()
        self.signals.send(SIGTERM)
        client.deliver()
        self.assertEqual(client.answers(), [])
        self.assertEqual(self.link.commands, [Serving])

    def test_it_opens_its_access_log_anew_when_it_is_told_to(self) -> None:
        """The supervisor alone gets the signal, and logs it."""
        service = self.work()
        self.log.rename(self.room / "old.log")
        service.reload()
        self.assertTrue(self.log.exists())

    def test_it_drains_until_it_is_told_to_close(self) -> None:
        """It goes on serving, then closes, answers, and ends."""
        service = self.work()
        client = self.search()
        service.drain()
        service.drain()
        self.assertTrue(self.web.readiness.draining)
        self.reactor.advance(10)
        self.assertTrue(self.port.listening)
        service.close()
        service.close()
        self.reactor.pump([0] * 3)
        self.assertFalse(self.port.listening)
        self.assertEqual(len(self.shut), 1)
        self.assertEqual(self.scoreboard.read(1, Column.SERVING), 0)
        self.assertNoResult(self.over)
        self.answer(client)
        self.assertEqual(client.answers()[0].code, 200)
        client.shut_down()
        self.assert_ended(self.over)

    def test_it_can_leave_the_sockets_to_others(self) -> None:
        """It closes its own at once, and answers who has asked, and who asks yet."""
        service = self.work()
        client, late = self.search(), self.web.connect()
        service.retire()
        self.reactor.pump([0] * 3)
        self.assertFalse(self.port.listening)
        self.assertEqual(self.shut, [])
        self.assertFalse(self.web.readiness.draining)
        self.answer(client)
        late.send(get())
        for each in (client, late):
            self.assertEqual([answer.code for answer in each.answers()], [200])
            each.shut_down()
        self.assert_ended(self.over)
        # So that nothing of it is left behind.
        self.web.readiness.draining = True

    def test_while_it_leaves_the_others_may_be_told_to_end(self) -> None:
        """Then nobody is answered here, either, who asks later."""
        service = self.work()
        late = self.web.connect()
        service.retire()
        self.reactor.pump([0] * 3)
        service.drain()
        self.assertTrue(self.web.readiness.draining)
        service.close()
        late.send(get())
        self.assert_refused(late)
        late.shut_down()
        self.assert_ended(self.over)

    def test_it_can_be_told_to_end_now(self) -> None:
        """Whatever it was waiting for."""
        service = self.work()
        client = self.search()
        service.drain()
        service.force()
        self.assertEqual(len(self.shut), 1)
        self.cut(client)
        self.assert_ended(self.over)

    def test_without_a_supervisor_it_ends_now(self) -> None:
        """
        Nobody else would tell it to; but at its own end it expects that. Others may
        go on, so it has the kernel let in who connects.
        """
        service = self.work()
        client = self.search()
        with capturedLogs() as events:
            service.supervisor_lost()
        self.assertIn("supervisor is lost", events[0]["log_format"])
        self.assertEqual(self.shut, [])
        self.cut(client)
        self.assert_ended(self.over)
        with capturedLogs() as events:
            service.supervisor_lost()
        self.assertEqual(events, [])


class LinkTests(WorkerTestCase):
    """Tests of what a worker asks of its supervisor."""

    def total(self) -> Deferred[Any]:
        """Ask for all metrics."""
        return Deferred.fromCoroutine(self.link.total())

    def test_metrics_of_all_can_be_asked_for(self) -> None:
        """And its own are told."""
        families = self.web.metrics.families()
        total = self.total()
        [(command, answer)] = self.link.asked
        answer.callback({"families": families})
        self.assertEqual((command, self.successResultOf(total)), (Total, families))
        names = [each.name for each in self.work().report()]
        self.assertEqual(names, [each.name for each in families])

    def test_a_supervisor_that_does_not_answer_holds_up_nobody(self) -> None:
        """One that stands still, or is gone."""
        total = self.total()
        self.reactor.advance(TOTAL_TIME)
        self.failureResultOf(total, NotReadyNow)
        total = self.total()
        self.link.asked[-1][1].errback(Failure(ConnectionDone()))
        self.failureResultOf(total, NotReadyNow)

    def test_the_last_metrics_are_told(self) -> None:
        """If there is still somebody to tell."""
        leave = Deferred.fromCoroutine(self.link.take_leave())
        self.assertEqual(self.link.commands, [Farewell])
        self.assertNoResult(leave)
        self.link.asked[-1][1].errback(Failure(ConnectionDone()))
        self.successResultOf(leave)

    def test_it_is_connected_by_an_open_file(self) -> None:
        """Which it has from its supervisor."""
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        link = Link(self.reactor, theirs.detach(), self.web.metrics)
        worker: Any = object()
        link.connect(worker)
        self.assertIs(link.control.worker, worker)
        [(_, family, factory)] = self.reactor.adoptedStreamConnections
        self.assertEqual(family, socket.AF_UNIX)
        self.assertIs(factory.buildProtocol(None), link.control)
