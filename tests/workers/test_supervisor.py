"""
Tests of the supervisor: how it starts, and how it shuts down.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from signal import SIGHUP, SIGTERM
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, fail, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.internet.protocol import Factory
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.concurrency.shared_counters import SharedCounters
from twisted_quotes.monitoring.metrics import Metrics
from twisted_quotes.processes.signals import ABORT_START_SIGNAL
from twisted_quotes.service.startup import CannotStart
from twisted_quotes.workers.control import Message
from twisted_quotes.workers.pool import WorkerPool
from twisted_quotes.workers.supervisor import (
    GRACE_PERIOD,
    HEALTH_CHECK_INTERVAL,
    Supervisor,
)

from ..service.cases import (
    FakeEndpoint,
    FakeSignals,
    FakeSystemdNotifier,
    ListeningReactor,
)
from .fakes import SHARED_ENDPOINT, FakeStarter, SharedPort


class FakeReaper:
    """A reaper without a process."""

    is_running = False

    def start(self) -> None:
        """Start."""
        self.is_running = True

    def stop(self) -> Deferred[None]:
        """Stop."""
        self.is_running = False
        return succeed(None)


class SupervisorTestCase(SynchronousTestCase):
    """Makes a supervisor with two workers."""

    def setUp(self) -> None:
        """Make the fakes."""
        self.reactor = ListeningReactor()
        self.starter = FakeStarter(self.reactor)
        self.signals = FakeSignals()
        self.systemd = FakeSystemdNotifier(self.reactor)
        self.reaper = FakeReaper()
        self.failures: list[str] = []

    def start_supervisor(
        self,
        delay: float = 0.0,
        timeout: float = 30.0,
        endpoints: Sequence[tuple[str, IStreamServerEndpoint]] = (),
    ) -> Supervisor:
        """Make a supervisor, and start it."""
        shared_counters = SharedCounters.create(8)
        self.addCleanup(os.close, shared_counters.descriptor)
        pool = WorkerPool(
            self.reactor, 2, self.starter, shared_counters, timeout, Metrics()
        )
        self.port = SharedPort(self.reactor, Factory())
        self.addCleanup(self.port.socket.close)
        endpoints = endpoints or [(SHARED_ENDPOINT, FakeEndpoint(succeed(self.port)))]
        fakes: dict[str, Any] = {"reactor": self.reactor, "reaper": self.reaper}
        supervisor = Supervisor(
            endpoints=endpoints,
            pool=pool,
            outstanding=pool.outstanding,
            drain_delay=delay,
            drain_timeout=timeout,
            on_signal=self.signals,
            systemd_notifier=self.systemd,
            exit_with_error=self.failures.append,
            **fakes,
        )
        supervisor.startService()
        return supervisor

    def run_reactor(self) -> None:
        """Run the reactor until all workers are started."""
        self.reactor.start_running()
        self.reactor.advance(0)

    def start_serving(self) -> None:
        """Run the reactor, and have all workers serve."""
        if not self.starter.started:
            self.run_reactor()
        for worker in self.starter.started:
            worker.serving_started()

    def messages(self) -> list[list[Message]]:
        """Return the messages to each worker."""
        return [each.messages for each in self.starter.started]


class StartTests(SupervisorTestCase):
    """Tests of the start."""

    def test_systemd_is_notified_when_all_workers_serve(self) -> None:
        """The addresses are logged at the same time."""
        self.start_supervisor()
        self.assertFalse(self.reaper.is_running)
        self.run_reactor()
        self.assertTrue(self.reaper.is_running)
        self.assertEqual(self.systemd.notifications, [])
        with capturedLogs() as events:
            self.start_serving()
        self.assertEqual(events[-1]["address"], "http://127.0.0.1:8000/")
        self.assertEqual(
            self.systemd.notifications[0],
            ("READY=1", "STATUS=Listening on http://127.0.0.1:8000/"),
        )

    def test_the_metrics_of_workers_are_collected_regularly(self) -> None:
        """So they are known if a worker is killed."""
        supervisor = self.start_supervisor()
        self.start_serving()
        for worker in self.starter.started:
            self.assertEqual(worker.last_metrics, [])
        self.reactor.advance(HEALTH_CHECK_INTERVAL)
        for worker in self.starter.started:
            self.assertNotEqual(worker.last_metrics, [])
        finished = supervisor.stopService()
        self.reactor.advance(0)
        for worker in self.starter.started:
            worker.end()
        self.successResultOf(finished)

    def test_an_error_in_listening_stops_the_start(self) -> None:
        """No worker is started."""
        endpoint = FakeEndpoint(fail(CannotListenError("127.0.0.1", 8000, "in use")))
        with self.assertRaises(CannotStart) as raised:
            self.start_supervisor(endpoints=[("tcp:8000", endpoint)])
        self.assertIn("127.0.0.1:8000", str(raised.exception))
        self.assertEqual(self.starter.started, [])

    def test_if_no_worker_serves_the_program_ends(self) -> None:
        """The reason is logged and printed."""
        self.start_supervisor()
        self.run_reactor()
        with capturedLogs() as events:
            for worker in list(self.starter.started):
                worker.end(11)
        self.assertEqual(events[-1]["log_level"].name, "critical")
        [reason] = self.failures
        self.assertIn("no worker can serve", reason)


class ShutdownTests(SupervisorTestCase):
    """Tests of the shutdown."""

    def test_all_workers_drain_then_close(self) -> None:
        """The supervisor closes its sockets first, and ends after all workers."""
        supervisor = self.start_supervisor(delay=3)
        self.start_serving()
        [finished] = self.reactor.fire_shutdown()
        self.assertIsInstance(finished, DeferredList)
        self.assertEqual(self.messages(), [[Message.DRAIN]] * 2)
        self.assertTrue(self.port.listening)
        self.assertIn("STOPPING=1", self.systemd.notifications[-1])
        self.reactor.pump([3, 0])
        self.assertFalse(self.port.listening)
        self.assertEqual(self.messages(), [[Message.DRAIN, Message.CLOSE]] * 2)
        first, second = self.starter.started
        first.end()
        self.reactor.advance(0)
        self.assertNoResult(finished)
        second.end()
        self.successResultOf(finished)
        self.assertFalse(self.reaper.is_running)
        self.assertEqual(len(self.starter.started), 2)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.successResultOf(supervisor.stopService())

    def test_a_hangup_without_a_terminal_is_passed_on(self) -> None:
        """Each worker reopens the access log."""
        self.start_supervisor()
        self.start_serving()
        self.signals.send(SIGHUP)
        self.assertEqual(self.messages(), [[Message.RELOAD]] * 2)
        self.assertFalse(self.reactor.hasStopped)

    def test_a_second_signal_forces_the_shutdown(self) -> None:
        """The drain delay is cut short, and workers that do not end are killed."""
        self.start_supervisor(delay=20)
        self.start_serving()
        [finished] = self.reactor.fire_shutdown()
        self.signals.send(SIGTERM, SIGTERM)
        self.reactor.advance(0)
        sent = [Message.DRAIN, Message.FORCE, Message.CLOSE]
        self.assertEqual(self.messages(), [sent] * 2)
        first, second = self.starter.started
        first.end()
        self.reactor.advance(GRACE_PERIOD)
        self.assertEqual(
            (first.process.signals, second.process.signals), ([], ["KILL"])
        )
        second.end(9)
        self.successResultOf(finished)

    def test_without_workers_the_drain_delay_is_cut_short(self) -> None:
        """The sockets are closed."""
        self.start_supervisor(delay=20)
        self.start_serving()
        [finished] = self.reactor.fire_shutdown()
        first, second = self.starter.started
        first.end(9)
        self.reactor.advance(0)
        self.assertTrue(self.port.listening)
        second.end(9)
        self.reactor.advance(0)
        self.assertFalse(self.port.listening)
        self.successResultOf(finished)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_workers_that_do_not_end_in_time_are_killed(self) -> None:
        """After the drain timeout, which they enforce themselves."""
        self.start_supervisor(timeout=7)
        self.start_serving()
        [finished] = self.reactor.fire_shutdown()
        self.reactor.advance(7)
        self.assertEqual(self.messages(), [[Message.DRAIN, Message.CLOSE]] * 2)
        self.reactor.advance(GRACE_PERIOD)
        for worker in self.starter.started:
            self.assertEqual(worker.process.signals, ["KILL"])
            worker.end(9)
        self.successResultOf(finished)

    def test_a_signal_ends_the_start(self) -> None:
        """No more workers are started, and those that do not serve yet are ended."""
        supervisor = self.start_supervisor()
        self.reactor.start_running()
        finished = supervisor.start_shutdown()
        self.reactor.pump([0] * 3)
        [worker] = self.starter.started
        self.assertEqual(worker.process.signals, [ABORT_START_SIGNAL])
        worker.end(ABORT_START_SIGNAL)
        self.successResultOf(finished)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_it_can_be_stopped_before_the_reactor_runs(self) -> None:
        """Then no worker is started."""
        supervisor = self.start_supervisor()
        finished = supervisor.stopService()
        self.reactor.advance(0)
        self.successResultOf(finished)
        self.reactor.start_running()
        self.assertEqual(self.starter.started, [])
        self.assertEqual(self.reactor.fire_shutdown(), [])
