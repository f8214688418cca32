"""
HTTP on a connection whose client may be slow, and that is closed without loss.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from twisted.internet.abstract import FileDescriptor
from twisted.internet.interfaces import IHalfCloseableProtocol, ITCPTransport
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from twisted_quotes.web.http.clients import client_key_for_address

from .interfaces import ISite
from .request_head import StrictHeadChannel
from .timeouts import (
    LINGER_TIMEOUT,
    ConnectionTimer,
    buffered_bytes,
    discard_write_buffer,
    limit_kernel_send_buffer,
    unacknowledged_bytes,
    underlying_transport,
)

MAX_PIPELINED_BYTES = 16 * 1024
"""How many bytes of further requests are read while one is answered (roughly)."""

NEXT_REQUEST_TIMEOUT = 0.5
"""How long a client may need to send its next request, in seconds."""


@implementer(IHalfCloseableProtocol)
class TimeoutChannel(StrictHeadChannel):
    """
    A channel that waits for its client, but not for ever.

    It is closed in two steps (RFC 9112, section 9.6): first for writing, when
    the last byte has been handed over; then, when the client has closed too or
    some time has passed, for good. Until then what still comes is read and
    thrown away, because closing a socket with unread bytes would take back
    those that the client has not received yet.

    @ivar client_key: the key of the client; L{None} where it cannot be told apart.
    @ivar timer: its one timer.
    @ivar is_slow: whether much that was written has not been taken.
    @ivar is_closing: whether it is being closed.
    """

    site: ISite
    transport: ITCPTransport
    timer: ConnectionTimer

    def __init__(self) -> None:
        super().__init__()
        self.is_slow = self.is_closing = False
        self.client_key: str | None = None
        self._unsent_bytes = 0
        self._write_side_closed = False
        self._idle_since = 0.0

    def connectionMade(self) -> None:
        """Wait for the first request."""
        super().connectionMade()
        self.client_key = client_key_for_address(self.transport.getPeer())
        limit_kernel_send_buffer(self.transport)
        # It must not know this channel, which would then outlive its connection.
        self.timer = ConnectionTimer(
            self.site.reactor, partial(unacknowledged_bytes, self.transport)
        )
        self.schedule_timeout()

    # Waiting

    def schedule_timeout(self) -> None:
        """Wait for what the client is to do next."""
        raise NotImplementedError

    def wait_until_sent(
        self, on_sent: Callable[[], object], interval: float = LINGER_TIMEOUT
    ) -> None:
        """
        Wait until the client has taken all, and cut it when it takes nothing.

        @param on_sent: is called when it has taken all.
        @param interval: how often to look, in seconds.
        """
        self.timer.wait_until_sent(
            self.site.timeouts.send, on_sent, self.transport.abortConnection, interval
        )

    def pauseProducing(self) -> None:
        """The client is slow. It may be, as long as it takes something."""
        super().pauseProducing()
        self.is_slow = True
        self.apply_backpressure()
        self.schedule_timeout()

    def resumeProducing(self) -> None:
        """The client has taken what waited for it."""
        super().resumeProducing()
        self.is_slow = False
        self._update_unsent_bytes()
        self.apply_backpressure()
        self.schedule_timeout()

    def rawDataReceived(self, data: bytes) -> None:
        """Receive a part of a body, or of a request that follows."""
        if self._handlingRequest:
            self._dataBuffer.append(data)
            self.apply_backpressure()
        else:
            super().rawDataReceived(data)

    def apply_backpressure(self) -> None:
        """
        Read only while the client takes its answers, and has not sent too much ahead.

        The base class reads on while it handles a request of a slow client.
        """
        if self.is_closing:
            return
        if self.is_slow or sum(map(len, self._dataBuffer)) > MAX_PIPELINED_BYTES:
            self._networkProducer.pauseProducing()
        else:
            self._networkProducer.resumeProducing()

    # Sending

    def write(self, data: bytes) -> None:
        """Send a piece of an answer."""
        super().write(data)
        self._update_unsent_bytes()

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        """Send several pieces of an answer."""
        super().writeSequence(iovec)
        self._update_unsent_bytes()

    def _update_unsent_bytes(self) -> None:
        """Count what a slow client has yet to read among that of all."""
        if not (self.is_slow or self._unsent_bytes):
            return
        unsent_bytes = buffered_bytes(self.transport) if self.is_slow else 0
        if unsent_bytes != self._unsent_bytes:
            self.site.output_limiter.unsent_bytes.add(
                self.client_key, unsent_bytes - self._unsent_bytes
            )
            self._unsent_bytes = unsent_bytes

    # Closing

    def loseConnection(self) -> None:
        """Close when all has been written, and read, as far as that can be told."""
        if self.is_closing:
            return
        self.is_closing = True
        self.wait_until_sent(self._close_socket)
        # Wrapped transports, as for TLS, have a closing handshake of their own.
        if isinstance(self.transport, FileDescriptor):
            self.transport.unregisterProducer()
            self.transport.resumeProducing()
            self.transport.loseWriteConnection()
        else:
            super().loseConnection()

    def close_idle(self) -> None:
        """Close where no answer may be on its way to the client."""
        self.is_closing = True
        self.wait_until_sent(self._close_socket)
        super().loseConnection()

    def _close_when_idle(self, seconds: float) -> None:
        """Close when the client has taken all, and asked nothing for so long."""
        now = self.site.reactor.seconds()
        if unacknowledged_bytes(self.transport):
            self._idle_since = now
            again = partial(self._close_when_idle, seconds)
            self.wait_until_sent(again, NEXT_REQUEST_TIMEOUT / 5)
        elif now - self._idle_since < seconds:
            self.timer.start(seconds - (now - self._idle_since), self.close_idle)
        else:
            self.close_idle()

    def _close_socket(self) -> None:
        """Wait no longer for the client to close, too, or to shake hands."""
        underlying_transport(self.transport).loseConnection()

    def abort(self) -> None:
        """Close now, and lose what has not been handed over for sending."""
        if self._write_side_closed:
            self.transport.loseConnection()
        else:
            self.transport.abortConnection()

    def writeConnectionLost(self) -> None:
        """All has been written. Give the client some time to close, too."""
        self._write_side_closed = True
        self.timer.start(LINGER_TIMEOUT, self._close_socket)

    def readConnectionLost(self) -> None:
        """The client has closed, or at least will send no more."""
        if self.is_closing:
            self.transport.loseConnection()
        else:
            self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        self.timer.stop()
        discard_write_buffer(self.transport)
        self._update_unsent_bytes()
        super().connectionLost(reason)
