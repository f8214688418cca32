"""
What those who run the service look at (contract, section 5).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import msgspec
from twisted.internet.interfaces import IReactorTime
from twisted.web.iweb import IRequest

from twisted_quotes.concurrency.recent import CachedResult
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
"""For how long metrics are shown as they were, in seconds."""


class Health(msgspec.Struct, frozen=True):
    """The body of an answer to a probe that found all well."""

    status: str = "ok"


class Probes:
    """
    The routes of the probes.

    @param clock: tells time.
    @param readiness: whether the service is ready.
    @param metrics: what is counted and measured.
    @param collect_all_metrics: collects the metrics of all processes of the service;
        L{None} where this is the only one.
    """

    def __init__(
        self,
        clock: IReactorTime,
        readiness: Readiness,
        metrics: Metrics,
        collect_all_metrics: Callable[[], Awaitable[Sequence[MetricFamily]]]
        | None = None,
    ) -> None:
        self._readiness = readiness
        self._metrics = metrics
        self._collect_all_metrics = collect_all_metrics
        self._clock = clock
        self._rendered: dict[str, CachedResult[tuple[str, bytes]]] = {}

    def livez(self, request: IRequest) -> bytes:
        """The process runs."""
        return _healthy(request)

    def readyz(self, request: IRequest) -> bytes:
        """The service is ready for requests."""
        self._readiness.check()
        return _healthy(request)

    async def metrics(self, request: IRequest) -> bytes:
        """All metrics, in the format that a Prometheus likes best."""
        format_ = negotiate_format(header(request, b"accept"))
        if format_ not in self._rendered:
            render = partial(self._render, format_)
            self._rendered[format_] = CachedResult(
                self._clock, METRICS_LIFETIME, render
            )
        content_type, text = await self._rendered[format_].get()
        request.setHeader(b"cache-control", b"no-store")
        return render_body(request, content_type.encode(), text)

    async def _render(self, format_: str) -> tuple[str, bytes]:
        if self._collect_all_metrics is None:
            return self._metrics.render(format_)
        return render_families(await self._collect_all_metrics(), format_)


def _healthy(request: IRequest) -> bytes:
    request.setHeader(b"cache-control", b"no-store")
    return render_json(request, Health())
