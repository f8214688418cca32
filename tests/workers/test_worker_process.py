"""
Tests of a worker process, as the supervisor sees it.
"""

from __future__ import annotations

import os
import socket
from errno import EMFILE
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone, ProcessExitedAlready
from twisted.logger import capturedLogs
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.monitoring.metrics import MetricFamily, Metrics
from twisted_quotes.processes.process import SERVICE_ID
from twisted_quotes.processes.reaper_process import SERVICE_ID_VARIABLE
from twisted_quotes.processes.signals import ABORT_START_SIGNAL
from twisted_quotes.workers.control import ReportMetrics
from twisted_quotes.workers.inherited_fds import (
    CONFIGURATION_VARIABLE,
    CONTROL_FD,
    FIRST_LISTENER_FD,
    SHARED_COUNTERS_FD,
)
from twisted_quotes.workers.worker_process import REPORT_TIMEOUT, Worker, WorkerStarter

from ..fakes import FakeProcess, FakeReactor
from .test_inherited_fds import make_configuration


class FakeSupervisor:
    """
    Records the events of workers.

    @ivar events: the name and the arguments of each.
    """

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []

    def serving_started(self, worker: Worker) -> None:
        """Record the event."""
        self.events.append(("serving started", worker))

    def retirement_requested(self, worker: Worker) -> None:
        """Record the event."""
        self.events.append(("retirement requested", worker))

    def worker_ended(self, worker: Worker, reason: str, exited_cleanly: bool) -> None:
        """Record the event."""
        self.events.append(("ended", worker, reason, exited_cleanly))

    def collect_all_metrics(self) -> Deferred[list[MetricFamily]]:
        """Return no metrics."""
        return succeed([])


class SpawningReactor(FakeReactor):
    """
    A reactor that records connections.

    @ivar adopted_factories: the factories of the connections.
    """

    def __init__(self) -> None:
        super().__init__()
        self.adopted_factories: list[Any] = []

    def adoptStreamConnection(
        self, fileDescriptor: int, addressFamily: int, factory: Any
    ) -> None:
        """Record the factory."""
        assert not os.get_blocking(fileDescriptor)
        assert addressFamily == socket.AF_UNIX
        self.adopted_factories.append(factory)


class WorkerTests(SynchronousTestCase):
    """Tests of L{Worker}."""

    def setUp(self) -> None:
        """Make a worker with a control connection that records requests."""
        self.reactor = FakeReactor()
        self.supervisor = FakeSupervisor()
        self.worker = Worker(self.reactor, self.supervisor, 1, 0)
        self.process = FakeProcess(self.worker, "python", (), {}, {})
        self.requests: list[Deferred[Any]] = []

        def call_remote(command: object) -> Deferred[Any]:
            self.assertIs(command, ReportMetrics)
            self.requests.append(Deferred())
            return self.requests[-1]

        self.patch(self.worker.control, "callRemote", call_remote)

    def respond(self, families: list[MetricFamily]) -> None:
        """Respond to the last request for metrics."""
        self.requests[-1].callback({"families": families})

    def test_uptime_counts_from_when_it_serves(self) -> None:
        """Its messages are passed on."""
        self.reactor.advance(5)
        self.assertEqual((self.worker.is_serving, self.worker.uptime), (False, 0))
        self.worker.serving_started()
        self.reactor.advance(5)
        self.assertEqual((self.worker.is_serving, self.worker.uptime), (True, 5))
        self.worker.retirement_requested()
        self.assertEqual(
            self.supervisor.events,
            [("serving started", self.worker), ("retirement requested", self.worker)],
        )
        self.assertEqual(self.successResultOf(self.worker.report_metrics()), [])

    def test_the_end_of_the_process_is_reported(self) -> None:
        """By a signal, or with status 0."""
        self.process.end(0, 9)
        [(_, worker, reason, exited_cleanly)] = self.supervisor.events
        self.assertIs(worker, self.worker)
        self.assertIn("signal 9", reason)
        self.assertFalse(exited_cleanly)
        self.successResultOf(self.worker.ended)
        other = Worker(self.reactor, self.supervisor, 1, 0)
        FakeProcess(other, "python", (), {}, {}).end()
        self.assertEqual(
            self.supervisor.events[1:], [("ended", other, "it exited by itself", True)]
        )

    def test_reported_metrics_are_kept(self) -> None:
        """Until the next report."""
        families = Metrics().families()
        collected = self.worker.collect_metrics()
        self.assertNoResult(collected)
        self.respond(families)
        self.successResultOf(collected)
        self.assertEqual(self.worker.last_metrics, families)

    def test_a_missing_report_is_logged(self) -> None:
        """The last metrics are kept."""
        self.worker.metrics_received(before := Metrics().families())
        collected = self.worker.collect_metrics()
        self.assertNoResult(collected)
        with capturedLogs() as events:
            self.reactor.advance(REPORT_TIMEOUT)
        self.successResultOf(collected)
        self.assertEqual(self.worker.last_metrics, before)
        [event] = events
        self.assertEqual(event["reason"], "no response for 1 s")
        self.assertEqual(self.worker.silent_since, 0)
        self.worker.metrics_received(before)
        self.assertIsNone(self.worker.silent_since)

    def test_one_request_is_pending_at_a_time(self) -> None:
        """Nothing waits for it longer than the timeout."""
        first = self.worker.collect_metrics()
        self.reactor.advance(REPORT_TIMEOUT / 2)
        second = self.worker.collect_metrics()
        with capturedLogs():
            self.reactor.advance(REPORT_TIMEOUT / 2)
        for collected in (first, second, self.worker.collect_metrics()):
            self.successResultOf(collected)
        self.assertEqual(len(self.requests), 1)
        families = Metrics().families()
        self.respond(families)
        self.assertEqual(self.worker.last_metrics, families)
        collected = self.worker.collect_metrics()
        self.assertEqual(len(self.requests), 2)
        self.respond([])
        self.successResultOf(collected)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_an_error_is_a_response_but_a_lost_connection_is_not(self) -> None:
        """Only the latter counts as silence."""
        for error, since in ((Exception("no folder"), None), (ConnectionDone(), 0)):
            collected = self.worker.collect_metrics()
            with capturedLogs() as events:
                self.requests[-1].errback(Failure(error))
            self.assertEqual(len(events), 1)
            self.successResultOf(collected)
            self.assertEqual(self.worker.silent_since, since)

    def test_it_can_be_killed(self) -> None:
        """Or ended if it does not serve yet. Also after the process has exited."""
        self.worker.kill()
        self.worker.abort_start()
        self.assertEqual(self.process.signals, ["KILL", ABORT_START_SIGNAL])

        def exited(_: object) -> None:
            raise ProcessExitedAlready()

        self.patch(self.process, "signalProcess", exited)
        self.worker.kill()


