"""
What those who run the service look at (contract, section 5).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import msgspec
from twisted.web.iweb import IRequest

from ..metrics import Family, Metrics, shown
from ..readiness import Readiness
from .answers import send, send_json
from .record import header


class Health(msgspec.Struct, frozen=True):
    """The body of an answer to a probe that found all well."""

    status: str = "ok"


class Probes:
    """
    The routes of the probes.

    @param readiness: whether the service is ready.
    @param metrics: what is counted and measured.
    @param everywhere: collects the metrics of all processes of the service;
        L{None} where this is the only one.
    """

    def __init__(
        self,
        readiness: Readiness,
        metrics: Metrics,
        everywhere: Callable[[], Awaitable[Sequence[Family]]] | None = None,
    ) -> None:
        self._readiness = readiness
        self._metrics = metrics
        self._everywhere = everywhere

    def livez(self, request: IRequest) -> bytes:
        """The process runs."""
        return _healthy(request)

    def readyz(self, request: IRequest) -> bytes:
        """The service is ready for requests."""
        self._readiness.check()
        return _healthy(request)

    async def metrics(self, request: IRequest) -> bytes:
        """All metrics, in the format that a Prometheus likes best."""
        accept = header(request, b"accept")
        if self._everywhere is None:
            content_type, text = self._metrics.text(accept)
        else:
            content_type, text = shown(await self._everywhere(), accept)
        request.setHeader(b"cache-control", b"no-store")
        return send(request, content_type.encode(), text)


def _healthy(request: IRequest) -> bytes:
    request.setHeader(b"cache-control", b"no-store")
    return send_json(request, Health())
