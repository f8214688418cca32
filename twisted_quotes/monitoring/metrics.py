"""
Metrics: what is counted and measured for those who run the service, in the
formats of Prometheus.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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

# When each was first counted is more than anybody reads.
disable_created_metrics()

_DURATION_BUCKETS = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1,
    2.5,
    5,
    10,
)


class Sample(msgspec.Struct, frozen=True, array_like=True):
    """A value, with its name and its labels."""

    name: str
    labels: tuple[tuple[str, str], ...]
    value: float


class MetricFamily(msgspec.Struct, frozen=True, array_like=True):
    """
    One metric, as it stood at one time.

    @ivar kind: C{counter}, C{gauge}, or C{histogram}.
    @ivar samples: its values.
    """

    name: str
    documentation: str
    kind: str
    samples: list[Sample]


class Metrics:
    """
    The metrics of one service.

    @ivar requests: requests answered, or left by their client, by route and code.
    @ivar request_duration: how long they took, by route.
    @ivar bytes_returned: the bytes of the answers' bodies.
    @ivar greps: greps that were started.
    @ivar greps_running: those that look for something, and have not ended.
    @ivar greps_killed: those that did not end by themselves, by reason:
        C{timeout}, C{left} for a caller that left, C{output} for one that had
        printed enough, C{shutdown}, or C{outside}.
    @ivar cache_results: questions, by how they were answered: C{hit} from what was
        kept,
        C{shared} by a search for others, C{miss} by one of their own.
    @ivar batched_searches: searches answered by the grep of another one.
    @ivar prestarted_greps: greps that were started ahead, by what became of them:
        C{used}, or C{unused} where they ended before they were told anything.
    @ivar spawn_failures: processes that could not be started.
    @ivar bytes_searched: the bytes of the dictionaries that greps have read.
    """

    _log = Logger()

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.requests = Counter(
            "quotes_requests",
            "Requests answered, or left by their client (499), by route and code.",
            ["route", "code"],
            registry=registry,
        )
        self.request_duration = Histogram(
            "quotes_request_duration_seconds",
            "Time from the first line of a request to the end of its answer.",
            ["route"],
            registry=registry,
            buckets=_DURATION_BUCKETS,
        )
        self.bytes_returned = self.add_counter("bytes_returned", "Bytes of answers.")
        self.cache_results = self._add_labelled_counter(
            "cache",
            "Questions answered from what was kept, with others, or by themselves.",
            *("result", "hit", "shared", "miss"),
        )
        self.batched_searches = self.add_counter(
            "searches_together", "Searches answered by the grep of another one."
        )
        self._add_grep_metrics()

    def _add_grep_metrics(self) -> None:
        self.greps = self.add_counter("greps", "Greps started.")
        self.greps_running = Gauge(
            "quotes_greps_running",
            "Greps that look for something.",
            registry=self._registry,
        )
        self.greps_killed = self._add_labelled_counter(
            "greps_killed",
            "Greps that did not end by themselves, by reason.",
            *("reason", "timeout", "left", "output", "shutdown", "outside"),
        )
        self.spawn_failures = self.add_counter(
            "spawn_failures", "Processes that could not be started."
        )
        self.prestarted_greps = self._add_labelled_counter(
            "spare_greps",
            "Greps that were started ahead, and told what to look for, or not.",
            *("result", "used", "unused"),
        )
        self.bytes_searched = self.add_counter(
            "bytes_searched", "Bytes of dictionaries and indexes read by greps."
        )

    def add_counter(self, name: str, documentation: str) -> Counter:
        """
        Add something that is counted.

        @param name: its name, which is given the service's own prefix.
        @param documentation: what it is, in a sentence.
        """
        return Counter(f"quotes_{name}", documentation, registry=self._registry)

    def _add_labelled_counter(
        self, name: str, documentation: str, label: str, *label_values: str
    ) -> Counter:
        """A counter of several kinds, all of which are there from the start."""
        counter = Counter(
            f"quotes_{name}", documentation, [label], registry=self._registry
        )
        for kind in label_values:
            counter.labels(kind)
        return counter

    def add_gauge(
        self, name: str, documentation: str, read_value: Callable[[], float]
    ) -> None:
        """
        Add a metric whose value is asked for when it is shown.

        @param name: its name, which is given the service's own prefix.
        @param documentation: what it is, in a sentence.
        @param read_value: tells it. Where that raises L{OSError}, the log says so, and
            the metric is shown as not a number.
        """

        def read_or_nan() -> float:
            try:
                return read_value()
            except OSError as error:
                self._log.warn(
                    "The metric {name} is not known: {reason}",
                    name=name,
                    reason=error.strerror,
                )
                return nan

        gauge = Gauge(f"quotes_{name}", documentation, registry=self._registry)
        gauge.set_function(read_or_nan)

    def render(self, accept: str) -> tuple[str, bytes]:
        """
        Show all metrics.

        @param accept: the formats that the reader likes, as in an Accept header.
        @return: the content type of the format, and the metrics in it.
        """
        return _render_registry(self._registry, accept)

    def families(self) -> list[MetricFamily]:
        """All metrics as they stand, to be added to others."""
        return [
            MetricFamily(
                each.name,
                each.documentation,
                each.type,
                [
                    Sample(one.name, tuple(sorted(one.labels.items())), one.value)
                    for one in each.samples
                ],
            )
            for each in self._registry.collect()
        ]


class _StaticCollector(Collector):
    """Metrics that were collected elsewhere."""

    def __init__(self, families: Sequence[MetricFamily]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        for family in self._families:
            metric = Metric(family.name, family.documentation, family.kind)
            for each in family.samples:
                metric.add_sample(each.name, dict(each.labels), each.value)
            yield metric


def render_families(families: Sequence[MetricFamily], accept: str) -> tuple[str, bytes]:
    """
    Show metrics that were added up.

    @param accept: the formats that the reader likes, as in an Accept header.
    @return: the content type of the format, and the metrics in it.
    """
    registry = CollectorRegistry()
    registry.register(_StaticCollector(families))
    return _render_registry(registry, accept)


def negotiate_format(accept: str) -> str:
    """
    The format that a reader likes best, of the two that there are.

    @param accept: the formats that the reader likes, as in an Accept header.
    @return: its media type.
    """
    _, content_type = _negotiate_encoder(accept)
    return content_type.partition(";")[0]


def _negotiate_encoder(accept: str) -> tuple[Callable[[CollectorRegistry], bytes], str]:
    try:
        return choose_encoder(accept)
    except (TypeError, ValueError):
        # It asks for a version of the format that is none.
        return choose_encoder("")


def _render_registry(registry: CollectorRegistry, accept: str) -> tuple[str, bytes]:
    encode, content_type = _negotiate_encoder(accept)
    return content_type, encode(registry)
