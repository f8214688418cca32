"""
Tests of the workers that there are.
"""

from __future__ import annotations

import os
from errno import EAGAIN

from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.concurrency.shared_counters import Column, SharedCounters
from twisted_quotes.monitoring.metrics import Metrics
from twisted_quotes.processes.restart_backoff import MIN_UPTIME
from twisted_quotes.workers.control import Close
from twisted_quotes.workers.pool import WorkerPool

from ..fakes import FakeReactor
from ..monitoring.test_aggregation import metric_values
from .fakes import FakeStarter, FakeWorker

EXIT_TIMEOUT = 35.0

REQUESTS_METRIC = 'quotes_requests_total{code="200",route="/"}'


class PoolTestCase(SynchronousTestCase):
    """Has a pool of two workers."""

    def setUp(self) -> None:
        """Make the pool, and have it start its workers."""
        self.reactor = FakeReactor()
        self.starter = FakeStarter(self.reactor)
        self.shared_counters = SharedCounters.create(4)
        self.addCleanup(os.close, self.shared_counters.descriptor)
        self.all_serving_calls: list[bool] = []
        self.failures: list[str] = []
        self.pool = WorkerPool(
            self.reactor,
            2,
            self.starter,
            self.shared_counters,
            EXIT_TIMEOUT,
            Metrics(),
            lambda: self.all_serving_calls.append(True),
            self.failures.append,
        )
        self.pool.fill()

    def start_serving(self) -> list[FakeWorker]:
        """Have all serve that were started and have not ended."""
        running = [each for each in self.starter.started if not each.ended.called]
        for worker in running:
            if not worker.is_serving:
                worker.serving_started()
        return running

    def metric_values(self) -> dict[str, float]:
        """The metrics of all."""
        return metric_values(self.successResultOf(self.pool.collect_all_metrics()))


class StartTests(PoolTestCase):
    """Tests of the first start."""

    def test_each_has_a_row_and_a_share_of_its_own(self) -> None:
        """There are as many as there are to be."""
        found = [(each.row, each.share) for each in self.starter.started]
        self.assertEqual(found, [(0, 0), (1, 1)])

    def test_all_serve_when_each_has_said_so(self) -> None:
        """That is told once."""
        one, other = self.starter.started
        one.serving_started()
        self.assertEqual(self.all_serving_calls, [])
        other.serving_started()
        self.assertEqual(self.all_serving_calls, [True])
        other.end(9)
        self.reactor.advance(0)
        self.start_serving()
        self.assertEqual(self.all_serving_calls, [True])

    def test_one_that_cannot_serve_keeps_nobody_from_knowing_of_the_others(
        self,
    ) -> None:
        """It is lost before the other one serves, and then cannot be started."""
        one, other = self.starter.started
        with capturedLogs():
            one.end(11)
        self.assertEqual(self.all_serving_calls, [])
        self.starter.error = OSError(EAGAIN, "no more processes")
        other.serving_started()
        self.assertEqual(self.all_serving_calls, [True])

    def test_one_that_is_lost_later_is_waited_for_no_more(self) -> None:
        """All of the first ones that are left serve."""
        one, other = self.starter.started
        one.serving_started()
        self.assertEqual(self.all_serving_calls, [])
        with capturedLogs():
            other.end(11)
        self.assertEqual(self.all_serving_calls, [True])
        self.reactor.advance(0)
        self.start_serving()
        self.assertEqual(self.all_serving_calls, [True])

    def test_where_none_can_serve_none_is_replaced(self) -> None:
        """The last to die says why."""
        with capturedLogs():
            for worker in list(self.starter.started):
                self.assertEqual(self.failures, [])
                worker.end(11)
        self.assertEqual(len(self.failures), 1)
        self.assertIn("signal 11", self.failures[0])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_one_that_never_served_is_replaced_when_another_does(self) -> None:
        """What one can do others can, too."""
        one, other = self.starter.started
        one.end(11)
        self.assertEqual(len(self.starter.started), 2)
        other.serving_started()
        self.assertEqual(len(self.starter.started), 3)
        self.assertEqual(self.starter.started[2].share, 0)

    def test_what_cannot_be_started_is_said(self) -> None:
        """Once, where not one of them can be."""
        starter = FakeStarter(self.reactor)
        starter.error = OSError(EAGAIN, "no more processes")
        pool = WorkerPool(
            self.reactor,
            2,
            starter,
            self.shared_counters,
            EXIT_TIMEOUT,
            Metrics(),
            lambda: None,
            self.failures.append,
        )
        pool.fill()
        self.assertEqual(len(self.failures), 1)
        self.assertIn("no more processes", self.failures[0])


