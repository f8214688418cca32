"""
Tests for L{twisted_quotes.monitoring.metrics}.
"""

from __future__ import annotations

from errno import EMFILE
from math import isnan

from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.monitoring.metrics import Metrics, render_families

from ..metrics import metric_values

OPEN_METRICS = "application/openmetrics-text"


class MetricsTests(SynchronousTestCase):
    """Tests of the metrics of one process."""

    def setUp(self) -> None:
        self.metrics = Metrics()

    def assert_values(self, **values: float) -> None:
        """Check values, by the names without their prefix."""
        found = metric_values(self.metrics)
        for name, value in values.items():
            self.assertEqual(found[f"quotes_{name}"], value, name)

    def test_counters_have_a_prefix_and_labels(self) -> None:
        self.metrics.requests.labels("/", "200").inc()
        self.metrics.greps.inc(3)
        self.assert_values(
            **{'requests_total{code="200",route="/"}': 1, "greps_total": 3}
        )

    def test_every_reason_is_shown_from_the_start(self) -> None:
        """Alerts need a value before the first event."""
        for reason in ("timeout", "left", "output", "shutdown", "outside"):
            self.assert_values(**{f'greps_killed_total{{reason="{reason}"}}': 0})

    def test_a_gauge_is_read_when_it_is_shown(self) -> None:
        values = [1]
        self.metrics.add_gauge("things", "Things.", lambda: values[0])
        for value in (1, 5):
            values[0] = value
            self.assert_values(things=value)

    def test_a_gauge_that_cannot_be_read_is_logged(self) -> None:
        """The other metrics are shown."""

        def fail() -> float:
            raise OSError(EMFILE, "too many open files")

        self.metrics.add_gauge("things", "Things.", fail)
        with capturedLogs() as events:
            values = metric_values(self.metrics)
        self.assertTrue(isnan(values["quotes_things"]))
        self.assertEqual(values["quotes_greps_total"], 0)
        self.assertIn("too many open files", [each["reason"] for each in events])

    def test_the_client_chooses_the_format(self) -> None:
        families = self.metrics.families()
        content_type, text = render_families(families, f"{OPEN_METRICS}; version=1.0.0")
        self.assertTrue(content_type.startswith(OPEN_METRICS))
        self.assertTrue(text.endswith(b"# EOF\n"))
        content_type, text = render_families(families, "*/*")
        self.assertTrue(content_type.startswith("text/plain"))

    def test_two_services_share_no_metrics(self) -> None:
        Metrics().greps.inc()
        self.assert_values(greps_total=0)

    def test_memory_and_open_files_are_measured(self) -> None:
        measured = {"process_resident_memory_bytes", "process_open_fds"}
        self.assertLessEqual(measured, metric_values(self.metrics).keys())
