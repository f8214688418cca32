"""
The site: its connections, its limits, its logs, its end.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from io import BytesIO
from typing import IO

from prometheus_client import Counter, Histogram
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.web.http import Request, combinedLogFormatter
from twisted.web.iweb import IAccessLogFormatter
from twisted.web.resource import IResource
from twisted.web.server import Site
from zope.interface import provider

from twisted_quotes.concurrency.outstanding import Outstanding
from twisted_quotes.monitoring.metrics import Metrics
from twisted_quotes.web.http.request_log import IRequestLogEntry
from twisted_quotes.web.limits.connections import ConnectionLimiter
from twisted_quotes.web.limits.output import OutputLimiter

from .access_log import AccessLog
from .connection import Connection
from .request import QuotesRequest
from .request_queue import RequestQueue
from .timeouts import ConnectionTimeouts

_REQUEST_FORMAT = "{id} {method} {uri} {code} {bytes} bytes {seconds:.3f} s"
_FAILED_REQUEST_FORMAT = f"{_REQUEST_FORMAT}: {{reason!a}}"
_TERM_FORMAT = "looked for {term!r}"
_LOG_FIELDS = ("route", "user", "action", "dictionary", "entries", "error", "reason")


@provider(IAccessLogFormatter)
def combined_log_formatter(timestamp: str, request: Request) -> str:
    """
    Format a line of the access log as others do.

    Twisted's own formatter puts the address in quotes, which no reader of
    combined logs expects, and names no user.
    """
    line = combinedLogFormatter(timestamp, request)
    address, identity, _, rest = line.split(" ", 3)
    user = IRequestLogEntry(request).fields.get("user", "-")
    return f"{address.strip(chr(34))} {identity} {user} {rest}"


class QuotesSite(Site):
    """
    A site that can close without losing an answer.

    @param reactor: times the connections.
    @param resource: answers all requests.
    @param outstanding: is told of each connection the end must wait for.
    @param connection_limiter: admits connections.
    @param timeouts: how long clients may take.
    @param output_limiter: limits on answers that clients have not read.
    @param metrics: has requests counted.
    @param access_log: a file for the access log, in combined format, or
        L{None}.

    @ivar allowed_hosts: the names to be called by besides those of loopback; C{"*"}
        is any.
    @ivar closing: whether new requests are refused.
    @ivar draining: whether each answer is the last one on its connection.
    @ivar debug_enabled: whether anybody reads what is logged at debug, such as an event
        for each request that went well.
    """

    # The base class says more narrowly than it means what these may be.
    protocol = Connection  # type: ignore[assignment]
    requestFactory = QuotesRequest  # type: ignore[assignment]
    noisy = False
    _log = Logger()

    def __init__(
        self,
        reactor: IReactorTime,
        resource: IResource,
        outstanding: Outstanding,
        connection_limiter: ConnectionLimiter,
        timeouts: ConnectionTimeouts,
        output_limiter: OutputLimiter,
        metrics: Metrics,
        access_log: str | None = None,
    ) -> None:
        super().__init__(
            resource,
            reactor=reactor,
            timeout=None,  # Its connections have limits of their own.
            logPath=access_log,
            logFormatter=combined_log_formatter,
            parsePOSTFormSubmission=False,
        )
        self.closing = self.draining = False
        self.debug_enabled = True
        self.allowed_hosts: Collection[str] = ("*",)
        self.timeouts = timeouts
        self.output_limiter = output_limiter
        self._metrics = metrics
        # To look for them each time takes longer than to count.
        self._counters: dict[tuple[str, int], tuple[Counter, Histogram]] = {}
        self._outstanding = outstanding
        self._connection_limiter = connection_limiter
        self.request_queue = RequestQueue(reactor)
        self._connections: set[Connection] = set()
        self._register_gauges(metrics)

    def _register_gauges(self, metrics: Metrics) -> None:
        metrics.add_gauge(
            "connections", "Open connections.", lambda: len(self._connections)
        )
        metrics.add_gauge(
            "requests_in_flight",
            "Requests whose headers have come, and whose answers are not complete.",
            lambda: sum(each.response_pending for each in self._connections),
        )
        metrics.add_gauge(
            "unsent_bytes",
            "Bytes of answers that slow clients have yet to read.",
            lambda: self.output_limiter.unsent_bytes.total,
        )
        metrics.add_gauge(
            "streams",
            "Answers that are sent while they are found.",
            lambda: self.output_limiter.streams.total,
        )

    def acceptableProtocols(self) -> list[bytes]:
        """HTTP/1.1 alone: HTTP/2 has no orderly end here."""
        return [b"http/1.1"]

    def getContentFile(self, length: int | None) -> IO[bytes]:
        """Keep bodies in memory; they are limited."""
        return BytesIO()

    def add_connection(self, connection: Connection) -> None:
        """
        Take in a new connection.

        One that is refused takes nobody's room while it closes.

        @raise TooBusy: there are as many as may be.
        @raise TooManyRequests: and this client has the most of them.
        """
        self._connections.add(connection)
        self._connection_limiter.admit(connection)

    def can_linger(self) -> bool:
        """Whether a connection that is refused may wait for its client to close."""
        return (
            len(self._connections) - self._connection_limiter.admitted_count
            <= self._connection_limiter.max_lingering
        )

    def remove_connection(self, connection: Connection) -> None:
        """Forget a connection that is gone."""
        self._connections.discard(connection)
        self._connection_limiter.release(connection)

    def request_received(self, connection: Connection) -> None:
        """Have the end wait for a connection that asked something."""
        if self.closing:
            self._outstanding.add(connection.closed)

    def close(self) -> None:
        """
        Take no more requests, and close each connection when it is answered.

        Connections on which half a head has come are left to send the rest,
        and get a 503, but nothing waits for them.
        """
        if self.closing:
            return
        self.closing = True
        for connection in list(self._connections):
            if connection.response_pending or not connection.requests:
                self._outstanding.add(connection.closed)
                connection.close()

    def drain_connections(self) -> None:
        """
        Answer who is connected, and close each connection when it is answered.

        Others serve who connects, so that nobody need be refused here.
        """
        self.draining = True
        for connection in list(self._connections):
            self._outstanding.add(connection.closed)
            connection.close_after_response()

    def refuse_incomplete(self) -> None:
        """Give up the requests whose bodies have not come to their end."""
        for connection in list(self._connections):
            connection.refuse_incomplete()

    def abort_connections(self) -> None:
        """Cut all connections that are left."""
        for connection in list(self._connections):
            connection.abort()

    def _openLogFile(self, path: str | bytes) -> AccessLog:
        """Open the access log."""
        return AccessLog(os.fsdecode(path))

    def reopen_log(self) -> None:
        """Open the access log anew, if there is one."""
        log = getattr(self, "logFile", None)
        if isinstance(log, AccessLog):
            log.reopen()

    def log(self, request: Request) -> None:
        """Log one request, answered or left by its client, and count it."""
        assert isinstance(request, QuotesRequest)
        if self.logPath is not None:
            super().log(request)
        entry = IRequestLogEntry(request)
        seconds = self.reactor.seconds() - request.started_at
        self._count_request(str(entry.fields.get("route", "none")), request, seconds)
        if request.code < 400 and not self.debug_enabled:
            return
        fields = dict.fromkeys(_LOG_FIELDS)
        fields.update(entry.fields)
        format_ = _FAILED_REQUEST_FORMAT if fields["reason"] else _REQUEST_FORMAT
        log, term_field = self._log.info, {}
        if request.code < 400:
            # Those that went well have the access log and the metrics.
            log = self._log.debug
            if entry.term is not None:
                format_, term_field = (
                    f"{_REQUEST_FORMAT}, {_TERM_FORMAT}",
                    {"term": entry.term},
                )
        elif entry.term is not None:
            self._log.debug(f"{{id}} {_TERM_FORMAT}", id=entry.id, term=entry.term)
        log(
            format_,
            id=entry.id,
            method=ascii(request.method)[2:-1],
            # What is looked for may stand in the query, and is nobody's business.
            uri=ascii(request.uri.partition(b"?")[0])[2:-1],
            code=request.code,
            bytes=request.sentLength,
            seconds=seconds,
            **term_field,
            **fields,
        )

    def _count_request(self, route: str, request: Request, seconds: float) -> None:
        counters = self._counters.get((route, request.code))
        if counters is None:
            counters = self._counters[route, request.code] = (
                self._metrics.requests.labels(route, str(request.code)),
                self._metrics.request_duration.labels(route),
            )
        requests, duration = counters
        requests.inc()
        duration.observe(seconds)
        self._metrics.bytes_returned.inc(request.sentLength)
