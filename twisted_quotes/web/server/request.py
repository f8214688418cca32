"""
Requests: they are checked before routing, and errors are sent as JSON.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from http import HTTPMethod, HTTPStatus
from io import BytesIO
from re import compile
from urllib.parse import unquote_to_bytes

from twisted.internet.address import UNIXAddress
from twisted.python.failure import Failure
from twisted.web.http import _MalformedChunkedDataError, datetimeToString
from twisted.web.http_headers import Headers

from twisted_quotes.errors import BadRequest, BodyTooLarge, QuotesError, UnknownMethod
from twisted_quotes.web.http.output_limiter import OutputQuota
from twisted_quotes.web.http.request_log import log_entry
from twisted_quotes.web.http.responses import log_error, render_error
from twisted_quotes.web.http.urls import is_allowed_host, is_valid_host
from twisted_quotes.web.ingress.request import IngressRequest

from .connection import Connection
from .refusal import MAX_BODY_SIZE

# RFC 9110, section 9, and RFC 5789.
_METHODS = {method.encode() for method in HTTPMethod}

# Twisted lacks some of them, such as that of 431.
_REASON_PHRASES = {status.value: status.phrase.encode() for status in HTTPStatus}

_NO_HEADERS = Headers()

_ABSOLUTE_URI = compile(rb"(?i:https?)://([^/]+)(/.*)?")

MAX_CHUNKS = 256
"""The maximum number of chunks of a body. Each chunk takes a while to parse."""

CLIENT_CLOSED_REQUEST = 499
"""The status in the logs if the client disconnects before the response, as in nginx."""


def validate_request_head(
    method: bytes,
    path: bytes,
    version: bytes,
    hosts: Sequence[bytes],
    allowed_hosts: Collection[str] = ("*",),
) -> None:
    """
    Check what applies to the requests of all routes.

    @param path: the raw path, without the query string.
    @param hosts: the values of all Host headers.
    @param allowed_hosts: see L{is_allowed_host}.
    @raise UnknownMethod: RFC 9110, section 15.6.2.
    @raise BadRequest: RFC 9112, section 3.2, or a path that is not UTF-8.
    """
    if method not in _METHODS:
        raise UnknownMethod(
            "The server does not know that HTTP method. Send GET, HEAD or POST."
        )
    if len(hosts) > 1 or (not hosts and version == b"HTTP/1.1"):
        raise BadRequest(f"A request needs one Host header, but {len(hosts)} came.")
    for host in hosts:
        validate_host(host, allowed_hosts)
    if not path.startswith(b"/") and (method, path) != (b"OPTIONS", b"*"):
        raise BadRequest("The request line has no path; * is for OPTIONS only.")
    # Most paths have nothing to decode.
    if b"%" in path or not path.isascii():
        _validate_encoded_path(path)


def validate_host(
    host: bytes, allowed_hosts: Collection[str], source: str = "Host header"
) -> None:
    """
    Check the host of a request.

    @param source: what has the host, for the message.
    @raise BadRequest: it is not valid, or not allowed.
    """
    if not is_valid_host(host):
        raise BadRequest(
            f"The {source} must be a host name or address, and may have a port."
        )
    if not is_allowed_host(host, allowed_hosts):
        raise BadRequest(
            f"The service listens on loopback only, and the {source} has another "
            "name. Use localhost, or start the service with --host and that name."
        )


def _validate_encoded_path(path: bytes) -> None:
    try:
        unquote_to_bytes(path).decode()
    except UnicodeDecodeError:
        raise BadRequest(
            "The path must be UTF-8; each byte of a character that is not ASCII is a "
            "percent sign and two hexadecimal digits."
        ) from None


class QuotesRequest(IngressRequest):
    """
    A request, which is checked before it is routed.

    @ivar started_at: when its first line arrived, in seconds of the reactor.
    @ivar allowed_hosts: see L{is_allowed_host}.
    """

    channel: Connection
    content: BytesIO | None

    def __init__(self, channel: Connection, queued: bool = False) -> None:
        super().__init__(channel, queued)
        self.started_at: float = channel.site.reactor.seconds()
        self.allowed_hosts = channel.site.allowed_hosts
        # For the log, if the request is refused before it is complete.
        self.method, self.uri, self.clientproto = b"-", b"-", b"HTTP/1.1"
        self._code_if_aborted = CLIENT_CLOSED_REQUEST
        self._chunk_count = 0

    @property
    def output_quota(self) -> OutputQuota:
        """The limits on the response, for this client."""
        return OutputQuota(self.channel.site.output_limiter, self.client_key)

    def handleContentChunk(self, data: bytes) -> None:
        """Receive a part of the body, or refuse a body that is too large."""
        if self.finished or self.content is None:
            return
        self._chunk_count += 1
        if self._chunk_count > MAX_CHUNKS and self.channel.length is None:
            self.channel.refuse(
                BadRequest(
                    f"The body has more than {MAX_CHUNKS} chunks. Send it with a "
                    "Content-Length, or in longer chunks."
                )
            )
            # Otherwise the decoder would parse all chunks that have arrived.
            raise _MalformedChunkedDataError("too many chunks")
        if self.content.tell() + len(data) > MAX_BODY_SIZE:
            self.channel.refuse(BodyTooLarge(MAX_BODY_SIZE))
        else:
            super().handleContentChunk(data)

    def process(self) -> None:
        """Process the complete request, when it is its client's turn."""
        self.channel.site.request_queue.submit(
            self.client_key, self._validate_and_process
        )

    def _validate_and_process(self) -> None:
        if self.channel is None or self.finished:
            return
        hosts = self.requestHeaders.getRawHeaders(b"host") or []
        try:
            # The host of the target replaces the Host header, which must be valid
            # nevertheless (RFC 9112, section 3.2.2).
            if absolute := _ABSOLUTE_URI.fullmatch(self.path):
                validate_request_head(self.method, b"/", self.clientproto, hosts)
                self.path, hosts = absolute[2] or b"/", [absolute[1]]
                self.requestHeaders.setRawHeaders(b"host", hosts)
            validate_request_head(
                self.method, self.path, self.clientproto, hosts, self.allowed_hosts
            )
            if (host := self.forwarded.host) is not None:
                validate_host(host, self.allowed_hosts, "host that a proxy forwards")
        except QuotesError:
            self.fail(Failure())
        else:
            self.route()

    def _handleStar(self) -> None:
        """Route C{OPTIONS *}, so that it requires authentication like other URLs."""
        assert self.site is not None
        self.render(self.site.getResourceFor(self))

    def setResponseCode(self, code: int, message: bytes | None = None) -> None:
        super().setResponseCode(code, message or _REASON_PHRASES.get(code))

    def getRequestHostname(self) -> bytes:
        """Return the requested host; a UNIX socket has no name of its own."""
        if isinstance(self.getHost(), UNIXAddress) and not self.getHeader(b"host"):
            return b"localhost"
        return bytes(super().getRequestHostname())

    def processingFailed(self, reason: Failure) -> Failure:
        self.fail(reason)
        return reason

    def write(self, data: bytes) -> None:
        """Send a part of the response, after the headers that all responses have."""
        if not self.startedWriting:
            self.setHeader(b"x-request-id", log_entry(self).id.encode())
            # A response may depend on any header, such as Host.
            if not self.responseHeaders.hasHeader(b"cache-control"):
                self.setHeader(b"cache-control", b"no-store")
            # Do not disclose the version of the server.
            self.responseHeaders.removeHeader(b"server")
        super().write(data)

    def finish(self) -> None:
        """
        Finish the response, unless the client has disconnected.

        Klein notices a disconnect only after it has found a route.
        """
        if self.channel is None:
            return
        super().finish()
        # Klein keeps the request in a reference cycle. The less it refers to, the less
        # often the garbage collector has to run.
        self.requestHeaders = self.responseHeaders = _NO_HEADERS
        self.prepath, self.postpath, self.args = [], [], {}
        self._adapterCache.clear()

    def fail(self, reason: Failure) -> None:
        """Respond with an error, even if the request is incomplete."""
        if self.content is None:
            self.content = BytesIO()
        self.setHeader(b"date", datetimeToString())
        self.write(render_error(self, reason))
        self.finish()

    def abort_response(self, reason: Failure) -> None:
        """
        Cut a response that has started.

        The log has the status code that C{reason} would have had before the start.
        """
        self._code_if_aborted, _, _ = log_error(self, reason)
        self.channel.abort()

    def connectionLost(self, reason: Failure) -> None:
        """Log a request whose response is not complete."""
        if self.finished:
            return
        factory = self.channel.factory
        super().connectionLost(reason)
        self.setResponseCode(self._code_if_aborted)
        factory.log(self)
