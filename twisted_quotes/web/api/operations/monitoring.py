"""
The operations for monitoring (contract, section 5), and the one for tests.
"""

from __future__ import annotations

from twisted_quotes.web.openapi.operation import (
    JSON,
    PUBLIC,
    Body,
    Operation,
)

from ..health import Probes, StatusBody
from ..wait import WaitBody, WaitParameters, WaitRoute
from .topics import MONITORING, TESTS

_STATUS = Body(JSON, StatusBody, StatusBody("ok"))
_METRICS = """\
# HELP quotes_connections Open connections.
# TYPE quotes_connections gauge
quotes_connections 1.0
"""

LIVEZ = Operation(
    "get_liveness",
    "/livez",
    Probes.livez,
    MONITORING,
    "Whether the process runs",
    [_STATUS],
    access=PUBLIC,
)

READYZ = Operation(
    "get_readiness",
    "/readyz",
    Probes.readyz,
    MONITORING,
    "Whether the service can answer requests",
    [_STATUS],
    "The status is 503 during a shutdown, or when grep or the library is missing.",
    access=PUBLIC,
)

METRICS = Operation(
    "get_metrics",
    "/metrics",
    Probes.metrics,
    MONITORING,
    "Metrics for Prometheus",
    [
        Body("text/plain", str, _METRICS),
        Body("application/openmetrics-text", str, f"{_METRICS}# EOF\n"),
    ],
    access=PUBLIC,
)

PROBE_OPERATIONS = LIVEZ, READYZ, METRICS

WAIT = Operation(
    "wait",
    "/wait",
    WaitRoute.wait,
    TESTS,
    "Run a process that blocks",
    [Body(JSON, WaitBody, WaitBody(10))],
    "It shows that the service serves other requests meanwhile.",
    parameters=WaitParameters,
)

WAIT_OPERATIONS = (WAIT,)

OPERATIONS = *PROBE_OPERATIONS, *WAIT_OPERATIONS
