"""
Tests of what is counted and measured.
"""

from __future__ import annotations

from errno import EMFILE

from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.monitoring.metrics import Metrics

OPEN_METRICS = "application/openmetrics-text"


class MetricsTests(SynchronousTestCase):
    """Tests of the metrics by themselves."""

    def test_what_is_counted_is_shown(self) -> None:
        """Under the service's own prefix, with its labels."""
        metrics = Metrics()
        metrics.requests.labels("/", "200").inc()
        metrics.greps.inc(3)
        _, text = metrics.render("")
        self.assertIn(b'quotes_requests_total{code="200",route="/"} 1.0\n', text)
        self.assertIn(b"quotes_greps_total 3.0\n", text)

    def test_every_reason_is_there_from_the_start(self) -> None:
        """Who watches for one need not wait for it to happen."""
        _, text = Metrics().render("")
        for reason in ("timeout", "left", "output", "shutdown", "outside"):
            line = f'quotes_greps_killed_total{{reason="{reason}"}} 0.0\n'
            self.assertIn(line.encode(), text)

    def test_a_value_is_asked_for_when_it_is_shown(self) -> None:
        """It is the value of that moment."""
        metrics, values = Metrics(), [1]
        metrics.add_gauge("things", "Things.", lambda: values[0])
        for value in (1, 5):
            values[0] = value
            self.assertIn(b"quotes_things %d.0\n" % value, metrics.render("")[1])

    def test_what_is_not_known_hides_nothing_else(self) -> None:
        """It is no number, and the log says why."""
        metrics = Metrics()

        def unknown() -> float:
            raise OSError(EMFILE, "too many open files")

        metrics.add_gauge("things", "Things.", unknown)
        with capturedLogs() as events:
            _, text = metrics.render("")
        self.assertIn(b"quotes_things NaN\n", text)
        self.assertIn(b"quotes_greps_total 0.0\n", text)
        self.assertIn("too many open files", [each["reason"] for each in events])

    def test_the_reader_chooses_the_format(self) -> None:
        """Prometheus asks for the newer one."""
        content_type, text = Metrics().render(f"{OPEN_METRICS}; version=1.0.0")
        self.assertTrue(content_type.startswith(OPEN_METRICS))
        self.assertTrue(text.endswith(b"# EOF\n"))
        content_type, text = Metrics().render("*/*")
        self.assertTrue(content_type.startswith("text/plain"))

    def test_two_services_count_for_themselves(self) -> None:
        """Nothing is shared by way of the module."""
        one, other = Metrics(), Metrics()
        one.greps.inc()
        self.assertIn(b"quotes_greps_total 0.0\n", other.render("")[1])

    def test_the_process_is_measured(self) -> None:
        """Its memory and its open files, to see that nothing leaks."""
        _, text = Metrics().render("")
        self.assertIn(b"process_resident_memory_bytes ", text)
        self.assertIn(b"process_open_fds ", text)
