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
from twisted_quotes.web.http.request_log import IRecord
from twisted_quotes.web.limits.connections import ConnectionLimit
from twisted_quotes.web.limits.output import OutputLimits

from .access_log import AccessLog
from .connection import Connection
from .request import QuotesRequest
from .request_queue import RequestQueue
from .timeouts import Limits

_ANSWERED = "{id} {method} {uri} {code} {bytes} bytes {seconds:.3f} s"
_REFUSED = f"{_ANSWERED}: {{reason!a}}"
_LOOKED_FOR = "looked for {term!r}"
_FACTS = ("route", "user", "action", "dictionary", "entries", "error", "reason")


@provider(IAccessLogFormatter)
def combined(timestamp: str, request: Request) -> str:
    """
    Format a line of the access log as others do.

    Twisted's own formatter puts the address in quotes, which no reader of
    combined logs expects, and names no user.
    """
    line = combinedLogFormatter(timestamp, request)
    address, identity, _, rest = line.split(" ", 3)
    user = IRecord(request).facts.get("user", "-")
    return f"{address.strip(chr(34))} {identity} {user} {rest}"


class QuotesSite(Site):
    """
    A site that can close without losing an answer.

    @param reactor: times the connections.
    @param resource: answers all requests.
    @param outstanding: is told of each connection the end must wait for.
    @param connection_limit: admits connections.
    @param limits: how long clients may take.
    @param output: limits on answers that clients have not read.
    @param metrics: has requests counted.
    @param access_log: a file for the access log, in combined format, or
        L{None}.

    @ivar host_names: the names to be called by besides those of loopback; C{"*"}
        is any.
    @ivar closing: whether new requests are refused.
    @ivar retiring: whether each answer is the last one on its connection.
    @ivar logs_debug: whether anybody reads what is logged at debug, such as an event
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
        connection_limit: ConnectionLimit,
        limits: Limits,
        output: OutputLimits,
        metrics: Metrics,
        access_log: str | None = None,
    ) -> None:
        super().__init__(
            resource,
            reactor=reactor,
            timeout=None,  # Its connections have limits of their own.
            logPath=access_log,
            logFormatter=combined,
            parsePOSTFormSubmission=False,
        )
        self.closing = self.retiring = False
        self.logs_debug = True
        self.host_names: Collection[str] = ("*",)
        self.limits = limits
        self.output = output
        self._metrics = metrics
        # To look for them each time takes longer than to count.
        self._counters: dict[tuple[str, int], tuple[Counter, Histogram]] = {}
        self._outstanding = outstanding
        self._limit = connection_limit
        self.request_queue = RequestQueue(reactor)
        self._connections: set[Connection] = set()
        self._watch(metrics)

    def _watch(self, metrics: Metrics) -> None:
        metrics.watch(
            "connections", "Open connections.", lambda: len(self._connections)
        )
        metrics.watch(
            "requests_in_flight",
            "Requests whose headers have come, and whose answers are not complete.",
            lambda: sum(each.answer_due for each in self._connections),
        )
        metrics.watch(
            "unsent_bytes",
            "Bytes of answers that slow clients have yet to read.",
            lambda: self.output.unsent,
        )
        metrics.watch(
            "streams",
            "Answers that are sent while they are found.",
            lambda: self.output.streams,
        )

    def acceptableProtocols(self) -> list[bytes]:
        """HTTP/1.1 alone: HTTP/2 has no orderly end here."""
        return [b"http/1.1"]

    def getContentFile(self, length: int | None) -> IO[bytes]:
        """Keep bodies in memory; they are limited."""
        return BytesIO()

    def join(self, connection: Connection) -> None:
        """
        Take in a new connection.

        One that is refused takes nobody's room while it closes.

        @raise TooBusy: there are as many as may be.
        @raise TooManyRequests: and this client has the most of them.
        """
        self._connections.add(connection)
        self._limit.admit(connection)

    def may_linger(self) -> bool:
        """Whether a connection that is refused may wait for its client to close."""
        return len(self._connections) - self._limit.admitted <= self._limit.max_refused

    def leave(self, connection: Connection) -> None:
        """Forget a connection that is gone."""
        self._connections.discard(connection)
        self._limit.release(connection)

    def answer_is_due(self, connection: Connection) -> None:
        """Have the end wait for a connection that asked something."""
        if self.closing:
            self._outstanding.add(connection.over)

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
            if connection.answer_due or not connection.requests:
                self._outstanding.add(connection.over)
                connection.close()

    def retire(self) -> None:
        """
        Answer who is connected, and close each connection when it is answered.

        Others serve who connects, so that nobody need be refused here.
        """
        self.retiring = True
        for connection in list(self._connections):
            self._outstanding.add(connection.over)
            connection.retire()

    def refuse_incomplete(self) -> None:
        """Give up the requests whose bodies have not come to their end."""
        for connection in list(self._connections):
            connection.refuse_incomplete()

    def abort(self) -> None:
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
        record = IRecord(request)
        seconds = self.reactor.seconds() - request.began
        self._count(str(record.facts.get("route", "none")), request, seconds)
        if request.code < 400 and not self.logs_debug:
            return
        facts = dict.fromkeys(_FACTS)
        facts.update(record.facts)
        format_ = _REFUSED if facts["reason"] else _ANSWERED
        log, terms = self._log.info, {}
        if request.code < 400:
            # Those that went well have the access log and the metrics.
            log = self._log.debug
            if record.term is not None:
                format_, terms = f"{_ANSWERED}, {_LOOKED_FOR}", {"term": record.term}
        elif record.term is not None:
            self._log.debug(f"{{id}} {_LOOKED_FOR}", id=record.id, term=record.term)
        log(
            format_,
            id=record.id,
            method=ascii(request.method)[2:-1],
            # What is looked for may stand in the query, and is nobody's business.
            uri=ascii(request.uri.partition(b"?")[0])[2:-1],
            code=request.code,
            bytes=request.sentLength,
            seconds=seconds,
            **terms,
            **facts,
        )

    def _count(self, route: str, request: Request, seconds: float) -> None:
        counters = self._counters.get((route, request.code))
        if counters is None:
            counters = self._counters[route, request.code] = (
                self._metrics.requests.labels(route, str(request.code)),
                self._metrics.seconds.labels(route),
            )
        requests, duration = counters
        requests.inc()
        duration.observe(seconds)
        self._metrics.bytes_returned.inc(request.sentLength)
