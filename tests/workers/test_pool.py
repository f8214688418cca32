"""
Tests of the pool of workers.
"""

from __future__ import annotations

import os
from errno import EAGAIN

from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.concurrency.shared_counters import Column, SharedCounters
from twisted_quotes.monitoring.metrics import Metrics
from twisted_quotes.processes.restart_backoff import MIN_UPTIME
from twisted_quotes.processes.signals import ABORT_START_SIGNAL
from twisted_quotes.workers.control import Message
from twisted_quotes.workers.pool import NoWorkerStarted, WorkerPool

from ..fakes import FakeReactor
from ..metrics import family_values
from .fakes import FakeStarter, FakeWorker

RETIREMENT_TIMEOUT = 35.0
REQUESTS_METRIC = 'quotes_requests_total{code="200",route="/"}'
NO_MORE_PROCESSES = OSError(EAGAIN, "no more processes")


class PoolTestCase(SynchronousTestCase):
    """Has a pool of two workers."""

    def setUp(self) -> None:
        """Make the pool, and start its workers."""
        self.reactor = FakeReactor()
        self.starter = FakeStarter(self.reactor)
        self.shared_counters = SharedCounters.create(12)
        self.addCleanup(os.close, self.shared_counters.descriptor)
        self.pool = self.make_pool()
        self.pool.fill()
        self.reactor.advance(0)

    def make_pool(self, count: int = 2) -> WorkerPool:
        """Make a pool that has not started."""
        return WorkerPool(
            self.reactor,
            count,
            self.starter,
            self.shared_counters,
            RETIREMENT_TIMEOUT,
            Metrics(),
        )

    def start_serving(self) -> list[FakeWorker]:
        """Have all workers serve, and return those that have not ended."""
        running = [each for each in self.starter.started if not each.ended.called]
        for worker in running:
            if not worker.is_serving:
                worker.serving_started()
        return running

    def metric_values(self) -> dict[str, float]:
        """Return the metrics of all workers."""
        return family_values(self.successResultOf(self.pool.collect_all_metrics()))


class StartTests(PoolTestCase):
    """Tests of the first workers."""

    def test_each_has_a_row_and_a_share(self) -> None:
        """They are numbered from 0."""
        started = [(each.row, each.share) for each in self.starter.started]
        self.assertEqual(started, [(0, 0), (1, 1)])

    def test_one_is_started_in_each_turn(self) -> None:
        """So a signal can stop that: then no more are started."""
        pool = self.make_pool(9)
        before = len(self.starter.started)
        self.reactor.callLater(0, pool.close)
        pool.fill()
        self.reactor.advance(0)
        self.assertEqual(len(self.starter.started), before + 1)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_the_pool_has_started_when_all_serve(self) -> None:
        """Replacements do not change that."""
        first, second = self.starter.started
        first.serving_started()
        self.assertNoResult(self.pool.started)
        second.serving_started()
        self.successResultOf(self.pool.started)
        second.end(9)
        self.reactor.advance(0)
        self.start_serving()

    def test_a_worker_that_ends_before_another_serves_is_not_waited_for(self) -> None:
        """Even if it cannot be replaced."""
        first, second = self.starter.started
        with capturedLogs():
            first.end(11)
        self.assertNoResult(self.pool.started)
        self.starter.error = NO_MORE_PROCESSES
        second.serving_started()
        self.successResultOf(self.pool.started)

    def test_a_worker_that_ends_after_another_serves_is_not_waited_for(self) -> None:
        """The pool has started with those that are left."""
        first, second = self.starter.started
        first.serving_started()
        self.assertNoResult(self.pool.started)
        with capturedLogs():
            second.end(11)
        self.successResultOf(self.pool.started)
        self.reactor.advance(0)
        self.start_serving()

    def test_if_no_worker_serves_none_is_replaced(self) -> None:
        """The reason is that of the last one."""
        with capturedLogs():
            for worker in list(self.starter.started):
                self.assertNoResult(self.pool.started)
                worker.end(11)
        failure = self.failureResultOf(self.pool.started, NoWorkerStarted)
        self.assertIn("signal 11", failure.getErrorMessage())
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_if_no_worker_can_be_started_the_start_fails(self) -> None:
        """The reason is that of the system."""
        self.starter.error = NO_MORE_PROCESSES
        pool = self.make_pool()
        pool.fill()
        self.reactor.advance(0)
        failure = self.failureResultOf(pool.started, NoWorkerStarted)
        self.assertIn("no more processes", failure.getErrorMessage())

    def test_a_worker_that_never_served_is_replaced_when_another_serves(self) -> None:
        """Then there is no general problem."""
        first, second = self.starter.started
        first.end(11)
        self.assertEqual(len(self.starter.started), 2)
        second.serving_started()
        self.assertEqual(len(self.starter.started), 3)
        self.assertEqual(self.starter.started[2].share, 0)


