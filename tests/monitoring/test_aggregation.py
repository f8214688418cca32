"""
Tests of metrics that are added up.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.monitoring.aggregation import aggregate, cumulative_only
from twisted_quotes.monitoring.metrics import MetricFamily, Metrics, render_families


def metric_values(families: list[MetricFamily]) -> dict[str, float]:
    """All values, by name and labels, as they are shown."""
    _, text = render_families(families, "")
    lines = (each for each in text.decode().splitlines() if each and each[0] != "#")
    return {
        name: float(value) for name, value in (each.rsplit(" ", 1) for each in lines)
    }


class AggregationTests(SynchronousTestCase):
    """Tests of sums."""

    def setUp(self) -> None:
        """Have two processes count."""
        self.one, self.other = Metrics(), Metrics()
        self.one.requests.labels("/", "200").inc(2)
        self.other.requests.labels("/", "200").inc(3)
        self.other.requests.labels("/", "404").inc()
        self.one.request_duration.labels("/").observe(0.2)
        self.other.request_duration.labels("/").observe(2)
        self.one.add_gauge("things", "Things.", lambda: 1)
        self.other.add_gauge("things", "Things.", lambda: 4)
        for metrics in (self.one, self.other):
            metrics.add_gauge("dictionaries", "Dictionaries.", lambda: 3)
        self.reports = [self.one.families(), self.other.families()]

    def test_what_is_counted_and_held_is_added_up(self) -> None:
        """By its labels, and in its buckets."""
        found = metric_values(aggregate(self.reports))
        self.assertEqual(found['quotes_requests_total{code="200",route="/"}'], 5)
        self.assertEqual(found['quotes_requests_total{code="404",route="/"}'], 1)
        name = "quotes_request_duration_seconds"
        self.assertEqual(found[f'{name}_bucket{{le="0.25",route="/"}}'], 1)
        self.assertEqual(found[f'{name}_bucket{{le="+Inf",route="/"}}'], 2)
        self.assertEqual(found[f'{name}_sum{{route="/"}}'], 2.2)
        self.assertEqual(found["quotes_things"], 5)

    def test_what_is_the_same_for_all_is_not_added_up(self) -> None:
        """All serve the same dictionaries, and the first start is the start."""
        self.assertEqual(
            metric_values(aggregate(self.reports))["quotes_dictionaries"], 3
        )
        starts = [
            metric_values(each)["process_start_time_seconds"] for each in self.reports
        ]
        found = metric_values(aggregate(self.reports))["process_start_time_seconds"]
        self.assertEqual(found, min(starts))

    def test_of_what_is_gone_the_counts_remain(self) -> None:
        """And what it held is gone with it."""
        found = metric_values(
            aggregate([self.reports[0], cumulative_only(self.reports[1])])
        )
        self.assertEqual(found['quotes_requests_total{code="200",route="/"}'], 5)
        self.assertEqual(found["quotes_things"], 1)

    def test_a_sum_of_one_is_shown_as_it_would_show_itself(self) -> None:
        """In each format."""
        quiet = Metrics()
        for accept in ("", "application/openmetrics-text; version=1.0.0"):
            mine, theirs = (
                quiet.render(accept),
                render_families(aggregate([quiet.families()]), accept),
            )
            self.assertEqual(mine[0], theirs[0])
            wanted = [x for x in mine[1].splitlines() if not x.startswith(b"process_")]
            found = [x for x in theirs[1].splitlines() if not x.startswith(b"process_")]
            self.assertEqual(found, wanted)
