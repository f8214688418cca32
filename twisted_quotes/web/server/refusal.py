"""
Requests that are refused while they arrive, such as malformed ones.

A body that is too large is refused in three places: L{Connection
<twisted_quotes.web.server.connection.Connection>} knows its announced length,
L{QuotesRequest<twisted_quotes.web.server.request.QuotesRequest>} counts what arrives,
and L{RefusingChannel} looks at the announced length of a chunk.
"""

from __future__ import annotations

from enum import Enum, auto
from re import compile
from typing import Any

from twisted.python.failure import Failure
from twisted.web.server import Request

from twisted_quotes.errors import (
    BadRequest,
    BodyTooLarge,
    HeadersTooLarge,
    QuotesError,
    RequestLineTooLong,
    ShuttingDown,
)
from twisted_quotes.web.http.request_log import header

from .channel import TimeoutChannel

MAX_BODY_SIZE = 64 * 1024
"""The maximum size of a request body, in bytes (contract, section 1)."""

MAX_HEADER_NAME_LENGTH = 128
"""The maximum length of a header name. Twisted caches 10,000 names for good."""

_HEADER_NAME = compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+")
# Python refuses to convert more than some thousands of digits.
_DIGITS = compile(rb"[0-9]{1,1000}")


class RequestState(Enum):
    """The progress of the current request of a connection."""

    HEAD = auto()
    """The head has not arrived, or only a part of it."""
    BODY = auto()
    """The head has arrived, but not the whole body."""
    RESPONSE = auto()
    """The request has arrived, and its response is not complete."""


