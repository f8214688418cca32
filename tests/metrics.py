"""
Metrics as tests read them.
"""

from __future__ import annotations

from twisted_quotes.monitoring.metrics import MetricFamily, Metrics, render_families


def parse_metrics(text: bytes) -> dict[str, float]:
    """Parse metrics in text format; return the values by name and labels."""
    lines = text.decode().splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if line[0] != "#")
    return {name: float(value) for name, value in pairs}


def family_values(families: list[MetricFamily]) -> dict[str, float]:
    """Return the values of metrics by name and labels."""
    return parse_metrics(render_families(families, "")[1])


def metric_values(metrics: Metrics) -> dict[str, float]:
    """Return the values of the metrics of a process by name and labels."""
    return family_values(metrics.families())
