"""
A connection: the order of its requests and responses, and its end.
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
    RequestTimedOut,
    ShuttingDown,
    TooManyRequests,
)
from twisted_quotes.processes.descriptors import reserve_accept_descriptor

from .channel import MAX_PIPELINED_BYTES, NEXT_REQUEST_TIMEOUT
from .refusal import MAX_BODY_SIZE, RefusingChannel, RequestState
from .transports import unread_bytes


class Connection(RefusingChannel):
    """
    A connection of a L{QuotesSite<twisted_quotes.web.server.site.QuotesSite>}.

    @ivar closed: fires when the connection is lost.
    """

    def __init__(self) -> None:
        super().__init__()
        self.closed: Deferred[None] = Deferred()
        self._has_responded = self._close_scheduled = self._refusing_requests = False
        self._next_request_call: IDelayedCall | None = None
        self._finished_request: Request | None = None
        self._late_data = b""
        self._earlier_bytes = 0

    # Receiving

    def dataReceived(self, data: bytes) -> None:
        """Parse requests, and refuse those that arrive when the site is closing."""
        if self.site.closing:
            data, late = data[: self._earlier_bytes], data[self._earlier_bytes :]
            self._earlier_bytes -= len(data)
            self._late_data += late
        if data:
            self._close_scheduled = False
            self._parse(data)
        self._refuse_late_requests()

    def _refuse_late_requests(self) -> None:
        if self.state is RequestState.RESPONSE:
            self._late_data = self._late_data[:MAX_PIPELINED_BYTES]
        elif self._late_data:
            late_data, self._late_data = self._late_data, b""
            self._refusing_requests = True
            self._parse(late_data)

    def _parse(self, data: bytes) -> None:
        if not (self.is_closing or self._has_responded or self.requests):
            self._update_client_key()
        if self.is_closing:
            return
        super().dataReceived(data)
        if self._finished_request is None:
            self.schedule_timeout()
        else:
            self._advance_pipeline()

    def allHeadersReceived(self) -> None:
        """Check the size of the body; from here on, shutdown waits for the response."""
        self.state = RequestState.BODY
        if self.site.closing:
            self.site.outstanding.add(self.closed)
        if self._refusing_requests:
            self.refuse(ShuttingDown())
        elif self.length is not None and self.length > MAX_BODY_SIZE:
            self.refuse(BodyTooLarge(MAX_BODY_SIZE))
        else:
            super().allHeadersReceived()

    def allContentReceived(self) -> None:
        """Process the request, unless it has been refused."""
        if not self.is_closing:
            self.timer.pause()
            self.state = RequestState.RESPONSE
            super().allContentReceived()

    # Timeouts

    def schedule_timeout(self) -> None:
        """Start the timer for what the client has to do next."""
        if self.is_closing or self._close_scheduled:
            return
        timeouts = self.site.timeouts
        if self.is_slow:
            self.timer.wait_until_sent(self.schedule_timeout)
        elif self._is_receiving_request:
            if self.timer.on_timeout != self._refuse_late_request:
                self.timer.start(timeouts.request, self._refuse_late_request)
        elif self.response_pending:
            return
        elif self.site.draining:
            self.close_after_response()
        else:
            self._wait_for_request()

    def _refuse_late_request(self) -> None:
        self.refuse(RequestTimedOut(self.site.timeouts.request))

    # Responding

    def writeHeaders(
        self, version: bytes, code: bytes, reason: bytes, headers: Headers
    ) -> None:
        """Start a response; announce if it is the last one on the connection."""
        if self.site.closing or self.site.draining:
            # While a request is handled synchronously, data after it is in _buffer.
            read = (self._buffer, *self._dataBuffer, self._late_data)
            self.persistent &= any(read) or unread_bytes(self.transport) > 0
        if not self.persistent:
            headers.setRawHeaders(b"connection", [b"close"])
        super().writeHeaders(version, code, reason, headers)

    def requestDone(self, request: Request) -> None:
        """Finish a response, and go on with the next request."""
        self._has_responded = True
        self._idle_since = self.site.reactor.seconds()
        self._finished_request = request
        # While data is parsed, it is unknown whether another request follows.
        if not (self.persistent and self._busyReceiving):
            self._advance_pipeline()

    def resumeProducing(self) -> None:
        """Continue with the next request when the client has read its responses."""
        super().resumeProducing()
        self._advance_pipeline()

    def _advance_pipeline(self) -> None:
        """Finish the current request, and start the next one in a later iteration."""
        if self._finished_request is None:
            return
        if not (self.persistent and any(self._dataBuffer)):
            self._finish_request()
        elif self._next_request_call is None and not self.is_slow:
            # Other connections have their turn between pipelined requests.
            self._next_request_call = self.site.reactor.callLater(
                0, self._process_next_request
            )

    def _process_next_request(self) -> None:
        self._next_request_call = None
        if not self.is_slow:
            self._finish_request()

    def _finish_request(self) -> None:
        request, self._finished_request = self._finished_request, None
        self.state = RequestState.HEAD
        # Parse it here: the base class would treat it as data that has just arrived.
        data, self._dataBuffer = b"".join(self._dataBuffer), []
        super().requestDone(request)
        if data:
            self._parse(data)
        self._refuse_late_requests()
        if self.is_slow or self._dataBuffer:
            self.apply_backpressure()
        self.schedule_timeout()
        if self.site.closing:
            self.close()

    # Closing

    def start_closing(self) -> None:
        """Handle the requests that the kernel has received until now, then close."""
        self._earlier_bytes = min(unread_bytes(self.transport), MAX_PIPELINED_BYTES)
        if self._earlier_bytes:
            self._idle_since = self.site.reactor.seconds()
        if self.response_pending or not self.requests:
            self.site.outstanding.add(self.closed)
            self.close()

    def close_after_response(self) -> None:
        """
        Close after the next response, or soon if there is no request.

        L{writeHeaders} announces the end. A client that has sent no request yet can
        send one within the request timeout.
        """
        if not (self.requests or self._buffer or self.is_closing):
            timeout = self.site.timeouts.request
            self._close_when_idle(
                NEXT_REQUEST_TIMEOUT if self._has_responded else timeout
            )

    def close(self) -> None:
        """
        Close as soon as no response is pending.

        If there was a response just now, the next request may be under way. The
        connection stays open for a moment to refuse it.
        """
        if not (self.response_pending or self.is_closing or self._close_scheduled):
            self._close_scheduled = True
            self._close_when_idle(NEXT_REQUEST_TIMEOUT)

    def eviction_priority(self) -> tuple[int, float] | None:
        """Return the priority for eviction, or L{None} if it must not be evicted."""
        idle_seconds = self.site.reactor.seconds() - self._idle_since
        if self.is_closing:
            return 3, idle_seconds
        if self.is_slow or self._is_receiving_request:
            return int(not self.is_slow), idle_seconds
        return None if self.response_pending else (2, idle_seconds)

    def evict(self) -> None:
        """Close the connection in favour of another client."""
        if self.is_slow:
            self.abort()
        elif not self.is_closing:
            # The first request of a new connection may be on its way.
            if self._is_receiving_request or not self._has_responded:
                self.refuse(TooManyRequests())
            else:
                self.close_idle()
        self._close_unless_can_linger()

    def writeConnectionLost(self) -> None:
        super().writeConnectionLost()
        self.site.connection_limiter.finish(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._finished_request = None
        if self._next_request_call is not None:
            self._next_request_call.cancel()
        try:
            super().connectionLost(reason)
        finally:
            self.site.connection_limiter.remove(self)
            reserve_accept_descriptor()
            self.closed.callback(None)
