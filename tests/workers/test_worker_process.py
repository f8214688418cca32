"""
Tests of one worker, as its supervisor sees it.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone, ProcessExitedAlready
from twisted.logger import capturedLogs
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.monitoring.metrics import MetricFamily, Metrics
from twisted_quotes.processes.reaper import SERVICE_ID_VARIABLE
from twisted_quotes.workers.control import Drain, ReportMetrics
from twisted_quotes.workers.inherited_fds import (
    CONFIGURATION_VARIABLE,
    CONTROL_FD,
    FIRST_LISTENER_FD,
    SHARED_COUNTERS_FD,
)
from twisted_quotes.workers.worker_process import REPORT_TIMEOUT, Worker, WorkerStarter

from ..fakes import FakeProcess, FakeReactor
from .test_inherited_fds import make_inherited_fds


class FakeSupervisor:
    """
    Keeps what it is told.

    @ivar calls: all of it, in order.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def serving_started(self, worker: Worker) -> None:
        """Keep it."""
        self.calls.append(("serves", worker))

    def retirement_requested(self, worker: Worker) -> None:
        """Keep it."""
        self.calls.append(("leaves", worker))

    def worker_ended(self, worker: Worker, reason: str, exited_cleanly: bool) -> None:
        """Keep it."""
        self.calls.append(("has ended", worker, reason, exited_cleanly))

    def collect_all_metrics(self) -> Deferred[list[MetricFamily]]:
        """Tell that there are no metrics."""
        return succeed([])


class SpawningReactor(FakeReactor):
    """
    A reactor that keeps what it is given to talk to.

    @ivar adopted_factories: for each connection its factory.
    @ivar marks: who each process belongs to.
    """

    def __init__(self) -> None:
        super().__init__()
        self.adopted_factories: list[Any] = []
        self.marks: list[str] = []

    def spawnProcess(self, *args: Any, **kw: Any) -> FakeProcess:
        """Keep whose it is."""
        self.marks.append(kw["env"][SERVICE_ID_VARIABLE])
        return super().spawnProcess(*args, **kw)

    def adoptStreamConnection(
        self, fileDescriptor: int, addressFamily: int, factory: Any
    ) -> None:
        """Keep who talks there."""
        assert not os.get_blocking(fileDescriptor)
        assert addressFamily == socket.AF_UNIX
        self.adopted_factories.append(factory)


class WorkerTests(SynchronousTestCase):
    """Tests of a worker."""

    def setUp(self) -> None:
        """Have a worker, and whom it tells."""
        self.reactor = FakeReactor()
        self.supervisor = FakeSupervisor()
        self.worker = Worker(self.reactor, self.supervisor, 1, 0)
        self.process = FakeProcess(self.worker, "python", (), {}, {})
        self.sent_commands: list[Any] = []
        self.pending_replies: list[Deferred[Any]] = []

        def ask(command: Any) -> Deferred[Any]:
            self.sent_commands.append(command)
            self.pending_replies.append(Deferred())
            return self.pending_replies[-1]

        self.patch(self.worker.control, "callRemote", ask)

    def test_its_service_is_timed(self) -> None:
        """From when it says that it serves."""
        self.reactor.advance(5)
        self.assertEqual((self.worker.is_serving, self.worker.uptime), (False, 0))
        self.worker.serving_started()
        self.reactor.advance(5)
        self.assertEqual((self.worker.is_serving, self.worker.uptime), (True, 5))
        self.worker.retirement_requested()
        self.assertEqual(
            self.supervisor.calls, [("serves", self.worker), ("leaves", self.worker)]
        )

    def test_how_it_ended_is_told(self) -> None:
        """By itself, or by a signal."""
        self.process.end(0, 9)
        [(_, worker, how, well)] = self.supervisor.calls
        self.assertIs(worker, self.worker)
        self.assertIn("signal 9", how)
        self.assertFalse(well)
        self.successResultOf(self.worker.ended)

    def test_one_that_ends_well_has_ended_too(self) -> None:
        """It was not asked to."""
        self.process.end()
        how = self.supervisor.calls[0][2:]
        self.assertEqual(how, ("it ended by itself", True))

    def test_it_is_told_and_asked(self) -> None:
        """What it answers is kept."""
        families = Metrics().families()
        self.worker.send_command(Drain)
        asked = self.worker.collect_metrics()
        self.assertEqual(self.sent_commands, [Drain, ReportMetrics])
        self.pending_replies[1].callback({"families": families})
        self.successResultOf(asked)
        self.assertEqual(self.worker.last_metrics, families)
        self.assertEqual(self.successResultOf(self.worker.collect_all_metrics()), [])

    def test_one_that_does_not_answer_is_not_waited_for(self) -> None:
        """What it had told before stands, and the log says so."""
        self.worker.metrics_received(before := Metrics().families())
        asked = self.worker.collect_metrics()
        self.assertNoResult(asked)
        with capturedLogs() as events:
            self.reactor.advance(REPORT_TIMEOUT)
        self.successResultOf(asked)
        self.assertEqual(self.worker.last_metrics, before)
        [event] = events
        self.assertEqual(event["reason"], "it has said nothing for 1 s")
        self.assertEqual(self.worker.silent_since, 0)
        self.worker.metrics_received(before)
        self.assertIsNone(self.worker.silent_since)

    def test_one_that_was_asked_is_not_asked_again(self) -> None:
        """Who asks meanwhile has the same answer, and does not wait for a late one."""
        one = self.worker.collect_metrics()
        self.reactor.advance(REPORT_TIMEOUT / 2)
        other = self.worker.collect_metrics()
        self.assertEqual(self.sent_commands, [ReportMetrics])
        with capturedLogs():
            self.reactor.advance(REPORT_TIMEOUT / 2)
        for asked in (one, other, self.worker.collect_metrics()):
            self.successResultOf(asked)
        self.assertEqual(self.sent_commands, [ReportMetrics])
        families = Metrics().families()
        self.pending_replies[0].callback({"families": families})
        self.assertEqual(self.worker.last_metrics, families)
        asked = self.worker.collect_metrics()
        self.assertEqual(self.sent_commands, [ReportMetrics, ReportMetrics])
        self.pending_replies[1].callback({"families": []})
        self.successResultOf(asked)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_one_that_cannot_tell_its_metrics_does_not_hang(self) -> None:
        """One whose connection is lost may do so."""
        for error, since in ((Exception("no folder"), None), (ConnectionDone(), 0)):
            asked = self.worker.collect_metrics()
            with capturedLogs() as events:
                self.pending_replies[-1].errback(Failure(error))
            self.assertEqual(len(events), 1)
            self.successResultOf(asked)
            self.assertEqual(self.worker.silent_since, since)

    def test_it_can_be_killed(self) -> None:
        """Also when it is gone already."""
        self.worker.kill()
        self.assertEqual(self.process.signals, ["KILL"])

        def gone(_: object) -> None:
            raise ProcessExitedAlready()

        self.patch(self.process, "signalProcess", gone)
        self.worker.kill()


