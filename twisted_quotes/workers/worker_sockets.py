"""
The listening sockets in a worker: another process has opened them, and all
workers accept on them.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from typing import Any

from twisted.internet import tcp, unix
from twisted.internet.interfaces import IDelayedCall, IListeningPort, IReadDescriptor
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.python.systemd import ListenFDs
from zope.interface import implementer

from twisted_quotes.concurrency.shared_counters import Column, SharedCounters

ACCEPT_DELAY = 0.002
"""How long a worker leaves a new connection to those that have fewer, in seconds."""

MAX_WASTED_DELAYS = 100
"""How often one is waited for that takes nothing: on a busy machine, it may be slow."""

_ACCEPTS_PER_READ = 100


class AdoptingReactor:
    """
    A reactor on which an endpoint listens on a socket that is there already.

    It is given to the endpoint, which then parses its description and wraps the
    protocol, as for TLS, just as it does where it opens the socket itself.

    @param reactor: the real one.
    @param descriptor: the listening socket, as an open file; it is closed as
        soon as it is adopted.
    """

    def __init__(self, reactor: Any, descriptor: int) -> None:
        self._reactor = reactor
        self._descriptor = descriptor

    def __getattr__(self, name: str) -> Any:
        """All else is done by the real one."""
        return getattr(self._reactor, name)

    def listenTCP(
        self, port: int, factory: Any, backlog: int = 50, interface: str = ""
    ) -> IListeningPort:
        """Listen on the socket, which has a port and an interface already."""
        return self._adopt(factory)

    def listenSSL(
        self,
        port: int,
        factory: Any,
        contextFactory: Any,
        backlog: int = 50,
        interface: str = "",
    ) -> IListeningPort:
        """Listen on the socket, and speak TLS."""
        return self._adopt(TLSMemoryBIOFactory(contextFactory, False, factory))

    def listenUNIX(
        self,
        address: bytes,
        factory: Any,
        backlog: int = 50,
        mode: int = 0o666,
        wantPID: bool = False,
    ) -> IListeningPort:
        """Listen on the socket, which has an address and a mode already."""
        return self._adopt(factory)

    def adoptStreamPort(
        self, fileDescriptor: int, addressFamily: int, factory: Any
    ) -> IListeningPort:
        """Listen on the socket, and not on one that is none here."""
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
    A UNIX socket that another process has opened, and will remove.

    The one that Twisted adopts changes the mode, and removes the file.
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
        """Close the socket here, and nothing else."""
        tcp.Port.connectionLost(self, reason)


@implementer(IReadDescriptor)
class FairAcceptor:
    """
    Accepts connections on a port, one in a turn, and leaves them to a worker that
    has fewer.

    Whoever asked a port to accept all that wait would give one worker all of
    those that come at once. A worker that takes nothing, however often it is
    waited for, stands still, and is not waited for again until it does.

    @param reactor: tells when somebody waits to be let in, and time.
    @param port: where.
    @param shared_counters: tells how many connections each worker has.
    @param row: the row of this worker.
    """

    def __init__(
        self, reactor: Any, port: tcp.Port, shared_counters: SharedCounters, row: int
    ) -> None:
        self._reactor = reactor
        self._port = port
        self._shared_counters = shared_counters
        self._row = row
        self._last_minimum: int | None = None
        self._wasted_delays = 0
        self._has_delayed = False
        self._delay_call: IDelayedCall | None = None

    def start(self) -> None:
        """Accept in the place of the port itself."""
        self._port.stopReading()
        self._reactor.addReader(self)

    def stop(self) -> None:
        """Accept no more, and leave it to the port to accept all at once."""
        if self._delay_call is not None:
            self._delay_call.cancel()
            self._delay_call = None
        else:
            self._reactor.removeReader(self)
        self._port.numberAccepts = _ACCEPTS_PER_READ

    def doRead(self) -> None:
        """Somebody waits to be let in, or has been let in by another worker."""
        if self._has_delayed or not self._is_delay_needed():
            self._has_delayed = False
            self._port.numberAccepts = 1
            self._port.doRead()
            return
        self._has_delayed = True
        self._reactor.removeReader(self)
        self._delay_call = self._reactor.callLater(ACCEPT_DELAY, self._resume_accepting)

    def _is_delay_needed(self) -> bool:
        """Whether another worker has fewer connections, and may take this one."""
        own = self._shared_counters.read(self._row, Column.CONNECTIONS)
        minimum = self._shared_counters.minimum_connections_elsewhere(self._row)
        # Of many, it does not matter where a few are.
        if minimum is None or own <= minimum + own // 8:
            return False
        if minimum != self._last_minimum:
            self._last_minimum, self._wasted_delays = minimum, 0
        self._wasted_delays += 1
        return self._wasted_delays <= MAX_WASTED_DELAYS

    def _resume_accepting(self) -> None:
        self._delay_call = None
        self._reactor.addReader(self)

    def fileno(self) -> int:
        """The socket, as an open file."""
        return int(self._port.fileno())

    def connectionLost(self, reason: Failure) -> None:
        """The reactor has come to its end."""
        self._port.connectionLost(reason)

    def logPrefix(self) -> str:
        """What the reactor calls it."""
        return "accept"


def set_systemd_sockets(descriptors: Sequence[int]) -> None:
    """
    Have descriptions of endpoints understood that name sockets of systemd.

    @param descriptors: the sockets, as open files.
    """
    _systemd_parser()._sddaemon = ListenFDs(descriptors)


def open_placeholders(count: int) -> list[int]:
    """
    Open files in place of sockets that systemd has given to the supervisor.

    An endpoint closes what it has named when the real socket is adopted.
    """
    return [os.open(os.devnull, os.O_RDONLY) for _ in range(count)]


def _systemd_parser() -> Any:
    from twisted.plugins.twisted_core import systemdEndpointParser

    return systemdEndpointParser
