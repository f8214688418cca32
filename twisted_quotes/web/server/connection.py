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

from twisted_quotes.errors import (
    BodyTooLarge,
    QuotesError,
    RequestTimedOut,
    ShuttingDown,
    TooManyRequests,
)
from twisted_quotes.web.http.clients import client_of

from .channel import NEXT_REQUEST_TIME
from .refusal import RefusingChannel
from .timeouts import LINGER, socket_of

BODY_LIMIT = 64 * 1024
"""The most bytes the body of a request may have (contract, section 1)."""

_MOST_LATE = 16 * 1024


class Connection(RefusingChannel):
    """
    One connection of a L{QuotesSite<twisted_quotes.web.server.site.QuotesSite>}.

    @ivar over: fires when the connection is gone.
    """

    def __init__(self) -> None:
        super().__init__()
        self.over: Deferred[None] = Deferred()
        self._arriving = self._receiving = self._replaying = False
        self._has_answered = self._last_moment = self._closing_when_read = False
        self._next_turn: IDelayedCall | None = None
        self._answered: Request | None = None
        self._late = b""

    # Arriving

    def connectionMade(self) -> None:
        """Join the site, which may have enough connections."""
        super().connectionMade()
        self._idle_since = self.site.reactor.seconds()
        self._join()

    def _join(self) -> None:
        try:
            self.site.join(self)
        except QuotesError as error:
            self.refuse(error)
            self._linger_if_possible()

    def _linger_if_possible(self) -> None:
        """Close at once where too many that count no more wait for their clients."""
        if not self.site.may_linger():
            socket_of(self.transport).loseConnection()

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
        if not (self._has_answered or self.requests):
            self._look_who_asks()
            if self.is_closing:
                return
        before, self._receiving = self._receiving, True
        super().dataReceived(data)
        self._receiving = before
        if self._answered is None:
            self.wait()
        else:
            self._go_on()

    def _look_who_asks(self) -> None:
        """Behind a proxy the client is known only when its PROXY header has come."""
        client = client_of(self.transport.getPeer())
        if client != self.client:
            self.site.leave(self)
            self.client = client
            self._join()

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
            if self.site.retiring:
                self.retire()
            else:
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
        self._answered = request
        # While data is received, it is not known yet whether more has come.
        if not (self.persistent and self._receiving):
            self._go_on()

    def resumeProducing(self) -> None:
        """The client has taken its answers, and the next request may begin."""
        super().resumeProducing()
        self._go_on()

    def _go_on(self) -> None:
        """Go on after an answer, unless a request follows that has to wait."""
        if self._answered is None:
            return
        if not (self.persistent and any(self._dataBuffer)):
            self._end_request()
        elif self._next_turn is None and not self.is_slow:
            # However many were pipelined, others have their turn in between.
            self._next_turn = self.site.reactor.callLater(0, self._take_turn)

    def _take_turn(self) -> None:
        self._next_turn = None
        if not self.is_slow:
            self._end_request()

    def _end_request(self) -> None:
        request, self._answered = self._answered, None
        self.answer_due = False
        # The base class now has us receive again what it has buffered.
        before, self._replaying = self._replaying, True
        super().requestDone(request)
        self._replaying = before
        if self._late and (self._incomplete or not self.answer_due):
            late, self._late = self._late, b""
            self._closing_when_read = True
            super().dataReceived(late)
        if self.is_slow or self._dataBuffer:
            self.regulate_reading()
        self.wait()
        if self.site.closing:
            self.close()

    def _decide_to_close(self) -> None:
        ends = self.site.closing or self.site.retiring
        # While a request is answered at once, what follows it is in _buffer.
        if ends and not (self._buffer or any(self._dataBuffer) or self._late):
            self.persistent = False

    # Closing

    def retire(self) -> None:
        """
        Close after the next answer, or soon if nothing is asked.

        Whoever has asked nothing yet has the time of a request to do so.
        """
        if not (self.requests or self._buffer or self.is_closing):
            first = self.site.limits.request
            self._close_when_idle(NEXT_REQUEST_TIME if self._has_answered else first)

    def close(self) -> None:
        """
        Close as soon as no answer is due.

        One that was busy until just now may have its next request on the way,
        and is left open for a moment to be told that it comes too late.
        """
        if not (self.answer_due or self.is_closing or self._last_moment):
            self._last_moment = True
            self._close_when_idle(NEXT_REQUEST_TIME)

    def expendability(self) -> tuple[int, float] | None:
        """How little is lost if it is closed; the more, the higher; L{None}: no."""
        since = self.site.reactor.seconds() - self._idle_since
        if self.is_closing:
            return 3, since
        if self.is_slow or self._is_arriving:
            return int(not self.is_slow), since
        return None if self.answer_due else (2, since)

    def give_way(self) -> None:
        """Close, for other clients need the connection more."""
        if self.is_slow:
            self.abort()
        elif self._is_arriving and not self.is_closing:
            self.refuse(TooManyRequests())
        elif not self.is_closing:
            self.close_unasked()
        self._linger_if_possible()

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