class RefusingChannel(TimeoutChannel):
    """
    A channel that answers a bad request with an error, and closes.

    It registers with the limiter of connections, and parses heads more strictly than
    Twisted (RFC 9110 and RFC 9112).
    """

    def __init__(self) -> None:
        super().__init__()
        self.state = RequestState.HEAD

    def connectionMade(self) -> None:
        super().connectionMade()
        self._register()

    def _register(self) -> None:
        try:
            self.site.connection_limiter.add(self)
        except QuotesError as error:
            self.refuse(error)
            self._close_unless_can_linger()

    def _close_unless_can_linger(self) -> None:
        """Close at once if too many refused clients have not closed their side."""
        if not self.site.connection_limiter.can_linger():
            self._close_socket()

    def _update_client_key(self) -> None:
        """Behind a proxy, the client is unknown until its PROXY header arrives."""
        client_key = self._find_client_key()
        if client_key != self.client_key:
            self.site.connection_limiter.remove(self)
            self.client_key = client_key
            self._register()

    @property
    def response_pending(self) -> bool:
        """Whether a head has arrived whose response is not complete."""
        return self.state is not RequestState.HEAD

    @property
    def _is_receiving_request(self) -> bool:
        """Whether a part of a request has arrived, but not all of it."""
        if self.state is RequestState.HEAD:
            return bool(self.requests or self._buffer)
        return self.state is RequestState.BODY

    def refuse(self, error: QuotesError) -> None:
        """Respond to the current request with an error, and close."""
        if not self.requests:
            self.requests.append(self.site.requestFactory(self))
        request = self.requests[-1]
        request.method = getattr(self, "_command", request.method)
        request.uri = getattr(self, "_path", request.uri)
        request.clientproto = getattr(self, "_version", request.clientproto)
        self.persistent = False
        self.clearLineBuffer()
        request.fail(Failure(error))

    def refuse_incomplete(self) -> None:
        """Refuse the current request if its body has not arrived completely."""
        if self.state is RequestState.BODY:
            self.refuse(ShuttingDown())

    def headerReceived(self, line: bytes) -> bool:
        """Parse a header, and refuse the request if it is malformed."""
        colon = line.find(b":")
        if colon > MAX_HEADER_NAME_LENGTH:
            self.lineLengthExceeded(line)
            return False
        # Most headers have another length, which is compared faster.
        if (
            colon == len(b"transfer-encoding")
            and line[:colon].lower() == b"transfer-encoding"
            and line[colon + 1 :].strip().lower() != b"chunked"
        ):
            # The base class takes C{identity} for no body (RFC 9112, section 6.1).
            self._respondToBadRequestAndDisconnect()
            return False
        try:
            return bool(super().headerReceived(line))
        except ValueError:
            # A Content-Length of thousands of digits.
            self._respondToBadRequestAndDisconnect()
            return False

    def rawDataReceived(self, data: bytes) -> None:
        """Receive a part of the body, or refuse a chunk that would be too large."""
        super().rawDataReceived(data)
        if self.state is not RequestState.BODY or self.is_closing:
            return
        decoder: Any = self._transferDecoder
        # The decoder of a body that is not in chunks has no state.
        if getattr(decoder, "state", None) == "BODY":
            received: int = self.requests[-1].content.tell()
            # The length is what is left of the chunk.
            if received + decoder.length > MAX_BODY_SIZE:
                self.refuse(BodyTooLarge(MAX_BODY_SIZE))

    def checkPersistence(self, request: Request, version: bytes) -> bool:
        """Return whether another request may follow (RFC 9112, section 9.3)."""
        is_persistent = bool(super().checkPersistence(request, version))
        if is_persistent and request.requestHeaders.hasHeader(b"connection"):
            tokens = header(request, b"connection").lower().split(",")
            return "close" not in map(str.strip, tokens)
        return is_persistent

    def lineLengthExceeded(self, line: bytes) -> None:
        """Refuse a request with a line that is too long."""
        if self.requests:
            self._refuse_large_headers()
        else:
            self.refuse(
                RequestLineTooLong(
                    f"The request line has more than {self.MAX_LENGTH} bytes."
                )
            )

    def _respondToBadRequestAndDisconnect(self) -> None:
        """Refuse a request that the base class cannot parse."""
        if self.is_closing:
            return
        if (
            self._receivedHeaderSize > self.totalHeadersSize
            or self._receivedHeaderCount > self.maxHeaders
        ):
            self._refuse_large_headers()
        else:
            problem = self._describe_problem()
            self.refuse(BadRequest(f"The request is not valid HTTP: {problem}"))

    def _describe_problem(self) -> str:
        """Return a sentence on the part that the base class cannot parse."""
        if self.state is RequestState.BODY:
            return (
                "a chunk of the body is malformed. It must be its length in "
                "hexadecimal, a line end, the data, and a line end."
            )
        if not hasattr(self, "_command"):
            return (
                "the request line is malformed. It must be a method, a path without "
                "spaces, and HTTP/1.1 or HTTP/1.0, with one space between them."
            )
        # The base class has no public name for the header that it parses.
        return describe_invalid_header(self._HTTPChannel__header)  # type: ignore[attr-defined]

    def _refuse_large_headers(self) -> None:
        self.refuse(
            HeadersTooLarge(
                "The headers are too many, or too long. There may be "
                f"{self.maxHeaders} headers of {self.totalHeadersSize} bytes together, "
                f"with names of {MAX_HEADER_NAME_LENGTH} bytes."
            )
        )


def describe_invalid_header(line: bytes) -> str:
    """Return a sentence on why a header is not accepted (RFC 9110 and RFC 9112)."""
    raw_name, colon, value = line.partition(b":")
    name = raw_name.lower()
    value = value.strip()
    if not colon:
        return "a header has no colon. It must be a name, a colon and a value."
    if not _HEADER_NAME.fullmatch(name):
        return (
            "the name of a header has a character that is not allowed. No space may "
            "be before the colon."
        )
    if name == b"content-length" and not _DIGITS.fullmatch(value):
        return "the Content-Length is not a number of bytes in decimal digits."
    if name == b"transfer-encoding" and value.lower() != b"chunked":
        return "the Transfer-Encoding is not supported. It must be chunked."
    if name in (b"content-length", b"transfer-encoding"):
        return (
            "the length of the body is ambiguous. There must be one Content-Length or "
            "one Transfer-Encoding."
        )
    return (
        "the value of a header has a NUL, or a carriage return without a line feed. "
        "Remove it."
    )
