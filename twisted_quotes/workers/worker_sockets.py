"""
The listening sockets in a worker: the supervisor opens them, and all workers accept on
them.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, field
from typing import Any

from twisted.internet import tcp, unix
from twisted.internet.interfaces import IDelayedCall, IListeningPort, IReadDescriptor
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from twisted_quotes.concurrency.shared_counters import SharedCapacity

ACCEPT_DELAY = 0.002
"""How long a worker leaves a new connection to those that have fewer, in seconds."""

MAX_WASTED_DELAYS = 100
"""The maximum number of delays for a worker that accepts nothing; it may be slow."""

_ACCEPTS_PER_READ = 100


class AdoptingReactor:
    """
    A reactor on which an endpoint listens on a socket that is already open.

    The endpoint parses its description and wraps the protocol, as for TLS, as if it
    opened the socket itself.

    @param reactor: the real reactor, which does everything else.
    @param descriptor: the listening socket. Listening closes this descriptor of it.
    """

    def __init__(self, reactor: Any, descriptor: int) -> None:
        self._reactor = reactor
        self._descriptor = descriptor

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the real reactor."""
        return getattr(self._reactor, name)

    def listenTCP(
        self, port: object, factory: Any, *args: object, **kwargs: object
    ) -> IListeningPort:
        """Listen on the socket, whatever the address is."""
        return self._adopt(factory)

    listenUNIX = listenTCP

    def listenSSL(
        self, port: int, factory: Any, contextFactory: Any, **kwargs: object
    ) -> IListeningPort:
        """Listen on the socket with TLS."""
        return self._adopt(TLSMemoryBIOFactory(contextFactory, False, factory))

    def adoptStreamPort(
        self, fileDescriptor: int, addressFamily: int, factory: Any
    ) -> IListeningPort:
        """Listen on the socket, whatever the descriptor is."""
        return self._adopt(factory)

    def _adopt(self, factory: Any) -> IListeningPort:
        inherited_socket = socket.socket(fileno=self._descriptor)
        inherited_socket.setblocking(False)
        if inherited_socket.family == socket.AF_UNIX:
            port = _SharedUNIXPort(inherited_socket, factory, self._reactor)
            port.startListening()
            return port
        with inherited_socket:
            adopted: IListeningPort = self._reactor.adoptStreamPort(
                inherited_socket.fileno(), inherited_socket.family, factory
            )
        return adopted


class _SharedUNIXPort(unix.Port):
    """
    A port on a UNIX socket that another process has opened, and will remove.

    A port that Twisted adopts changes the mode of the file, and removes it.
    """

    _shouldShutdown = False

    def __init__(
        self, inherited_socket: socket.socket, factory: Any, reactor: Any
    ) -> None:
        path = os.fsencode(inherited_socket.getsockname())
        super().__init__(path, factory, reactor=reactor)
        self._inherited_socket = inherited_socket

    def startListening(self) -> None:
        """Accept connections."""
        assert self.factory is not None
        self.factory.doStart()
        self.connected = True
        self.socket = self._inherited_socket
        self.fileno = self.socket.fileno  # type: ignore[method-assign]
        self.numberAccepts = _ACCEPTS_PER_READ
        self.startReading()

    def connectionLost(self, reason: Failure) -> None:
        """Close the socket without removing the file."""
        tcp.Port.connectionLost(self, reason)


@implementer(IReadDescriptor)
@dataclass(eq=False)
class FairAcceptor:
    """
    Accepts connections on a port, one per reactor turn, and leaves them to a worker
    with fewer connections.

    A port by itself accepts all pending connections at once, so that one worker would
    have all of a burst. A worker that accepts nothing through many delays hangs, and
    causes no more of them until it accepts or closes a connection.

    @ivar connections: counts the connections of this worker.
    """

    reactor: Any
    port: tcp.Port
    connections: SharedCapacity

    _last_minimum: int | None = field(init=False, default=None)
    _delay_call: IDelayedCall | None = field(init=False, default=None)
    _wasted_delays = 0
    _has_delayed = False

    def start(self) -> None:
        """Accept instead of the port itself."""
        self.port.stopReading()
        self.reactor.addReader(self)

    def stop(self) -> None:
        """Stop accepting, and have the port accept batches again."""
        if self._delay_call is not None:
            self._delay_call.cancel()
            self._delay_call = None
        else:
            self.reactor.removeReader(self)
        self.port.numberAccepts = _ACCEPTS_PER_READ

    def doRead(self) -> None:
        """Accept a connection, if it is still pending, or delay that once."""
        if self._has_delayed or not self._is_delay_needed():
            self._has_delayed = False
            self.port.numberAccepts = 1
            self.port.doRead()
            return
        self._has_delayed = True
        self.reactor.removeReader(self)
        self._delay_call = self.reactor.callLater(ACCEPT_DELAY, self._resume_accepting)

    def connection_closed(self) -> None:
        """End a delay, if no other worker has fewer connections any longer."""
        if self._delay_call is not None and self._lower_minimum() is None:
            self._delay_call.cancel()
            self._resume_accepting()

    def _lower_minimum(self) -> int | None:
        """Return the lowest number of connections elsewhere if this worker has more."""
        own, counters = self.connections.in_use, self.connections.shared_counters
        minimum = counters.minimum_connections_elsewhere(self.connections.row)
        # A few connections among many make no difference.
        is_lower = minimum is not None and own > minimum + own // 8
        return minimum if is_lower else None

    def _is_delay_needed(self) -> bool:
        minimum = self._lower_minimum()
        if minimum is None:
            return False
        if minimum != self._last_minimum:
            self._last_minimum, self._wasted_delays = minimum, 0
        self._wasted_delays += 1
        return self._wasted_delays <= MAX_WASTED_DELAYS

    def _resume_accepting(self) -> None:
        self._delay_call = None
        self.reactor.addReader(self)

    def fileno(self) -> int:
        return int(self.port.fileno())

    def connectionLost(self, reason: Failure) -> None:
        self.port.connectionLost(reason)

    def logPrefix(self) -> str:
        return "accept"
