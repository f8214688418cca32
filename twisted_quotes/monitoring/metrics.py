"""
Metrics, in the formats of Prometheus.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import nan

import msgspec
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from twisted.logger import Logger

# Do not export the time at which each metric was created.
disable_created_metrics()

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Sample(msgspec.Struct, frozen=True, array_like=True):
    """A value, with its name and its labels."""

    name: str
    labels: tuple[tuple[str, str], ...]
    value: float


class MetricFamily(msgspec.Struct, frozen=True, array_like=True):
    """
    One metric at one time, in a form that can be sent to another process.

    @ivar kind: C{counter}, C{gauge}, or C{histogram}.
    """

    name: str
    documentation: str
    kind: str
    samples: list[Sample]


class Metrics:
    """
    The metrics of one process.

    Each public attribute is a metric, or the value of a gauge. Other modules add
    gauges for what they count themselves.

    @ivar greps_running: the number of greps that search.
    """

    _log = Logger()

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self.requests = self.add_counter(
            "requests",
            "Requests that ended, by route and code; 499: the client left first.",
            route=(),
            code=(),
        )
        self.request_duration = Histogram(
            "quotes_request_duration_seconds",
            "Time from the first line of a request to the end of its response.",
            ["route"],
            registry=self._registry,
            buckets=_BUCKETS,
        )
        self.bytes_returned = self.add_counter(
            "bytes_returned", "Bytes of response bodies."
        )
        self.cache_results = self.add_counter(
            "cache",
            "Searches; hit: the response was cached; shared: an equal search was in "
            "progress; miss: neither.",
            result=("hit", "shared", "miss"),
        )
        self.batched_searches = self.add_counter(
            "searches_together",
            "Searches of a dictionary or pack answered by the grep of another search.",
        )
        self._add_grep_metrics()

    def _add_grep_metrics(self) -> None:
        self.greps = self.add_counter("greps", "Greps started.")
        self.greps_running = 0
        self.add_gauge(
            "greps_running", "Greps that search.", lambda: self.greps_running
        )
        self.greps_killed = self.add_counter(
            "greps_killed",
            "Greps killed, by reason; left: the client; outside: by another process.",
            reason=("timeout", "left", "output", "shutdown", "outside"),
        )
        self.spawn_failures = self.add_counter(
            "spawn_failures", "Processes that could not be started."
        )
        self.prestarted_greps = self.add_counter(
            "spare_greps",
            "Prestarted greps, by whether a search used them.",
            result=("used", "unused"),
        )
        self.bytes_searched = self.add_counter(
            "bytes_searched", "Bytes of dictionaries and indexes read by greps."
        )

    def add_counter(
        self, name: str, documentation: str, **labels: Sequence[str]
    ) -> Counter:
        """
        Add a counter.

        @param name: the name without the prefix C{quotes_}.
        @param labels: the values of each label. If there is one label, its values are
            shown with 0 until they occur.
        """
        counter = Counter(
            f"quotes_{name}", documentation, [*labels], registry=self._registry
        )
        for values in labels.values():
            for value in values:
                counter.labels(value)
        return counter

    def add_gauge(
        self, name: str, documentation: str, read_value: Callable[[], float]
    ) -> None:
        """
        Add a metric whose value is read when it is shown.

        @param name: the name without the prefix C{quotes_}.
        @param read_value: returns the value. If it raises L{OSError}, the error is
            logged, and the value is not a number.
        """

        def read_or_nan() -> float:
            try:
                return read_value()
            except OSError as error:
                self._log.warn(
                    "Cannot read the metric {name}: {reason}",
                    name=name,
                    reason=error.strerror,
                )
                return nan

        gauge = Gauge(f"quotes_{name}", documentation, registry=self._registry)
        gauge.set_function(read_or_nan)

    def families(self) -> list[MetricFamily]:
        """Return the present values of all metrics."""
        return [
            MetricFamily(
                metric.name,
                metric.documentation,
                metric.type,
                [
                    Sample(each.name, tuple(sorted(each.labels.items())), each.value)
                    for each in metric.samples
                ],
            )
            for metric in self._registry.collect()
        ]


@dataclass(eq=False)
class _StaticCollector(Collector):
    """Metrics that were collected elsewhere."""

    families: Sequence[MetricFamily]

    def collect(self) -> Iterator[Metric]:
        for family in self.families:
            metric = Metric(family.name, family.documentation, family.kind)
            for each in family.samples:
                metric.add_sample(each.name, dict(each.labels), each.value)
            yield metric


def render_families(families: Sequence[MetricFamily], accept: str) -> tuple[str, bytes]:
    """
    Format metrics.

    @param accept: the value of an Accept header, or a media type.
    @return: the content type, and the body.
    """
    registry = CollectorRegistry()
    registry.register(_StaticCollector(families))
    encode, content_type = choose_encoder(accept)
    return content_type, encode(registry)


def negotiate_format(accept: str) -> str:
    """Return the media type that fits an Accept header best."""
    try:
        _, content_type = choose_encoder(accept)
    except (TypeError, ValueError):
        # The header names an invalid version of a format.
        _, content_type = choose_encoder("")
    return content_type.partition(";")[0]
