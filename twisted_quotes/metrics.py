"""
Metrics: what is counted and measured for those who run the service, in the
formats of Prometheus.
"""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import choose_encoder

# When each was first counted is more than anybody reads.
disable_created_metrics()

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """
    The metrics of one service.

    @ivar requests: requests answered, or left by their client, by route and code.
    @ivar seconds: how long they took, by route.
    @ivar bytes_returned: the bytes of the answers' bodies.
    @ivar greps: greps that were started.
    @ivar greps_running: those that have not ended.
    @ivar greps_killed: those that did not end by themselves, by reason:
        C{timeout}, C{left} for a caller that left, C{output} for one that had
        printed enough, C{shutdown}, or C{outside}.
    @ivar cache: questions, by how they were answered: C{hit} from what was kept,
        C{shared} by a search for others, C{miss} by one of their own.
    @ivar searches_together: searches answered by the grep of another one.
    @ivar spawn_failures: processes that could not be started.
    @ivar bytes_searched: the bytes of the dictionaries that greps have read.
    """

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.requests = Counter(
            "quotes_requests",
            "Requests answered, or left by their client (499), by route and code.",
            ["route", "code"],
            registry=registry,
        )
        self.seconds = Histogram(
            "quotes_request_duration_seconds",
            "Time from the first line of a request to the end of its answer.",
            ["route"],
            registry=registry,
            buckets=_SECONDS,
        )
        self.bytes_returned = self._counter("bytes_returned", "Bytes of answers.")
        self.greps = self._counter("greps", "Greps started.")
        self.greps_running = Gauge(
            "quotes_greps_running", "Greps that have not ended.", registry=registry
        )
        self.greps_killed = self._kinds(
            "greps_killed",
            "Greps that did not end by themselves, by reason.",
            *("reason", "timeout", "left", "output", "shutdown", "outside"),
        )
        self.spawn_failures = self._counter(
            "spawn_failures", "Processes that could not be started."
        )
        self.cache = self._kinds(
            "cache",
            "Questions answered from what was kept, with others, or by themselves.",
            *("result", "hit", "shared", "miss"),
        )
        self.searches_together = self._counter(
            "searches_together", "Searches answered by the grep of another one."
        )
        self.bytes_searched = self._counter(
            "bytes_searched", "Bytes of dictionaries and indexes read by greps."
        )

    def _counter(self, name: str, meaning: str) -> Counter:
        return Counter(f"quotes_{name}", meaning, registry=self._registry)

    def _kinds(self, name: str, meaning: str, label: str, *kinds: str) -> Counter:
        """A counter of several kinds, all of which are there from the start."""
        counter = Counter(f"quotes_{name}", meaning, [label], registry=self._registry)
        for kind in kinds:
            counter.labels(kind)
        return counter

    def watch(self, name: str, meaning: str, value: Callable[[], float]) -> None:
        """
        Add a metric whose value is asked for when it is shown.

        @param name: its name, which is given the service's own prefix.
        @param meaning: what it is, in a sentence.
        """
        gauge = Gauge(f"quotes_{name}", meaning, registry=self._registry)
        gauge.set_function(value)

    def text(self, accept: str) -> tuple[str, bytes]:
        """
        Show all metrics.

        @param accept: the formats that the reader likes, as in an Accept header.
        @return: the content type of the format, and the metrics in it.
        """
        try:
            encode, content_type = choose_encoder(accept)
        except (TypeError, ValueError):
            # It asks for a version of the format that is none.
            encode, content_type = choose_encoder("")
        return content_type, encode(self._registry)
