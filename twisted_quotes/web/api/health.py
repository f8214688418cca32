"""
Routes for monitoring the service (contract, section 5).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from msgspec import Struct
from twisted.internet.interfaces import IReactorTime
from twisted.web.iweb import IRequest

from twisted_quotes.concurrency.cached_result import CachedResult
from twisted_quotes.library.readiness import Readiness
from twisted_quotes.monitoring.metrics import (
    MetricFamily,
    Metrics,
    negotiate_format,
    render_families,
)
from twisted_quotes.web.http.request_log import header
from twisted_quotes.web.http.responses import render_body, render_json

METRICS_LIFETIME = 1.0
"""The time for which rendered metrics are cached, in seconds."""


class StatusBody(Struct, frozen=True):
    """
    The body of a response of a probe.

    @ivar status: always the same; a service that is not ready responds with an error.
    """

    status: Literal["ok"]


@dataclass
class Probes:
    """
    The routes C{/livez}, C{/readyz} and C{/metrics}.

    @ivar own_metrics: the metrics of this process.
    @ivar collect_all_metrics: collects the metrics of all processes of the service;
        L{None} if this is the only one.
    """

    clock: IReactorTime
    readiness: Readiness
    own_metrics: Metrics
    collect_all_metrics: Callable[[], Awaitable[Sequence[MetricFamily]]] | None = None
    _rendered: dict[str, CachedResult[tuple[str, bytes]]] = field(
        default_factory=dict, init=False
    )

    def livez(self, request: IRequest) -> bytes:
        """Respond that the process runs."""
        request.setHeader(b"cache-control", b"no-store")
        return render_json(request, StatusBody("ok"))

    def readyz(self, request: IRequest) -> bytes:
        """Respond that the service is ready, or raise the reason why it is not."""
        self.readiness.check()
        return self.livez(request)

    async def metrics(self, request: IRequest) -> bytes:
        """Respond with all metrics, in the format that the client prefers."""
        metrics_format = negotiate_format(header(request, b"accept"))
        if metrics_format not in self._rendered:
            self._rendered[metrics_format] = CachedResult(
                self.clock, METRICS_LIFETIME, partial(self._render, metrics_format)
            )
        content_type, text = await self._rendered[metrics_format].get()
        request.setHeader(b"cache-control", b"no-store")
        return render_body(request, content_type.encode(), text)

    async def _render(self, metrics_format: str) -> tuple[str, bytes]:
        families: Sequence[MetricFamily] = (
            self.own_metrics.families()
            if self.collect_all_metrics is None
            else await self.collect_all_metrics()
        )
        return render_families(families, metrics_format)
