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

from twisted_quotes.web.http.clients import client_of

from .interfaces import ISite
from .request_head import HeadChannel
from .timeouts import (
    LINGER,
    Patience,
    buffered,
    forget_unsent,
    limit_unsent,
    socket_of,
    unsent,
)

MAX_PIPELINED = 16 * 1024
"""How many bytes of further requests are read while one is answered (roughly)."""

NEXT_REQUEST_TIME = 0.5
"""How long a client may need to send its next request, in seconds."""


@implementer(IHalfCloseableProtocol)
class PatientChannel(HeadChannel):
    """
    A channel that waits for its client, but not for ever.

    It is closed in two steps (RFC 9112, section 9.6): first for writing, when
    the last byte has been handed over; then, when the client has closed too or
    some time has passed, for good. Until then what still comes is read and
    thrown away, because closing a socket with unread bytes would take back
    those that the client has not received yet.

    @ivar client: the key of the client; L{None} where it cannot be told apart.
    @ivar patience: its one timer.
    @ivar is_slow: whether much that was written has not been taken.
    @ivar is_closing: whether it is being closed.
    """

    site: ISite
    transport: ITCPTransport
    patience: Patience

    def __init__(self) -> None:
        super().__init__()
        self.is_slow = self.is_closing = False
        self.client: str | None = None
        self._unsent = 0
        self._all_written = False
        self._idle_since = 0.0

    def connectionMade(self) -> None:
        """Wait for the first request."""
        super().connectionMade()
        self.client = client_of(self.transport.getPeer())
        limit_unsent(self.transport)
        # It must not know this channel, which would then outlive its connection.
        self.patience = Patience(self.site.reactor, partial(unsent, self.transport))
        self.wait()

    # Waiting

    def wait(self) -> None:
        """Wait for what the client is to do next."""
        raise NotImplementedError

    def wait_for_client(
        self, taken: Callable[[], object], step: float = LINGER
    ) -> None:
        """
        Wait until the client has taken all, and cut it when it takes nothing.

        @param taken: is called when it has taken all.
        @param step: how often to look, in seconds.
        """
        self.patience.wait_for_sending(
            self.site.limits.send, taken, self.transport.abortConnection, step
        )

    def pauseProducing(self) -> None:
        """The client is slow. It may be, as long as it takes something."""
        super().pauseProducing()
        self.is_slow = True
        self.regulate_reading()
        self.wait()

    def resumeProducing(self) -> None:
        """The client has taken what waited for it."""
        super().resumeProducing()
        self.is_slow = False
        self._count_unsent()
        self.regulate_reading()
        self.wait()

    def rawDataReceived(self, data: bytes) -> None:
        """Receive a part of a body, or of a request that follows."""
        if self._handlingRequest:
            self._dataBuffer.append(data)
            self.regulate_reading()
        else:
            super().rawDataReceived(data)

    def regulate_reading(self) -> None:
        """
        Read only while the client takes its answers, and has not sent too much ahead.

        The base class reads on while it handles a request of a slow client.
        """
        if self.is_closing:
            return
        if self.is_slow or sum(map(len, self._dataBuffer)) > MAX_PIPELINED:
            self._networkProducer.pauseProducing()
        else:
            self._networkProducer.resumeProducing()

    # Sending

    def write(self, data: bytes) -> None:
        """Send a piece of an answer."""
        super().write(data)
        self._count_unsent()

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        """Send several pieces of an answer."""
        super().writeSequence(iovec)
        self._count_unsent()

    def _count_unsent(self) -> None:
        """Count what a slow client has yet to read among that of all."""
        if not (self.is_slow or self._unsent):
            return
        unsent = buffered(self.transport) if self.is_slow else 0
        if unsent != self._unsent:
            self.site.output.add_unsent(self.client, unsent - self._unsent)
            self._unsent = unsent

    # Closing

    def loseConnection(self) -> None:
        """Close when all has been written, and read, as far as that can be told."""
        if self.is_closing:
            return
        self.is_closing = True
        self.wait_for_client(self._close_for_good)
        # Wrapped transports, as for TLS, have a closing handshake of their own.
        if isinstance(self.transport, FileDescriptor):
            self.transport.unregisterProducer()
            self.transport.resumeProducing()
            self.transport.loseWriteConnection()
        else:
            super().loseConnection()

    def close_unasked(self) -> None:
        """Close where no answer may be on its way to the client."""
        self.is_closing = True
        self.wait_for_client(self._close_for_good)
        super().loseConnection()

    def _close_when_idle(self, seconds: float) -> None:
        """Close when the client has taken all, and asked nothing for so long."""
        now = self.site.reactor.seconds()
        if unsent(self.transport):
            self._idle_since = now
            again = partial(self._close_when_idle, seconds)
            self.wait_for_client(again, NEXT_REQUEST_TIME / 5)
        elif now - self._idle_since < seconds:
            self.patience.wait(seconds - (now - self._idle_since), self.close_unasked)
        else:
            self.close_unasked()

    def _close_for_good(self) -> None:
        """Wait no longer for the client to close, too, or to shake hands."""
        socket_of(self.transport).loseConnection()

    def abort(self) -> None:
        """Close now, and lose what has not been handed over for sending."""
        if self._all_written:
            self.transport.loseConnection()
        else:
            self.transport.abortConnection()

    def writeConnectionLost(self) -> None:
        """All has been written. Give the client some time to close, too."""
        self._all_written = True
        self.patience.wait(LINGER, self._close_for_good)

    def readConnectionLost(self) -> None:
        """The client has closed, or at least will send no more."""
        if self.is_closing:
            self.transport.loseConnection()
        else:
            self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        self.patience.stop()
        forget_unsent(self.transport)
        self._count_unsent()
        super().connectionLost(reason)
