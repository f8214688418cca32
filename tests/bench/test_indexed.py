"""
Tests for L{bench.indexed}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from bench.indexed import has_index


class MetricsTests(SynchronousTestCase):
    def test_the_whole_library_must_have_an_index(self) -> None:
        """A part is not enough, and the help of the metric is not its value."""
        for value, expected in (("1.0", True), ("0.99", False), ("0.0", False)):
            metrics = (
                "# HELP quotes_index_ratio 1.0\n"
                f"quotes_index_ratio {value}\nquotes_waits 1.0\n"
            )
            self.assertIs(has_index(metrics.encode()), expected)
