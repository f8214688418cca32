"""
Tests for L{twisted_quotes.monitoring.aggregation}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.monitoring.aggregation import aggregate, cumulative_only
from twisted_quotes.monitoring.metrics import Metrics

from ..metrics import family_values


class AggregationTests(SynchronousTestCase):
    """Tests of the metrics of two processes."""

    def setUp(self) -> None:
        one, other = Metrics(), Metrics()
        one.requests.labels("/", "200").inc(2)
        other.requests.labels("/", "200").inc(3)
        other.requests.labels("/", "404").inc()
        one.request_duration.labels("/").observe(0.2)
        other.request_duration.labels("/").observe(2)
        one.add_gauge("things", "Things.", lambda: 1)
        other.add_gauge("things", "Things.", lambda: 4)
        for metrics in (one, other):
            metrics.add_gauge("dictionaries", "Dictionaries.", lambda: 3)
        self.reports = [one.families(), other.families()]

    def test_counters_histograms_and_gauges_are_added_up(self) -> None:
        values = family_values(aggregate(self.reports))
        self.assertEqual(values['quotes_requests_total{code="200",route="/"}'], 5)
        self.assertEqual(values['quotes_requests_total{code="404",route="/"}'], 1)
        name = "quotes_request_duration_seconds"
        self.assertEqual(values[f'{name}_bucket{{le="0.25",route="/"}}'], 1)
        self.assertEqual(values[f'{name}_bucket{{le="+Inf",route="/"}}'], 2)
        self.assertEqual(values[f'{name}_sum{{route="/"}}'], 2.2)
        self.assertEqual(values["quotes_things"], 5)

    def test_what_all_processes_share_is_not_added_up(self) -> None:
        values = family_values(aggregate(self.reports))
        self.assertEqual(values["quotes_dictionaries"], 3)
        start = "process_start_time_seconds"
        starts = [family_values(each)[start] for each in self.reports]
        self.assertEqual(values[start], min(starts))

    def test_only_counts_of_an_ended_process_remain(self) -> None:
        values = family_values(
            aggregate([self.reports[0], cumulative_only(self.reports[1])])
        )
        self.assertEqual(values['quotes_requests_total{code="200",route="/"}'], 5)
        self.assertEqual(values["quotes_things"], 1)

    def test_the_metrics_of_one_process_do_not_change(self) -> None:
        for report in self.reports:
            self.assertEqual(aggregate([report]), report)
