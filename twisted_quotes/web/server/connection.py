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
from twisted_quotes.web.http.clients import client_key_for_address

from .channel import NEXT_REQUEST_TIMEOUT
from .refusal import RefusingChannel
from .timeouts import LINGER_TIMEOUT, underlying_transport

MAX_BODY_SIZE = 64 * 1024
"""The most bytes the body of a request may have (contract, section 1)."""

_MAX_LATE_BYTES = 16 * 1024


class Connection(RefusingChannel):
    """
    One connection of a L{QuotesSite<twisted_quotes.web.server.site.QuotesSite>}.

    @ivar closed: fires when the connection is gone.
    """

    def __init__(self) -> None:
        super().__init__()
        self.closed: Deferred[None] = Deferred()
        self._request_timeout_started = self._in_data_received = (
            self._replaying_buffer
        ) = False
        self._has_responded = self._close_scheduled = self._refusing_requests = False
        self._next_request_call: IDelayedCall | None = None
        self._finished_request: Request | None = None
        self._late_data = b""

    # Arriving

    def connectionMade(self) -> None:
        """Join the site, which may have enough connections."""
        super().connectionMade()
        self._idle_since = self.site.reactor.seconds()
        self._register_with_site()

    def _register_with_site(self) -> None:
        try:
            self.site.add_connection(self)
        except QuotesError as error:
            self.refuse(error)
            self._close_unless_can_linger()

    def _close_unless_can_linger(self) -> None:
        """Close at once where too many that count no more wait for their clients."""
        if not self.site.can_linger():
            underlying_transport(self.transport).loseConnection()

    def dataReceived(self, data: bytes) -> None:
        """Take what the client sent, as long as it can still be answered."""
        if self.is_closing:
            return
        if not self._replaying_buffer and self.site.closing:
            if self.response_pending and not self._request_incomplete:
                # What had arrived before the end is buffered, and comes first.
                self._late_data = (self._late_data + data)[:_MAX_LATE_BYTES]
                return
            self._refusing_requests = True
        if not (self._has_responded or self.requests):
            self._update_client_key()
            if self.is_closing:
                return
        was_receiving, self._in_data_received = self._in_data_received, True
        super().dataReceived(data)
        self._in_data_received = was_receiving
        if self._finished_request is None:
            self.schedule_timeout()
        else:
            self._advance_pipeline()

    def _update_client_key(self) -> None:
        """Behind a proxy the client is known only when its PROXY header has come."""
        client_key = client_key_for_address(self.transport.getPeer())
        if client_key != self.client_key:
            self.site.remove_connection(self)
            self.client_key = client_key
            self._register_with_site()

    def allHeadersReceived(self) -> None:
        """From here on an answer is due, and the end waits for it."""
        self.response_pending = self._request_incomplete = True
        self.site.request_received(self)
        if self._refusing_requests:
            self.refuse(ShuttingDown())
        elif self.length is not None and self.length > MAX_BODY_SIZE:
            self.refuse(BodyTooLarge(MAX_BODY_SIZE))
        else:
            super().allHeadersReceived()

    def allContentReceived(self) -> None:
        """Have the request answered, unless it has been."""
        self._request_incomplete = self._request_timeout_started = False
        self.timer.pause()
        if not self.is_closing:
            super().allContentReceived()

    # Waiting

    def schedule_timeout(self) -> None:
        """Wait for what the client is to do next: take, ask, or go on asking."""
        timeouts = self.site.timeouts
        if self.is_closing or self._close_scheduled:
            return
        if self.is_slow:
            self._request_timeout_started = False
            self.wait_until_sent(self.schedule_timeout)
        elif self.response_pending and not self._request_incomplete:
            return
        elif not (self.requests or self._buffer):
            self._request_timeout_started = False
            if self.site.draining:
                self.close_after_response()
            else:
                self.wait_until_sent(
                    self._start_idle_timeout, min(LINGER_TIMEOUT, timeouts.idle)
                )
        elif not self._request_timeout_started:
            self._request_timeout_started = True
            self.timer.start(
                timeouts.request, lambda: self.refuse(RequestTimedOut(timeouts.request))
            )

    def _start_idle_timeout(self) -> None:
        """The client has taken all, and asks nothing."""
        idle = self.site.reactor.seconds() - self._idle_since
        self.timer.start(max(0, self.site.timeouts.idle - idle), self.loseConnection)

    # Answering

    def writeHeaders(
        self, version: bytes, code: bytes, reason: bytes, headers: Headers
    ) -> None:
        """Start an answer; say so if it is the last one here."""
        self._disable_keep_alive_if_closing()
        if not self.persistent:
            headers.setRawHeaders(b"connection", [b"close"])
        super().writeHeaders(version, code, reason, headers)

    def requestDone(self, request: Request) -> None:
        """An answer is complete."""
        self._has_responded = True
        self._idle_since = self.site.reactor.seconds()
        self._finished_request = request
        # While data is received, it is not known yet whether more has come.
        if not (self.persistent and self._in_data_received):
            self._advance_pipeline()

    def resumeProducing(self) -> None:
        """The client has taken its answers, and the next request may begin."""
        super().resumeProducing()
        self._advance_pipeline()

    def _advance_pipeline(self) -> None:
        """Go on after an answer, unless a request follows that has to wait."""
        if self._finished_request is None:
            return
        if not (self.persistent and any(self._dataBuffer)):
            self._finish_request()
        elif self._next_request_call is None and not self.is_slow:
            # However many were pipelined, others have their turn in between.
            self._next_request_call = self.site.reactor.callLater(
                0, self._process_next_request
            )

    def _process_next_request(self) -> None:
        self._next_request_call = None
        if not self.is_slow:
            self._finish_request()

    def _finish_request(self) -> None:
        request, self._finished_request = self._finished_request, None
        self.response_pending = False
        # The base class now has us receive again what it has buffered.
        was_replaying, self._replaying_buffer = self._replaying_buffer, True
        super().requestDone(request)
        self._replaying_buffer = was_replaying
        if self._late_data and (self._request_incomplete or not self.response_pending):
            late_data, self._late_data = self._late_data, b""
            self._refusing_requests = True
            super().dataReceived(late_data)
        if self.is_slow or self._dataBuffer:
            self.apply_backpressure()
        self.schedule_timeout()
        if self.site.closing:
            self.close()

    def _disable_keep_alive_if_closing(self) -> None:
        is_ending = self.site.closing or self.site.draining
        # While a request is answered at once, what follows it is in _buffer.
        if is_ending and not (self._buffer or any(self._dataBuffer) or self._late_data):
            self.persistent = False

    # Closing

    def close_after_response(self) -> None:
        """
        Close after the next answer, or soon if nothing is asked.

        Whoever has asked nothing yet has the time of a request to do so.
        """
        if not (self.requests or self._buffer or self.is_closing):
            first_request_timeout = self.site.timeouts.request
            self._close_when_idle(
                NEXT_REQUEST_TIMEOUT if self._has_responded else first_request_timeout
            )

    def close(self) -> None:
        """
        Close as soon as no answer is due.

        One that was busy until just now may have its next request on the way,
        and is left open for a moment to be told that it comes too late.
        """
        if not (self.response_pending or self.is_closing or self._close_scheduled):
            self._close_scheduled = True
            self._close_when_idle(NEXT_REQUEST_TIMEOUT)

    def eviction_priority(self) -> tuple[int, float] | None:
        """How little is lost if it is closed; the more, the higher; L{None}: no."""
        idle_seconds = self.site.reactor.seconds() - self._idle_since
        if self.is_closing:
            return 3, idle_seconds
        if self.is_slow or self._is_receiving_request:
            return int(not self.is_slow), idle_seconds
        return None if self.response_pending else (2, idle_seconds)

    def evict(self) -> None:
        """Close, for other clients need the connection more."""
        if self.is_slow:
            self.abort()
        elif self._is_receiving_request and not self.is_closing:
            self.refuse(TooManyRequests())
        elif not self.is_closing:
            self.close_idle()
        self._close_unless_can_linger()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        self._finished_request = None
        if self._next_request_call is not None and self._next_request_call.active():
            self._next_request_call.cancel()
        try:
            super().connectionLost(reason)
        finally:
            self.site.remove_connection(self)
            self.closed.callback(None)