class StarterTests(SynchronousTestCase):
    """Tests of starting a worker."""

    def start_worker(self, reactor: SpawningReactor) -> Worker:
        """Start one."""
        environment = {
            "TWISTED_QUOTES_TIMEOUT": "3",
            "PATH": "/bin",
            "NOTIFY_SOCKET": "/run/notify",
            "WATCHDOG_USEC": "1",
            SERVICE_ID_VARIABLE: "other",
        }
        starter = WorkerStarter(
            *(reactor, ["/bin/python", "-m", "twisted", "quotes"], environment, 77),
            *(lambda: [10, 12], lambda row, share: make_inherited_fds(share)),
        )
        return starter.start(FakeSupervisor(), 1, 0)

    def test_it_is_started_as_this_process_was(self) -> None:
        """With the same options, and what it inherits."""
        reactor = SpawningReactor()
        worker = self.start_worker(reactor)
        [process] = reactor.processes
        self.assertIs(process.protocol, worker)
        self.assertEqual(process.executable, "/bin/python")
        self.assertEqual(process.arguments, ("/bin/python", "-m", "twisted", "quotes"))
        inherited = process.environment.pop(CONFIGURATION_VARIABLE)
        self.assertIn('"shares":2', inherited)
        self.assertEqual(
            process.environment, {"TWISTED_QUOTES_TIMEOUT": "3", "PATH": "/bin"}
        )
        self.assertNotIn("other", reactor.marks)

    def test_it_has_the_sockets_and_a_way_to_talk(self) -> None:
        """And the log of this process, but not its input."""
        reactor = SpawningReactor()
        worker = self.start_worker(reactor)
        [process] = reactor.processes
        files = process.child_fds
        self.assertEqual((files[1], files[2], files[SHARED_COUNTERS_FD]), (1, 2, 77))
        self.assertEqual(
            (files[FIRST_LISTENER_FD], files[FIRST_LISTENER_FD + 1]), (10, 12)
        )
        self.assertEqual(set(files), {0, 1, 2, CONTROL_FD, 4, 5, 6})
        [factory] = reactor.adopted_factories
        self.assertIs(factory.buildProtocol(None), worker.control)

    def test_where_it_cannot_be_started_nothing_is_left(self) -> None:
        """No socket stays open."""
        reactor = SpawningReactor()
        reactor.spawn_error = OSError("no more processes")
        before = os.listdir("/proc/self/fd")
        self.assertRaises(OSError, self.start_worker, reactor)
        self.assertEqual(os.listdir("/proc/self/fd"), before)
        self.assertEqual(reactor.adopted_factories, [])
