"""
The site: its connections, limits, logs and shutdown.
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
from twisted_quotes.web.http.output_limiter import OutputLimiter
from twisted_quotes.web.http.request_log import log_entry
from twisted_quotes.web.ingress.request import Ingress

from .access_log import AccessLog
from .connection import Connection
from .connection_limiter import ConnectionLimiter
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
    Format a line of the access log in the combined log format.

    Twisted's formatter puts the address in quotation marks and omits the user.
    """
    line = combinedLogFormatter(timestamp, request)
    address, identity, _, rest = line.split(" ", 3)
    user = log_entry(request).fields.get("user", "-")
    return f"{address.strip(chr(34))} {identity} {user} {rest}"


class QuotesSite(Site):
    """
    A site that can shut down without losing a response.

    @param outstanding: receives the connections that shutdown must wait for.
    @param metrics: counts the requests.
    @param access_log: the path of the access log, in combined log format, or L{None}.

    @ivar allowed_hosts: the host names to accept besides those of loopback; C{"*"}
        accepts any.
    @ivar ingress: how requests reach the service: through proxies, for example.
    @ivar closing: whether new requests are refused.
    @ivar draining: whether each response is the last one on its connection.
    @ivar debug_enabled: whether debug events are logged, such as one for each
        successful request.
    """

    # The base class declares these more narrowly than it uses them.
    protocol = Connection  # type: ignore[assignment]
    requestFactory = QuotesRequest  # type: ignore[assignment]
    noisy = False
    _log = Logger()

    def __init__(
        self,
        reactor: IReactorTime,
        resource: IResource,
        outstanding: Outstanding,
        connection_limiter: ConnectionLimiter[Connection],
        timeouts: ConnectionTimeouts,
        output_limiter: OutputLimiter,
        metrics: Metrics,
        access_log: str | None = None,
    ) -> None:
        super().__init__(
            resource,
            reactor=reactor,
            timeout=None,  # The connections have timeouts of their own.
            logPath=access_log,
            logFormatter=combined_log_formatter,
            parsePOSTFormSubmission=False,
        )
        self.closing = self.draining = False
        self.debug_enabled = True
        self.allowed_hosts: Collection[str] = ("*",)
        self.ingress = Ingress()
        self.timeouts = timeouts
        self.connection_limiter = connection_limiter
        self.output_limiter = output_limiter
        self.outstanding = outstanding
        self.request_queue = RequestQueue(reactor)
        self._metrics = metrics
        # Looking up labels takes longer than counting.
        self._counters: dict[tuple[str, int], tuple[Counter, Histogram]] = {}
        self._connections = connection_limiter.connections
        self._register_gauges()

    def _register_gauges(self) -> None:
        add_gauge, output = self._metrics.add_gauge, self.output_limiter
        add_gauge("connections", "Open connections.", lambda: len(self._connections))
        add_gauge(
            "requests_in_flight",
            "Requests whose headers have arrived, without a complete response.",
            lambda: sum(each.response_pending for each in self._connections),
        )
        add_gauge(
            "unsent_bytes",
            "Bytes of responses that slow clients have not read yet.",
            lambda: output.unsent_bytes.total,
        )
        add_gauge("streams", "Streamed responses.", lambda: output.streams.total)

    def acceptableProtocols(self) -> list[bytes]:
        """Return HTTP/1.1 only: Twisted cannot shut down HTTP/2 gracefully."""
        return [b"http/1.1"]

    def getContentFile(self, length: int | None) -> IO[bytes]:
        """Keep bodies in memory, since their size is limited."""
        return BytesIO()

    # Shutdown

    def close(self) -> None:
        """
        Refuse new requests, and close each connection after its response.

        A connection with half a head stays open: its request is refused when the head
        is complete, but nothing waits for that.
        """
        if self.closing:
            return
        self.closing = True
        for connection in list(self._connections):
            connection.start_closing()

    def drain_connections(self) -> None:
        """
        Respond to connected clients, and close each connection after its response.

        No request is refused, since other processes serve new connections.
        """
        self.draining = True
        for connection in list(self._connections):
            self.outstanding.add(connection.closed)
            connection.close_after_response()

    def refuse_incomplete(self) -> None:
        """Refuse the requests whose bodies have not arrived completely."""
        for connection in list(self._connections):
            connection.refuse_incomplete()

    def abort_connections(self) -> None:
        """Abort all remaining connections."""
        for connection in list(self._connections):
            connection.abort()

    # Logs

    def _openLogFile(self, path: str | bytes) -> AccessLog:
        return AccessLog(os.fsdecode(path))

    def reopen_log(self) -> None:
        """Reopen the access log, if there is one."""
        log = getattr(self, "logFile", None)
        if isinstance(log, AccessLog):
            log.reopen()

    def log(self, request: Request) -> None:
        """Log and count a request, completed or abandoned by its client."""
        assert isinstance(request, QuotesRequest)
        if self.logPath is not None:
            super().log(request)
        entry = log_entry(request)
        seconds = self.reactor.seconds() - request.started_at
        self._count_request(str(entry.fields.get("route", "none")), request, seconds)
        succeeded = request.code < 400
        if succeeded and not self.debug_enabled:
            return
        fields = dict.fromkeys(_LOG_FIELDS) | entry.fields
        format_ = _FAILED_REQUEST_FORMAT if fields["reason"] else _REQUEST_FORMAT
        if entry.term is not None:
            if succeeded:
                format_ = f"{_REQUEST_FORMAT}, {_TERM_FORMAT}"
                fields["term"] = entry.term
            else:
                self._log.debug(f"{{id}} {_TERM_FORMAT}", id=entry.id, term=entry.term)
        # Successful requests are in the access log and the metrics.
        (self._log.debug if succeeded else self._log.info)(
            format_,
            id=entry.id,
            method=ascii(request.method)[2:-1],
            # The query string may contain the term, which is private.
            uri=ascii(request.uri.partition(b"?")[0])[2:-1],
            code=request.code,
            bytes=request.sentLength,
            seconds=seconds,
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
