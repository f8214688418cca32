"""
Tests for L{twisted_quotes.monitoring.metrics}.
"""

from __future__ import annotations

from errno import EMFILE

from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.monitoring.metrics import Metrics

OPEN_METRICS = "application/openmetrics-text"


class MetricsTests(SynchronousTestCase):
    """Tests of the metrics of one process."""

    def setUp(self) -> None:
        self.metrics = Metrics()

    def assert_rendered(self, *lines: str) -> None:
        """Check that there are lines that begin so."""
        _, text = self.metrics.render("")
        for line in lines:
            self.assertIn(f"\n{line}", text.decode())

    def test_counters_are_rendered_with_prefix_and_labels(self) -> None:
        self.metrics.requests.labels("/", "200").inc()
        self.metrics.greps.inc(3)
        self.assert_rendered(
            'quotes_requests_total{code="200",route="/"} 1.0\n',
            "quotes_greps_total 3.0\n",
        )

    def test_every_reason_is_rendered_from_the_start(self) -> None:
        """Alerts need a value before the first event."""
        for reason in ("timeout", "left", "output", "shutdown", "outside"):
            self.assert_rendered(f'quotes_greps_killed_total{{reason="{reason}"}} 0.0')

    def test_a_gauge_is_read_when_it_is_rendered(self) -> None:
        values = [1]
        self.metrics.add_gauge("things", "Things.", lambda: values[0])
        for value in (1, 5):
            values[0] = value
            self.assert_rendered(f"quotes_things {value}.0\n")

    def test_a_gauge_that_cannot_be_read_is_logged(self) -> None:
        """The other metrics are rendered."""

        def fail() -> float:
            raise OSError(EMFILE, "too many open files")

        self.metrics.add_gauge("things", "Things.", fail)
        with capturedLogs() as events:
            self.assert_rendered("quotes_things NaN\n", "quotes_greps_total 0.0\n")
        self.assertIn("too many open files", [each["reason"] for each in events])

    def test_the_client_chooses_the_format(self) -> None:
        content_type, text = self.metrics.render(f"{OPEN_METRICS}; version=1.0.0")
        self.assertTrue(content_type.startswith(OPEN_METRICS))
        self.assertTrue(text.endswith(b"# EOF\n"))
        content_type, text = self.metrics.render("*/*")
        self.assertTrue(content_type.startswith("text/plain"))

    def test_two_services_share_no_metrics(self) -> None:
        Metrics().greps.inc()
        self.assert_rendered("quotes_greps_total 0.0\n")

    def test_memory_and_open_files_are_measured(self) -> None:
        self.assert_rendered("process_resident_memory_bytes ", "process_open_fds ")
