"""
A request as the service sees it: checked before any route, answered in JSON
whatever goes wrong.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from http import HTTPStatus
from io import BytesIO
from re import compile
from typing import Any
from urllib.parse import unquote_to_bytes

from twisted.internet.address import UNIXAddress
from twisted.python.failure import Failure
from twisted.web.http import _MalformedChunkedDataError, datetimeToString
from twisted.web.http_headers import Headers
from twisted.web.server import Request

from twisted_quotes.errors import BadRequest, BodyTooLarge, QuotesError, UnknownMethod
from twisted_quotes.web.http.request_log import IRequestLogEntry, RequestLogEntry
from twisted_quotes.web.http.responses import render_error, to_error_response
from twisted_quotes.web.http.urls import is_allowed_host, is_valid_host
from twisted_quotes.web.limits.output import IOutputQuota, RequestOutputQuota

from .connection import MAX_BODY_SIZE, Connection

# RFC 9110, section 9, and RFC 5789.
_METHODS = {
    b"GET",
    b"HEAD",
    b"POST",
    b"PUT",
    b"DELETE",
    b"CONNECT",
    b"OPTIONS",
    b"TRACE",
    b"PATCH",
}

_NO_HEADERS = Headers()

_ABSOLUTE_URI = compile(rb"(?i:https?)://([^/]+)(/.*)?")

# Twisted lacks some of them, such as that of 431.
_REASON_PHRASES = {each.value: each.phrase.encode() for each in HTTPStatus}

MAX_CHUNKS = 256
"""How many chunks a body may have; each costs as much as many bytes in one."""

_TOO_MANY_CHUNKS = (
    f"The body has more than {MAX_CHUNKS} chunks. Send it with a Content-Length, or "
    "in longer ones."
)

# What nginx made customary for a client that left before its answer.
CLIENT_CLOSED_REQUEST = 499


def validate_request_head(
    method: bytes,
    path: bytes,
    version: bytes,
    hosts: Sequence[bytes],
    allowed_hosts: Collection[str] = ("*",),
) -> None:
    """
    Check what no route does.

    @param path: as it came, without the query.
    @param hosts: the values of all Host headers.
    @param allowed_hosts: the names that a host may have, besides those of loopback.
    @raise UnknownMethod: RFC 9110, section 15.6.2.
    @raise BadRequest: RFC 9112, section 3.2, or a path that is not UTF-8.
    """
    if method not in _METHODS:
        raise UnknownMethod("The server does not know that HTTP method.")
    if len(hosts) > 1 or (not hosts and version == b"HTTP/1.1"):
        raise BadRequest(f"A request needs one Host header, but {len(hosts)} came.")
    if hosts and not is_valid_host(hosts[0]):
        raise BadRequest("The Host header is not a host name or address.")
    if hosts and not is_allowed_host(hosts[0], allowed_hosts):
        raise BadRequest(
            "The service listens on loopback alone, and the Host header has another "
            "name. Call it by localhost, or have it started with --host and that name."
        )
    if not path.startswith(b"/") and (method, path) != (b"OPTIONS", b"*"):
        raise BadRequest("The request line has no path; * goes with OPTIONS only.")
    try:
        unquote_to_bytes(path).decode()
    except UnicodeDecodeError:
        raise BadRequest("The path is not UTF-8.") from None


class QuotesRequest(Request):
    """
    One request.

    @ivar started_at: when its first line had come, in the reactor's seconds.
    """

    channel: Connection
    content: BytesIO | None

    def __init__(self, channel: Connection, queued: bool = False) -> None:
        super().__init__(channel, queued)
        self.started_at: float = channel.site.reactor.seconds()
        # A request refused before it was complete is logged all the same.
        self.method, self.uri, self.clientproto = b"-", b"-", b"HTTP/1.1"
        self._code_if_aborted = CLIENT_CLOSED_REQUEST
        self._log_entry: RequestLogEntry | None = None
        self._chunk_count = 0

    def __conform__(self, interface: Any) -> Any:
        """Have what goes with it at hand; adapters take much longer to find."""
        if interface is IOutputQuota:
            return RequestOutputQuota(
                self.channel.site.output_limiter, self.channel.client_key
            )
        if interface is not IRequestLogEntry:
            return super().__conform__(interface)
        if self._log_entry is None:
            self._log_entry = RequestLogEntry(self)
        return self._log_entry

    def handleContentChunk(self, data: bytes) -> None:
        """Take a piece of the body, up to the limit."""
        if self.finished or self.content is None:
            return
        self._chunk_count += 1
        if self._chunk_count > MAX_CHUNKS and self.channel.length is None:
            self.channel.refuse(BadRequest(_TOO_MANY_CHUNKS))
            # The decoder would go on with all chunks that have arrived.
            raise _MalformedChunkedDataError("too many chunks")
        if self.content.tell() + len(data) > MAX_BODY_SIZE:
            self.channel.refuse(BodyTooLarge(MAX_BODY_SIZE))
        else:
            super().handleContentChunk(data)

    def process(self) -> None:
        """Answer the request, which is complete, when it is its turn."""
        channel = self.channel
        channel.site.request_queue.submit(
            channel.client_key, self._validate_and_process
        )

    def _validate_and_process(self) -> None:
        if self.channel is None or self.finished:
            return
        hosts = self.requestHeaders.getRawHeaders(b"host") or []
        try:
            # A host that the target names counts in place of the header, which
            # has to be right all the same (RFC 9112, section 3.2.2).
            if absolute := _ABSOLUTE_URI.fullmatch(self.path):
                validate_request_head(self.method, b"/", self.clientproto, hosts)
                self.path, hosts = absolute[2] or b"/", [absolute[1]]
                self.requestHeaders.setRawHeaders(b"host", hosts)
            allowed_hosts = self.channel.site.allowed_hosts
            validate_request_head(
                self.method, self.path, self.clientproto, hosts, allowed_hosts
            )
        except QuotesError:
            self.fail(Failure())
        else:
            Request.process(self)

    def _handleStar(self) -> None:
        """Have a route answer OPTIONS *, so that it is for those who may ask."""
        assert self.site is not None
        self.render(self.site.getResourceFor(self))

    def setResponseCode(self, code: int, message: bytes | None = None) -> None:
        """Set the status, with the phrase that goes with it."""
        super().setResponseCode(code, message or _REASON_PHRASES.get(code))

    def getRequestHostname(self) -> bytes:
        """The host that was called; a UNIX socket has no name of its own."""
        if isinstance(self.getHost(), UNIXAddress) and not self.getHeader(b"host"):
            return b"localhost"
        return bytes(super().getRequestHostname())

    def processingFailed(self, reason: Failure) -> Failure:
        """Answer with what went wrong outside the routes."""
        self.fail(reason)
        return reason

    def write(self, data: bytes) -> None:
        """Send a piece of the answer, with what goes with every answer before it."""
        if not self.startedWriting:
            self.setHeader(b"x-request-id", IRequestLogEntry(self).id.encode())
            # What says nothing else of it may depend on anything, as on Host.
            if not self.responseHeaders.hasHeader(b"cache-control"):
                self.setHeader(b"cache-control", b"no-store")
            # Which version answers is nobody's business.
            self.responseHeaders.removeHeader(b"server")
        super().write(data)

    def finish(self) -> None:
        """
        End the answer, if there is still someone to take it.

        Klein sees a client leave only where it has found a route.
        """
        if self.channel is not None:
            super().finish()
            self._release_references()

    def _release_references(self) -> None:
        """
        Let go of what was needed until now.

        Klein has the request in a reference cycle, where only the garbage collector
        finds it: the less there is, the less often that has to run.
        """
        self.requestHeaders = self.responseHeaders = _NO_HEADERS
        self.prepath, self.postpath, self.args = [], [], {}
        self._adapterCache.clear()

    def fail(self, reason: Failure) -> None:
        """Answer with an error, whatever has come of the request."""
        if self.content is None:
            self.content = BytesIO()
        self.setHeader(b"date", datetimeToString())
        self.write(render_error(self, reason))
        self.finish()

    def abort_response(self, reason: Failure) -> None:
        """
        Cut an answer that has begun.

        The log tells what its code would have been, had that been known before.
        """
        self._code_if_aborted = to_error_response(self, reason).code
        self.channel.abort()

    def connectionLost(self, reason: Failure) -> None:
        """The client left, or was cut. That, too, stands in the access log."""
        if self.finished:
            return
        factory = self.channel.factory
        super().connectionLost(reason)
        self.setResponseCode(self._code_if_aborted)
        factory.log(self)