class ReplacementTests(PoolTestCase):
    """Tests of workers that end before the shutdown."""

    def test_a_lost_worker_is_replaced_at_once(self) -> None:
        """The new one has its row and its share, and the log has the reason."""
        first, second = self.start_serving()
        self.reactor.advance(MIN_UPTIME)
        self.shared_counters.write(second.row, Column.CONNECTIONS, 5)
        with capturedLogs() as events:
            second.end(9)
        [event] = events
        self.assertIn("signal 9", event["how"])
        self.assertEqual(self.shared_counters.total(Column.CONNECTIONS), 0)
        self.reactor.advance(0)
        new = self.starter.started[2]
        self.assertEqual((new.row, new.share), (second.row, second.share))
        self.assertEqual(self.metric_values()["quotes_workers_lost_total"], 1)
        self.assertEqual(self.metric_values()["quotes_workers"], 1)
        self.start_serving()
        self.assertEqual(self.metric_values()["quotes_workers"], 2)
        self.assertFalse(first.ended.called)

    def test_workers_that_end_repeatedly_are_replaced_after_a_delay(self) -> None:
        """The reactor is not kept busy."""
        _, worker = self.start_serving()
        for _ in range(3):
            worker.end(9)
            self.reactor.advance(0)
            *_, worker = self.starter.started
        self.assertEqual(len(self.starter.started), 4)
        self.reactor.advance(0.25)
        self.assertEqual(len(self.starter.started), 5)

    def test_a_worker_that_cannot_be_started_is_tried_again(self) -> None:
        """After a delay that grows."""
        _, second = self.start_serving()
        self.starter.error = NO_MORE_PROCESSES
        second.end(9)
        self.reactor.advance(0)
        self.assertEqual(len(self.starter.started), 2)
        self.starter.error = None
        self.reactor.pump([0.5] * 4)
        self.assertEqual(len(self.starter.started), 3)

    def test_workers_that_cannot_be_started_are_each_tried_again(self) -> None:
        """There are never more attempts than missing workers."""
        self.start_serving()
        self.starter.error = NO_MORE_PROCESSES
        for worker in self.starter.started:
            worker.end(9)
        for _ in range(10):
            self.reactor.advance(30)
            self.assertEqual(len(self.reactor.getDelayedCalls()), 2)
        self.starter.error = None
        self.reactor.advance(30)
        self.assertEqual(len(self.starter.started), 4)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_a_retiring_worker_is_replaced_before_it_ends(self) -> None:
        """It does not count as lost."""
        first, second = self.start_serving()
        first.retirement_requested()
        first.retirement_requested()
        self.assertEqual(first.messages, [Message.RETIRE])
        new = self.starter.started[2]
        self.assertEqual((new.row, new.share), (2, first.share))
        new.serving_started()
        self.assertEqual(self.metric_values()["quotes_workers"], 2)
        first.end()
        self.assertEqual(len(self.starter.started), 3)
        self.assertEqual(self.metric_values()["quotes_workers_lost_total"], 0)
        self.assertEqual(second.messages, [])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_a_retiring_worker_that_does_not_end_is_killed(self) -> None:
        """It counts as lost, and is not replaced again."""
        first, _ = self.start_serving()
        first.retirement_requested()
        self.reactor.advance(RETIREMENT_TIMEOUT - 1)
        self.assertEqual(first.process.signals, [])
        with capturedLogs() as events:
            self.reactor.advance(1)
            self.assertEqual(first.process.signals, ["KILL"])
            first.end(9)
        self.assertEqual(len(events), 2)
        self.assertEqual(self.metric_values()["quotes_workers_lost_total"], 1)
        self.assertEqual(len(self.starter.started), 3)

    def test_without_a_free_row_no_worker_retires(self) -> None:
        """It goes on serving. A worker that is lost can always be replaced."""
        first, _ = self.start_serving()
        self.reactor.advance(MIN_UPTIME)
        first.end(9)
        for _ in range(10):
            self.start_serving()[-1].retirement_requested()
        *_, last = self.start_serving()
        with capturedLogs() as events:
            last.retirement_requested()
        self.assertEqual(last.messages, [])
        count = len(self.starter.started)
        self.reactor.advance(0)
        self.assertEqual(len(self.starter.started), count + 1)
        self.assertIn("Too many", events[0]["log_format"])

    def test_counters_never_decrease(self) -> None:
        """They include the last metrics of the workers that have ended."""
        first, second = self.start_serving()
        for worker in (first, second):
            worker.metrics.requests.labels("/", "200").inc(2)
        self.assertEqual(self.metric_values()[REQUESTS_METRIC], 4)
        first.end(9)
        self.assertEqual(self.metric_values()[REQUESTS_METRIC], 4)
        final = Metrics()
        final.requests.labels("/", "200").inc(10)
        second.metrics_received(final.families())
        second.end()
        self.assertEqual(self.metric_values()[REQUESTS_METRIC], 12)
        self.reactor.advance(0)
        self.assertEqual(self.metric_values()[REQUESTS_METRIC], 12)

    def test_a_worker_that_does_not_respond_is_killed(self) -> None:
        """After the time limit, if there is one."""
        first, _ = self.start_serving()
        first.silent_since = self.reactor.seconds()
        for seconds, max_silence in ((30, 30), (1, None)):
            self.reactor.advance(seconds)
            self.successResultOf(self.pool.check_health(max_silence))
            self.assertEqual(first.process.signals, [])
        with capturedLogs() as events:
            self.successResultOf(self.pool.check_health(30))
        self.assertEqual(first.process.signals, ["KILL"])
        self.assertEqual(len(events), 1)


