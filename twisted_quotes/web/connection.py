"""
One connection: what is refused on it, and how it is closed without loss.
"""

from __future__ import annotations

from twisted.internet.abstract import FileDescriptor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    ITCPTransport,
)
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.http_headers import Headers
from twisted.web.server import Request
from zope.interface import implementer

from ..errors import (
    BadRequest,
    BodyTooLarge,
    HeadersTooLarge,
    QuotesError,
    RequestLineTooLong,
    ShuttingDown,
    TooBusy,
)
from .interfaces import ISite

BODY_LIMIT = 64 * 1024
"""The most bytes the body of a request may have (contract, section 1)."""

NEXT_REQUEST_TIME = 0.5
"""How long a client may need to send its next request, in seconds."""

_LINGER = 2.0
_MOST_LATE = 16 * 1024


@implementer(IHalfCloseableProtocol)
class Connection(HTTPChannel):
    """
    One connection of a L{QuotesSite<twisted_quotes.web.site.QuotesSite>}.

    It is closed in two steps (RFC 9112, section 9.6): first for writing, when
    the last byte has been handed over; then, when the client has closed too or
    some time has passed, for good. Until then what still comes is read and
    thrown away, because closing a socket with unread bytes would take back
    those that the client has not received yet.

    @ivar over: fires when the connection is gone.
    @ivar answer_due: whether the headers of a request have arrived whose
        answer is not complete.
    """

    site: ISite
    transport: ITCPTransport

    def __init__(self) -> None:
        super().__init__()
        self.over: Deferred[None] = Deferred()
        self.answer_due = False
        self._incomplete = False
        self._closing_when_read = False
        self._replaying = False
        self._late = b""
        self._closing = False
        self._all_written = False
        self._idle_since = 0.0

    # Arriving

    def connectionMade(self) -> None:
        """Join the site, which may have enough connections."""
        super().connectionMade()
        self._idle_since = self.site.reactor.seconds()
        if not self.site.join(self):
            self.refuse(TooBusy())

    def dataReceived(self, data: bytes) -> None:
        """Take what the client sent, as long as it can still be answered."""
        if self._closing:
            return
        if not self._replaying and self.site.closing:
            if self.answer_due and not self._incomplete:
                # What had arrived before the end is buffered, and comes first.
                self._late = (self._late + data)[:_MOST_LATE]
                return
            self._closing_when_read = True
        super().dataReceived(data)

    def headerReceived(self, line: bytes) -> bool:
        """Take one header; a length of thousands of digits is no length."""
        try:
            return bool(super().headerReceived(line))
        except ValueError:
            self._respondToBadRequestAndDisconnect()
            return False

    def allHeadersReceived(self) -> None:
        """From here on an answer is due, and the end waits for it."""
        self.answer_due = self._incomplete = True
        self.site.answer_is_due(self)
        if self._closing_when_read:
            self.refuse(ShuttingDown())
        elif self.length is not None and self.length > BODY_LIMIT:
            self.refuse(BodyTooLarge(BODY_LIMIT))
        else:
            super().allHeadersReceived()

    def allContentReceived(self) -> None:
        """Have the request answered, unless it has been."""
        self._incomplete = False
        if not self._closing:
            super().allContentReceived()

    # Refusing

    def refuse(self, error: QuotesError) -> None:
        """Answer what has come of the request with an error, and close."""
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
        """Wait no longer for the rest of a body."""
        if self._incomplete:
            self._incomplete = False
            self.refuse(ShuttingDown())

    def lineLengthExceeded(self, line: bytes) -> None:
        """A line of the head is longer than is read."""
        if self.requests and not self.answer_due:
            self.refuse(HeadersTooLarge("The headers are too many, or too long."))
        else:
            self.refuse(RequestLineTooLong("The request line is too long."))

    def _respondToBadRequestAndDisconnect(self) -> None:
        """The base class calls this for all it cannot read."""
        if self._closing:
            return
        if (
            self._receivedHeaderSize > self.totalHeadersSize
            or self._receivedHeaderCount > self.maxHeaders
        ):
            self.refuse(HeadersTooLarge("The headers are too many, or too long."))
        else:
            self.refuse(BadRequest("That is not HTTP as it should be."))

    # Answering

    def writeHeaders(
        self, version: bytes, code: bytes, reason: bytes, headers: Headers
    ) -> None:
        """Start an answer; say so if it is the last one here."""
        self._decide_to_close()
        if not self.persistent:
            headers.setRawHeaders(b"connection", [b"close"])
        super().writeHeaders(version, code, reason, headers)

    def requestDone(self, request: Request) -> None:
        """An answer is complete."""
        self.answer_due = False
        self._idle_since = self.site.reactor.seconds()
        self._decide_to_close()
        # The base class now has us receive again what it has buffered.
        before, self._replaying = self._replaying, True
        super().requestDone(request)
        self._replaying = before
        if self._late and (self._incomplete or not self.answer_due):
            late, self._late = self._late, b""
            self._closing_when_read = True
            super().dataReceived(late)

    def _decide_to_close(self) -> None:
        if self.site.closing and not any(self._dataBuffer) and not self._late:
            self.persistent = False

    # Closing

    def close(self) -> None:
        """
        Close as soon as no answer is due.

        One that was busy until just now may have its next request on the way,
        and is left open for a moment to be told that it comes too late.
        """
        if self.answer_due or self._closing:
            return
        idle = self.site.reactor.seconds() - self._idle_since
        if idle < NEXT_REQUEST_TIME:
            self.setTimeout(NEXT_REQUEST_TIME - idle)
        else:
            self._closing = True
            super().loseConnection()

    def loseConnection(self) -> None:
        """Close when all has been written, and read, as far as that can be told."""
        if self._closing:
            return
        self._closing = True
        # Wrapped transports, as for TLS, have a closing handshake of their own.
        if isinstance(self.transport, FileDescriptor):
            self.transport.unregisterProducer()
            self.transport.resumeProducing()
            self.transport.loseWriteConnection()
        else:
            super().loseConnection()

    def abort(self) -> None:
        """Close now, and lose what has not been handed over for sending."""
        if self._all_written:
            self.transport.loseConnection()
        else:
            self.transport.abortConnection()

    def writeConnectionLost(self) -> None:
        """All has been written. Give the client some time to close, too."""
        self._all_written = True
        self.setTimeout(_LINGER)

    def readConnectionLost(self) -> None:
        """The client has closed, or at least will send no more."""
        if self._closing:
            self.transport.loseConnection()
        else:
            self.transport.abortConnection()

    def timeoutConnection(self) -> None:
        """The client did nothing for too long."""
        if self._closing:
            self.transport.loseConnection()
        elif self.site.closing:
            self._closing = True
            super().loseConnection()
        else:
            super().timeoutConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        super().connectionLost(reason)
        self.site.leave(self)
        self.over.callback(None)
