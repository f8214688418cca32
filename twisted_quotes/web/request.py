"""
A request as the service sees it: checked before any route, answered in JSON
whatever goes wrong.
"""

from __future__ import annotations

from io import BytesIO
from re import compile
from typing import Any
from urllib.parse import unquote_to_bytes

from twisted.internet.address import UNIXAddress
from twisted.python.failure import Failure
from twisted.web.http import datetimeToString
from twisted.web.server import Request

from ..errors import BadRequest, BodyTooLarge, QuotesError, UnknownMethod
from .address import is_host
from .answers import judge, send_error
from .connection import BODY_LIMIT, Connection
from .output import IOutput, RequestOutput
from .record import IRecord, Record

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

_ABSOLUTE = compile(rb"https?://[^/]+(/.*)?")

# What nginx made customary for a client that left before its answer.
CLIENT_LEFT = 499


def check(method: bytes, path: bytes, version: bytes, hosts: list[bytes]) -> None:
    """
    Check what no route does.

    @param path: as it came, without the query.
    @param hosts: the values of all Host headers.
    @raise UnknownMethod: RFC 9110, section 15.6.2.
    @raise BadRequest: RFC 9112, section 3.2, or a path that is not UTF-8.
    """
    if method not in _METHODS:
        raise UnknownMethod("The server does not know that HTTP method.")
    if len(hosts) > 1 or (not hosts and version == b"HTTP/1.1"):
        raise BadRequest(f"A request needs one Host header, but {len(hosts)} came.")
    if hosts and not is_host(hosts[0]):
        raise BadRequest("The Host header is not a host name or address.")
    if not path.startswith(b"/") and (method, path) != (b"OPTIONS", b"*"):
        raise BadRequest("The request line has no path; * goes with OPTIONS only.")
    try:
        unquote_to_bytes(path).decode()
    except UnicodeDecodeError:
        raise BadRequest("The path is not UTF-8.") from None


class QuotesRequest(Request):
    """
    One request.

    @ivar began: when its first line had come, in the reactor's seconds.
    """

    channel: Connection
    content: BytesIO | None

    def __init__(self, channel: Connection, queued: bool = False) -> None:
        super().__init__(channel, queued)
        self.began: float = channel.site.reactor.seconds()
        # A request refused before it was complete is logged all the same.
        self.method, self.uri, self.clientproto = b"-", b"-", b"HTTP/1.1"
        self._cut_code = CLIENT_LEFT
        self._record: Record | None = None
        self._output = RequestOutput(channel.site.output, channel.client)

    def __conform__(self, interface: Any) -> Any:
        """Have what goes with it at hand; adapters take much longer to find."""
        if interface is IOutput:
            return self._output
        if interface is not IRecord:
            return super().__conform__(interface)
        if self._record is None:
            self._record = Record(self)
        return self._record

    def handleContentChunk(self, data: bytes) -> None:
        """Take a piece of the body, up to the limit."""
        if self.finished or self.content is None:
            return
        if self.content.tell() + len(data) > BODY_LIMIT:
            self.channel.refuse(BodyTooLarge(BODY_LIMIT))
        else:
            super().handleContentChunk(data)

    def process(self) -> None:
        """Answer the request, which is complete."""
        # A proxy's client names the host here, too (RFC 9112, section 3.2.2).
        if absolute := _ABSOLUTE.fullmatch(self.path):
            self.path = absolute[1] or b"/"
        hosts = self.requestHeaders.getRawHeaders(b"host") or []
        try:
            check(self.method, self.path, self.clientproto, list(hosts))
        except QuotesError:
            self.fail(Failure())
        else:
            super().process()

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
            self.setHeader(b"x-request-id", IRecord(self).id.encode())
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

    def fail(self, reason: Failure) -> None:
        """Answer with an error, whatever has come of the request."""
        if self.content is None:
            self.content = BytesIO()
        self.setHeader(b"date", datetimeToString())
        self.write(send_error(self, reason))
        self.finish()

    def break_off(self, reason: Failure) -> None:
        """
        Cut an answer that has begun.

        The log tells what its code would have been, had that been known before.
        """
        self._cut_code = judge(self, reason).code
        self.channel.abort()

    def connectionLost(self, reason: Failure) -> None:
        """The client left, or was cut. That, too, stands in the access log."""
        if self.finished:
            return
        factory = self.channel.factory
        super().connectionLost(reason)
        self.setResponseCode(self._cut_code)
        factory.log(self)