class ShutdownTests(PoolTestCase):
    """Tests of a pool that is closed."""

    def test_no_more_workers_are_started(self) -> None:
        """Neither for a lost worker nor for one that received SIGTERM."""
        first, second = self.start_serving()
        first.end(9)
        self.pool.close()
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        second.retirement_requested()
        self.pool.broadcast(Message.CLOSE)
        self.assertEqual(second.messages, [Message.CLOSE])
        with capturedLogs() as events:
            second.end(9)
        self.assertIn("signal 9", events[0]["how"])
        self.assertEqual(self.metric_values()["quotes_workers_lost_total"], 2)
        self.pool.fill()
        self.assertEqual(len(self.starter.started), 2)
        self.assertEqual(len(self.pool.outstanding), 0)

    def test_workers_that_do_not_serve_yet_are_ended(self) -> None:
        """None of them counts as lost."""
        first, second = self.starter.started
        first.serving_started()
        self.pool.close()
        self.assertEqual(first.process.signals, [])
        self.assertEqual(second.process.signals, [ABORT_START_SIGNAL])
        with capturedLogs() as events:
            second.end(ABORT_START_SIGNAL)
            first.end()
        self.assertEqual(events, [])
        self.assertEqual(self.metric_values()["quotes_workers_lost_total"], 0)
        self.assertEqual(len(self.pool.outstanding), 0)

    def test_a_worker_that_serves_too_late_changes_nothing(self) -> None:
        """The pool does not start any more."""
        self.pool.close()
        self.start_serving()
        self.assertNoResult(self.pool.started)

    def test_the_remaining_workers_can_be_killed(self) -> None:
        """The log has a line for each."""
        with capturedLogs() as events:
            self.pool.kill()
        self.assertEqual(len(events), 2)
        signals = [each.process.signals for each in self.starter.started]
        self.assertEqual(signals, [["KILL"], ["KILL"]])