class ReplacingTests(PoolTestCase):
    """Tests of workers that end before they are told to."""

    def test_one_that_dies_is_replaced_at_once(self) -> None:
        """In its row and with its share, and the log says how it ended."""
        one, other = self.start_serving()
        self.reactor.advance(MIN_UPTIME)
        self.shared_counters.write(other.row, Column.CONNECTIONS, 5)
        with capturedLogs() as events:
            other.end(9)
        [event] = events
        self.assertIn("signal 9", event["how"])
        self.assertEqual(self.shared_counters.total(Column.CONNECTIONS), 0)
        self.reactor.advance(0)
        new = self.starter.started[2]
        self.assertEqual((new.row, new.share), (other.row, other.share))
        self.assertEqual(self.metric_values()["quotes_workers_lost_total"], 1)
        self.assertEqual(self.metric_values()["quotes_workers"], 1)
        self.start_serving()
        self.assertEqual(self.metric_values()["quotes_workers"], 2)
        self.assertFalse(one.ended.called)

    def test_those_that_die_again_and_again_are_waited_for(self) -> None:
        """The reactor does not spin."""
        _, worker = self.start_serving()
        for _ in range(3):
            worker.end(9)
            self.reactor.advance(0)
            *_, worker = self.starter.started
        self.assertEqual(len(self.starter.started), 4)
        self.reactor.advance(0.25)
        self.assertEqual(len(self.starter.started), 5)

    def test_one_that_cannot_be_started_is_tried_again(self) -> None:
        """Later, and later still."""
        _, other = self.start_serving()
        self.starter.error = OSError(EAGAIN, "no more processes")
        other.end(9)
        self.reactor.advance(0)
        self.assertEqual(len(self.starter.started), 2)
        self.starter.error = None
        self.reactor.pump([0.5] * 4)
        self.assertEqual(len(self.starter.started), 3)

    def test_one_that_is_to_end_is_replaced_before_it_has(self) -> None:
        """It leaves the sockets to the others, and is not lost."""
        one, other = self.start_serving()
        one.retirement_requested()
        one.retirement_requested()
        self.assertEqual(one.orders, ["Retire"])
        new = self.starter.started[2]
        self.assertEqual((new.row, new.share), (2, one.share))
        new.serving_started()
        self.assertEqual(self.metric_values()["quotes_workers"], 2)
        one.end()
        self.assertEqual(len(self.starter.started), 3)
        self.assertEqual(self.metric_values()["quotes_workers_lost_total"], 0)
        self.assertEqual(other.orders, [])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_one_that_was_to_end_and_does_not_is_killed(self) -> None:
        """It is lost, and its place is taken already."""
        one, _ = self.start_serving()
        one.retirement_requested()
        self.reactor.advance(EXIT_TIMEOUT - 1)
        self.assertEqual(one.process.signals, [])
        with capturedLogs() as events:
            self.reactor.advance(1)
            self.assertEqual(one.process.signals, ["KILL"])
            one.end(9)
        self.assertEqual(len(events), 2)
        self.assertEqual(self.metric_values()["quotes_workers_lost_total"], 1)
        self.assertEqual(len(self.starter.started), 3)

    def test_no_more_end_at_once_than_there_is_room_for(self) -> None:
        """One too many goes on, and is not told to end."""
        self.start_serving()
        for worker in list(self.starter.started):
            worker.retirement_requested()
        third = self.start_serving()[2]
        with capturedLogs() as events:
            third.retirement_requested()
        self.assertEqual(third.orders, [])
        self.assertIn("Too many", events[0]["log_format"])

    def test_counts_never_go_down(self) -> None:
        """What a worker had told last counts on when it is gone."""
        one, other = self.start_serving()
        for worker in (one, other):
            worker.metrics.requests.labels("/", "200").inc(2)
        self.assertEqual(self.metric_values()[REQUESTS_METRIC], 4)
        one.end(9)
        self.assertEqual(self.metric_values()[REQUESTS_METRIC], 4)
        farewell = Metrics()
        farewell.requests.labels("/", "200").inc(10)
        other.metrics_received(farewell.families())
        other.end()
        self.assertEqual(self.metric_values()[REQUESTS_METRIC], 12)
        self.reactor.advance(0)
        self.assertEqual(self.metric_values()[REQUESTS_METRIC], 12)

    def test_those_that_hang_are_killed(self) -> None:
        """If they tell nothing for too long, and there is any such time."""
        one, _ = self.start_serving()
        one.silent_since = self.reactor.seconds()
        for seconds, longest in ((30, 30), (1, None)):
            self.reactor.advance(seconds)
            self.successResultOf(self.pool.check_health(longest))
            self.assertEqual(one.process.signals, [])
        with capturedLogs() as events:
            self.successResultOf(self.pool.check_health(30))
        self.assertEqual(one.process.signals, ["KILL"])
        self.assertEqual(len(events), 1)


class ShutdownTests(PoolTestCase):
    """Tests of the end of all of them."""

    def test_none_is_started_any_more(self) -> None:
        """Neither for one that dies, nor for one that wants to end."""
        one, other = self.start_serving()
        one.end(9)
        self.pool.close()
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        other.retirement_requested()
        self.pool.broadcast(Close)
        self.assertEqual(other.orders, ["Close"])
        with capturedLogs() as events:
            other.end(9)
        self.assertIn("signal 9", events[0]["how"])
        self.assertEqual(self.metric_values()["quotes_workers_lost_total"], 2)
        self.pool.fill()
        self.assertEqual(len(self.starter.started), 2)
        self.assertEqual(len(self.pool), 0)
        self.assertEqual(len(self.pool.outstanding), 0)

    def test_one_that_serves_when_it_is_too_late_changes_nothing(self) -> None:
        """The end has begun."""
        self.pool.close()
        self.start_serving()
        self.assertEqual(self.all_serving_calls, [])

    def test_those_that_are_left_can_be_killed(self) -> None:
        """The log says which they were."""
        with capturedLogs() as events:
            self.pool.kill()
        self.assertEqual(len(events), 2)
        signals = [each.process.signals for each in self.starter.started]
        self.assertEqual(signals, [["KILL"], ["KILL"]])
