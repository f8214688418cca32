"""
Tests of how the supervisor begins, and above all of how it ends.
"""

from __future__ import annotations

import os
from signal import SIGHUP, SIGTERM
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.concurrency.shared_counters import SharedCounters
from twisted_quotes.monitoring.metrics import Metrics
from twisted_quotes.startup import CannotStart
from twisted_quotes.workers.supervisor import (
    GRACE_PERIOD,
    HEALTH_CHECK_INTERVAL,
    Supervisor,
)

from ..test_service import FakeSignals, FakeSystemdNotifier, ListeningReactor
from .fakes import FakeStarter


class FakeListeners:
    """
    Listening sockets that are none.

    @ivar calls: what was done with them, in order.
    @ivar error: raised when they are opened, if set.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.error: CannotStart | None = None

    def open(self) -> None:
        """Open them."""
        if self.error is not None:
            raise self.error
        self.calls.append("open")

    def log_addresses(self) -> str:
        """Tell where they are."""
        self.calls.append("tell")
        return "Listening on http://127.0.0.1:8000/"

    def close(self) -> Deferred[None]:
        """Close them."""
        self.calls.append("close")
        return succeed(None)


class FakeReaper:
    """Keeps whether it runs."""

    is_running = False

    def start(self) -> None:
        """Start."""
        self.is_running = True

    def stop(self) -> Deferred[None]:
        """Stop."""
        self.is_running = False
        return succeed(None)


class SupervisorTestCase(SynchronousTestCase):
    """Has a supervisor with two workers."""

    def setUp(self) -> None:
        """Make one."""
        self.reactor = ListeningReactor()
        self.listeners = FakeListeners()
        self.starter = FakeStarter(self.reactor)
        self.signals = FakeSignals()
        self.systemd = FakeSystemdNotifier(self.reactor)
        self.reaper = FakeReaper()
        self.failures: list[str] = []

    def make_supervisor(self, delay: float = 0.0, timeout: float = 30.0) -> Supervisor:
        """A supervisor that has started its workers."""
        shared_counters = SharedCounters.create(8)
        self.addCleanup(os.close, shared_counters.descriptor)
        fakes: dict[str, Any] = {
            "reactor": self.reactor,
            "listeners": self.listeners,
            "reaper": self.reaper,
            "systemd_notifier": self.systemd,
        }
        supervisor = Supervisor(
            count=2,
            start_worker=self.starter,
            shared_counters=shared_counters,
            drain_delay=delay,
            drain_timeout=timeout,
            on_signal=self.signals,
            metrics=Metrics(),
            exit_with_error=self.failures.append,
            **fakes,
        )
        supervisor.startService()
        return supervisor

    def run_reactor(self) -> None:
        """Have the reactor run."""
        for call, args, kw in self.reactor.whenRunningHooks:
            call(*args, **kw)

    def start_serving(self) -> None:
        """Have the reactor run, and all workers serve."""
        if not self.starter.started:
            self.run_reactor()
        for worker in self.starter.started:
            worker.serving_started()

    def worker_orders(self) -> list[list[str]]:
        """What each worker was told."""
        return [each.orders for each in self.starter.started]


class StartTests(SupervisorTestCase):
    """Tests of the start."""

    def test_ready_is_told_when_all_serve(self) -> None:
        """With the addresses, which are logged then."""
        self.make_supervisor()
        self.assertFalse(self.reaper.is_running)
        self.run_reactor()
        self.assertTrue(self.reaper.is_running)
        self.assertEqual(
            (self.listeners.calls, self.systemd.notifications), (["open"], [])
        )
        self.start_serving()
        self.assertEqual(self.listeners.calls, ["open", "tell"])
        [ready, *_] = self.systemd.notifications
        self.assertEqual(
            ready, ("READY=1", "STATUS=Listening on http://127.0.0.1:8000/")
        )

    def test_workers_are_looked_after(self) -> None:
        """What one has counted is known, should it be killed."""
        supervisor = self.make_supervisor()
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

    def test_what_cannot_be_listened_on_stops_the_start(self) -> None:
        """Before there is any worker."""
        self.listeners.error = CannotStart("a port is in use")
        self.assertRaises(CannotStart, self.make_supervisor)
        self.assertEqual(self.starter.started, [])

    def test_where_no_worker_can_serve_the_program_ends(self) -> None:
        """It is logged, and told why."""
        self.make_supervisor()
        self.run_reactor()
        with capturedLogs() as events:
            for worker in list(self.starter.started):
                worker.end(11)
        self.assertEqual([each["log_level"].name for each in events][-1], "critical")
        [reason] = self.failures
        self.assertIn("no worker can serve", reason)


class ShutdownTests(SupervisorTestCase):
    """Tests of the end, from the first step to the last."""

    def test_all_workers_drain_then_close(self) -> None:
        """The supervisor closes its sockets first, and ends when all have."""
        supervisor = self.make_supervisor(delay=3)
        self.start_serving()
        [finished] = self.reactor.fire_shutdown()
        self.assertIsInstance(finished, DeferredList)
        self.assertEqual(self.worker_orders(), [["Drain"]] * 2)
        self.assertEqual(self.listeners.calls[-1], "tell")
        self.assertIn("STOPPING=1", self.systemd.notifications[-1])
        self.reactor.advance(3)
        self.assertEqual(self.listeners.calls[-1], "close")
        self.assertEqual(self.worker_orders(), [["Drain", "Close"]] * 2)
        one, other = self.starter.started
        one.end()
        self.reactor.advance(0)
        self.assertNoResult(finished)
        other.end()
        self.successResultOf(finished)
        self.assertFalse(self.reaper.is_running)
        self.assertEqual(len(self.starter.started), 2)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.successResultOf(supervisor.stopService())

    def test_a_hangup_without_a_terminal_is_passed_on(self) -> None:
        """Each worker opens its access log anew, and goes on."""
        self.make_supervisor()
        self.start_serving()
        self.signals.send(SIGHUP)
        self.assertEqual(self.worker_orders(), [["Reload"]] * 2)
        self.assertFalse(self.reactor.hasStopped)

    def test_a_second_signal_forces_the_end(self) -> None:
        """The drain delay is cut short, and who does not end is killed."""
        self.make_supervisor(delay=20)
        self.start_serving()
        [finished] = self.reactor.fire_shutdown()
        self.signals.send(SIGTERM, SIGTERM)
        self.assertEqual(self.worker_orders(), [["Drain", "Force", "Close"]] * 2)
        one, other = self.starter.started
        one.end()
        self.reactor.advance(GRACE_PERIOD)
        self.assertEqual((one.process.signals, other.process.signals), ([], ["KILL"]))
        other.end(9)
        self.successResultOf(finished)

    def test_where_nobody_serves_any_more_nothing_is_waited_for(self) -> None:
        """The sockets are closed, however long the drain delay is."""
        self.make_supervisor(delay=20)
        self.start_serving()
        [finished] = self.reactor.fire_shutdown()
        one, other = self.starter.started
        one.end(9)
        self.assertEqual(self.listeners.calls[-1], "tell")
        other.end(9)
        self.assertEqual(self.listeners.calls[-1], "close")
        self.successResultOf(finished)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_who_does_not_end_in_time_is_killed(self) -> None:
        """Some time after the drain timeout, to which workers see themselves."""
        self.make_supervisor(timeout=7)
        self.start_serving()
        [finished] = self.reactor.fire_shutdown()
        self.reactor.advance(7)
        self.assertEqual(self.worker_orders(), [["Drain", "Close"]] * 2)
        self.reactor.advance(GRACE_PERIOD)
        for worker in self.starter.started:
            self.assertEqual(worker.process.signals, ["KILL"])
            worker.end(9)
        self.successResultOf(finished)

    def test_it_can_end_before_it_has_begun(self) -> None:
        """No worker is started any more."""
        supervisor = self.make_supervisor()
        finished = supervisor.stopService()
        self.reactor.advance(0)
        self.successResultOf(finished)
        self.run_reactor()
        self.assertEqual(self.starter.started, [])
        self.assertEqual(self.reactor.fire_shutdown(), [])