class WorkerStarterTests(SynchronousTestCase):
    """Tests of L{WorkerStarter}."""

    def setUp(self) -> None:
        """Make a starter."""
        self.reactor = SpawningReactor()
        self.environment = {"TWISTED_QUOTES_TIMEOUT": "3", "PATH": "/bin"}
        self.command = ["/bin/python", "-m", "twisted", "quotes"]
        self.starter = WorkerStarter(
            self.reactor,
            self.command,
            {
                **self.environment,
                "NOTIFY_SOCKET": "/run/notify",
                "WATCHDOG_USEC": "1",
                SERVICE_ID_VARIABLE: "other",
            },
            77,
            make_configuration(),
        )

    def test_a_worker_has_the_command_line_of_this_process(self) -> None:
        """And its environment, but for what is only for the supervisor."""
        worker = self.starter(FakeSupervisor(), 3, 1, [10, 12])
        [process] = self.reactor.processes
        self.assertIs(process.protocol, worker)
        self.assertEqual(process.executable, "/bin/python")
        self.assertEqual(process.arguments, tuple(self.command))
        configuration = process.environment.pop(CONFIGURATION_VARIABLE)
        self.assertIn('"row":3,"share":1,"shares":2', configuration)
        self.assertEqual(process.environment, self.environment)
        self.assertEqual(process.service_id, SERVICE_ID)

    def test_a_worker_inherits_sockets_and_the_log(self) -> None:
        """But not the standard input."""
        worker = self.starter(FakeSupervisor(), 1, 0, [10, 12])
        [process] = self.reactor.processes
        fds = process.child_fds
        self.assertEqual((fds[1], fds[2], fds[SHARED_COUNTERS_FD]), (1, 2, 77))
        self.assertEqual((fds[FIRST_LISTENER_FD], fds[FIRST_LISTENER_FD + 1]), (10, 12))
        self.assertEqual(set(fds), {0, 1, 2, CONTROL_FD, 4, 5, 6})
        [factory] = self.reactor.adopted_factories
        self.assertIs(factory.buildProtocol(None), worker.control)

    def test_a_failed_start_leaves_no_socket_open(self) -> None:
        """The error is raised."""
        self.reactor.spawn_error = OSError("no more processes")
        before = os.listdir("/proc/self/fd")
        self.assertRaises(OSError, self.starter, FakeSupervisor(), 1, 0, [])
        self.assertEqual(os.listdir("/proc/self/fd"), before)

    def test_without_a_control_connection_no_process_is_started(self) -> None:
        """For example, if too many files are open."""

        def adopt(*_: object) -> None:
            raise OSError(EMFILE, "too many files")

        self.patch(self.reactor, "adoptStreamConnection", adopt)
        self.assertRaises(OSError, self.starter, FakeSupervisor(), 1, 0, [])
        self.assertEqual(self.reactor.processes, [])
