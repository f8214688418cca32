"""
What those who run the service look at (contract, section 5).
"""

from __future__ import annotations

import msgspec
from twisted.web.iweb import IRequest

from ..readiness import Readiness
from .answers import send_json


class Health(msgspec.Struct, frozen=True):
    """The body of an answer to a probe that found all well."""

    status: str = "ok"


class Probes:
    """
    The routes of the probes.

    @param readiness: whether the service is ready.
    """

    def __init__(self, readiness: Readiness) -> None:
        self._readiness = readiness

    def livez(self, request: IRequest) -> bytes:
        """The process runs."""
        return _healthy(request)

    def readyz(self, request: IRequest) -> bytes:
        """The service is ready for requests."""
        self._readiness.check()
        return _healthy(request)


def _healthy(request: IRequest) -> bytes:
    request.setHeader(b"cache-control", b"no-store")
    return send_json(request, Health())
