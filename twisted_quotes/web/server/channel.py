"""
An HTTP channel with timeouts and back-pressure, which closes without losing data.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import Any, Protocol

from twisted.internet.abstract import FileDescriptor
from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IReactorTime,
    ITCPTransport,
)
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from zope.interface import implementer

from twisted_quotes.concurrency.outstanding import Outstanding
from twisted_quotes.web.http.clients import client_key_for_address
from twisted_quotes.web.http.output_limiter import OutputLimiter
from twisted_quotes.web.ingress.request import Ingress

from .connection_limiter import ConnectionLimiter
from .request_queue import RequestQueue
from .timeouts import LINGER_TIMEOUT, ConnectionTimeouts, ConnectionTimer
from .transports import (
    buffered_bytes,
    discard_write_buffer,
    is_established,
    limit_kernel_send_buffer,
    unacknowledged_bytes,
    underlying_transport,
)

MAX_PIPELINED_BYTES = 16 * 1024
"""How many bytes of further requests are read during a response, roughly."""

NEXT_REQUEST_TIMEOUT = 0.5
"""How long a connection stays open for one more request at shutdown, in seconds."""


class ISite(Protocol):
    """The attributes of a L{QuotesSite} that its connections use."""

    reactor: IReactorTime
    closing: bool
    draining: bool
    timeouts: ConnectionTimeouts
    connection_limiter: ConnectionLimiter[Any]
    output_limiter: OutputLimiter
    outstanding: Outstanding
    request_queue: RequestQueue
    allowed_hosts: Collection[str]
    ingress: Ingress
    requestFactory: Any


@implementer(IHalfCloseableProtocol)
class TimeoutChannel(HTTPChannel):
    """
    An HTTP channel whose client has limited time.

    It closes in two steps (RFC 9112, section 9.6): first for writing, when the last
    byte is sent; then completely, when the client has closed its side or
    L{LINGER_TIMEOUT} has passed. Until then input is read and discarded, because
    closing a socket with unread input would lose data that the client has not
    received yet.

    @ivar client_key: the key of the client; L{None} if clients cannot be told apart,
        such as those of a trusted proxy.
    @ivar is_proxied: whether a trusted proxy has connected.
    @ivar timer: the only timer of the connection.
    @ivar is_slow: whether the client has much unread data.
    @ivar is_closing: whether the connection is being closed.
    """

    site: ISite
    transport: ITCPTransport
    timer: ConnectionTimer

    def __init__(self) -> None:
        super().__init__()
        self.is_slow = self.is_closing = self.is_proxied = False
        self.client_key: str | None = None
        self._unsent_client_key: str | None = None
        self._unsent_bytes = 0
        self._write_side_closed = False
        self._idle_since = 0.0

    def connectionMade(self) -> None:
        super().connectionMade()
        self.client_key = self._find_client_key()
        limit_kernel_send_buffer(self.transport)
        self._idle_since = self.site.reactor.seconds()
        self.timer = ConnectionTimer(
            self.site.reactor, self.transport, self.site.timeouts.send
        )
        self.schedule_timeout()

    def _find_client_key(self) -> str | None:
        peer = self.transport.getPeer()
        self.is_proxied = self.site.ingress.trusted_proxies.trusts(peer)
        return None if self.is_proxied else client_key_for_address(peer)

    def schedule_timeout(self) -> None:
        """Start the timer for what the client has to do next."""
        raise NotImplementedError

    def _wait_for_request(self) -> None:
        """Limit the time to establish the connection, and then to begin a request."""
        timeouts = self.site.timeouts
        if is_established(self.transport):
            self.timer.wait_until_sent(
                self._start_idle_timeout, min(LINGER_TIMEOUT, timeouts.idle)
            )
        else:
            self._start_timer(timeouts.request, self._close_unless_established)

    def _start_idle_timeout(self) -> None:
        self._start_timer(self.site.timeouts.idle, self.loseConnection)

    def _start_timer(self, seconds: float, on_timeout: Callable[[], object]) -> None:
        """Start the timer for a time that counts from when the connection was idle."""
        idle_seconds = self.site.reactor.seconds() - self._idle_since
        self.timer.start(max(0, seconds - idle_seconds), on_timeout)

    def _close_unless_established(self) -> None:
        if is_established(self.transport):
            self._wait_for_request()
        else:
            self.loseConnection()

    # Back-pressure

    def pauseProducing(self) -> None:
        """Read no further requests while the client does not read responses."""
        self.is_slow = True
        super().pauseProducing()
        self.apply_backpressure()
        self.schedule_timeout()

    def resumeProducing(self) -> None:
        """Continue when the client has read its responses."""
        self.is_slow = False
        super().resumeProducing()
        self._update_unsent_bytes()
        self.apply_backpressure()
        self.schedule_timeout()

    def rawDataReceived(self, data: bytes) -> None:
        """Receive a part of a body, or buffer the requests that follow."""
        if self._handlingRequest:
            self._dataBuffer.append(data)
            self.apply_backpressure()
        else:
            super().rawDataReceived(data)

    def apply_backpressure(self) -> None:
        """
        Read only if the client reads its responses, and has not sent too much ahead.

        The base class continues to read while it handles a request of a slow client.
        """
        if self.is_closing:
            return
        if self.is_slow or sum(map(len, self._dataBuffer)) > MAX_PIPELINED_BYTES:
            self._networkProducer.pauseProducing()
        else:
            self._networkProducer.resumeProducing()

    def write(self, data: bytes) -> None:
        super().write(data)
        self._update_unsent_bytes()

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        super().writeSequence(iovec)
        self._update_unsent_bytes()

    def _update_unsent_bytes(self) -> None:
        """Count what a slow client has not read towards the limit."""
        if not (self.is_slow or self._unsent_bytes):
            return
        unsent_bytes = buffered_bytes(self.transport) if self.is_slow else 0
        if unsent_bytes != self._unsent_bytes:
            if not self._unsent_bytes:
                self._unsent_client_key = [self, *self.requests][-1].client_key
            self.site.output_limiter.unsent_bytes.add(
                self._unsent_client_key, unsent_bytes - self._unsent_bytes
            )
            self._unsent_bytes = unsent_bytes

    # Closing

    def loseConnection(self) -> None:
        """Close when everything has been sent and, as far as known, read."""
        if self.is_closing:
            return
        self.is_closing = True
        self.timer.wait_until_sent(self._close_socket)
        # A wrapped transport, such as TLS, has a closing handshake of its own.
        if isinstance(self.transport, FileDescriptor):
            self.transport.unregisterProducer()
            self.transport.resumeProducing()
            self.transport.loseWriteConnection()
        else:
            super().loseConnection()

    def close_idle(self) -> None:
        """Close a connection whose client has read all responses."""
        self.is_closing = True
        self.timer.wait_until_sent(self._close_socket)
        super().loseConnection()

    def _close_when_idle(self, seconds: float) -> None:
        """Close when the client has read everything and been idle for some time."""
        now = self.site.reactor.seconds()
        if unacknowledged_bytes(self.transport):
            self._idle_since = now
            self.timer.wait_until_sent(
                partial(self._close_when_idle, seconds), NEXT_REQUEST_TIMEOUT / 5
            )
        elif now - self._idle_since < seconds:
            self.timer.start(seconds - (now - self._idle_since), self.close_idle)
        else:
            self.close_idle()

    def _close_socket(self) -> None:
        """Close without waiting for the client to close or for a TLS handshake."""
        underlying_transport(self.transport).loseConnection()

    def abort(self) -> None:
        """Close immediately, and discard what has not been sent."""
        if self._write_side_closed:
            self.transport.loseConnection()
        else:
            self.transport.abortConnection()

    def writeConnectionLost(self) -> None:
        """Give the client time to close its side: everything has been sent."""
        self._write_side_closed = True
        self.timer.start(LINGER_TIMEOUT, self._close_socket)

    def readConnectionLost(self) -> None:
        """Close: the client has closed its side."""
        if self.is_closing:
            self.transport.loseConnection()
        else:
            self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.timer.stop()
        discard_write_buffer(self.transport)
        self._update_unsent_bytes()
        super().connectionLost(reason)
