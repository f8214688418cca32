"""
One connection: what is waited for, answered and refused on it.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers
from twisted.web.server import Request

from ..errors import (
    BadRequest,
    BodyTooLarge,
    HeadersTooLarge,
    QuotesError,
    RequestLineTooLong,
    RequestTimedOut,
    ShuttingDown,
    TooBusy,
)
from .channel import PatientChannel
from .patience import LINGER

BODY_LIMIT = 64 * 1024
"""The most bytes the body of a request may have (contract, section 1)."""

NEXT_REQUEST_TIME = 0.5
"""How long a client may need to send its next request, in seconds."""

_MOST_LATE = 16 * 1024


class Connection(PatientChannel):
    """
    One connection of a L{QuotesSite<twisted_quotes.web.site.QuotesSite>}.

    @ivar over: fires when the connection is gone.
    @ivar answer_due: whether the headers of a request have arrived whose
        answer is not complete.
    """

    def __init__(self) -> None:
        super().__init__()
        self.over: Deferred[None] = Deferred()
        self.answer_due = False
        self._incomplete = self._arriving = False
        self._has_answered = self._last_moment = False
        self._receiving = False
        self._next_turn: IDelayedCall | None = None
        self._answered: Request | None = None
        self._closing_when_read = False
        self._replaying = False
        self._late = b""
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
        if self.is_closing:
            return
        if not self._replaying and self.site.closing:
            if self.answer_due and not self._incomplete:
                # What had arrived before the end is buffered, and comes first.
                self._late = (self._late + data)[:_MOST_LATE]
                return
            self._closing_when_read = True
        before, self._receiving = self._receiving, True
        super().dataReceived(data)
        self._receiving = before
        answered, self._answered = self._answered, None
        if answered is not None:
            self.requestDone(answered)
        self.wait()

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
        self._incomplete = self._arriving = False
        self.patience.pause()
        if not self.is_closing:
            super().allContentReceived()

    # Waiting

    def wait(self) -> None:
        """Wait for what the client is to do next: take, ask, or go on asking."""
        limits = self.site.limits
        if self.is_closing or self._last_moment:
            return
        if self.is_slow:
            self._arriving = False
            self.wait_for_client(self.wait)
        elif self.answer_due and not self._incomplete:
            return
        elif not (self.requests or self._buffer):
            self._arriving = False
            self.wait_for_client(self._idle, min(LINGER, limits.idle))
        elif not self._arriving:
            self._arriving = True
            self.patience.wait(
                limits.request, lambda: self.refuse(RequestTimedOut(limits.request))
            )

    def _idle(self) -> None:
        """The client has taken all, and asks nothing."""
        idle = self.site.reactor.seconds() - self._idle_since
        self.patience.wait(max(0, self.site.limits.idle - idle), self.loseConnection)

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
        if self.is_closing:
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
        self._has_answered = True
        self._idle_since = self.site.reactor.seconds()
        self._decide_to_close()
        if self.persistent and self._receiving:
            # Only then it is known whether more has come.
            self._answered = request
        elif self.persistent and any(self._dataBuffer):
            # However many were pipelined, others have their turn in between.
            self._next_turn = self.site.reactor.callLater(0, self._go_on, request)
        else:
            self._go_on(request)

    def _go_on(self, request: Request) -> None:
        self.answer_due = False
        # The base class now has us receive again what it has buffered.
        before, self._replaying = self._replaying, True
        super().requestDone(request)
        self._replaying = before
        if self._late and (self._incomplete or not self.answer_due):
            late, self._late = self._late, b""
            self._closing_when_read = True
            super().dataReceived(late)
        self.wait()
        if self.site.closing:
            self.close()

    def _decide_to_close(self) -> None:
        ends = self.site.closing or self.site.retiring
        if ends and not any(self._dataBuffer) and not self._late:
            self.persistent = False

    # Closing

    def retire(self) -> None:
        """
        Close after the next answer, or soon if nothing is asked.

        Whoever has asked nothing yet has the time of a request to do so.
        """
        if not (self.requests or self._buffer or self.is_closing):
            first = self.site.limits.request
            seconds = NEXT_REQUEST_TIME if self._has_answered else first
            idle = self.site.reactor.seconds() - self._idle_since
            self.patience.wait(max(0, seconds - idle), self.close_unasked)

    def close(self) -> None:
        """
        Close as soon as no answer is due.

        One that was busy until just now may have its next request on the way,
        and is left open for a moment to be told that it comes too late.
        """
        if self.answer_due or self.is_closing or self._last_moment:
            return
        idle = self.site.reactor.seconds() - self._idle_since
        if idle < NEXT_REQUEST_TIME:
            self.patience.wait(NEXT_REQUEST_TIME - idle, self.close_unasked)
            self._last_moment = True
        else:
            self.close_unasked()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        self._answered = None
        if self._next_turn is not None and self._next_turn.active():
            self._next_turn.cancel()
        try:
            super().connectionLost(reason)
        finally:
            self.site.leave(self)
            self.over.callback(None)
