"""
How long a client is waited for, whatever it is to do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fcntl import ioctl
from functools import partial
from socket import AF_INET, AF_INET6, IPPROTO_TCP, TCP_NOTSENT_LOWAT, socket
from struct import unpack
from termios import TIOCOUTQ
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.interfaces import IDelayedCall, IReactorTime

_MAX_NOT_SENT = 256 * 1024

LINGER = 2.0
"""How long a client may take to close its side, in seconds."""


@dataclass(frozen=True)
class Limits:
    """
    How long a client may take, in seconds.

    @ivar request: from the first byte of a request to its last one, however
        steadily they come.
    @ivar send: to take any of what was sent to it.
    @ivar idle: to begin its next request.
    """

    request: float = 10.0
    send: float = 60.0
    idle: float = 60.0


class Patience:
    """
    The one timer of a connection: for what its client is to do next.

    @param clock: tells time.
    @param unsent: tells how many bytes the client has not taken.
    """

    def __init__(self, clock: IReactorTime, unsent: Callable[[], int]) -> None:
        self._clock = clock
        self._unsent = unsent
        self._call: IDelayedCall | None = None
        self._over: Callable[[], object] | None = None
        self._turn_left = False
        self._least = 0
        self._since = 0.0

    def wait(self, seconds: float, over: Callable[[], object]) -> None:
        """
        Wait so long, and for nothing else any more.

        Should the service itself have stood still, what its client has sent
        meanwhile is read before the time is over.
        """
        self._over, self._turn_left = over, True
        if self._call is None:
            self._call = self._clock.callLater(seconds, self._reached)
        else:
            # To put off a call costs next to nothing, unlike a new one.
            self._call.reset(seconds)

    def _reached(self) -> None:
        self._call = None
        if self._turn_left:
            self._turn_left = False
            self._call = self._clock.callLater(0, self._reached)
        elif self._over is not None:
            self._over()

    def wait_for_sending(
        self,
        seconds: float,
        sent: Callable[[], object],
        stalled: Callable[[], object],
        step: float = LINGER,
    ) -> None:
        """
        Wait until the client has taken all, as long as it takes anything.

        @param seconds: how long it may take nothing.
        @param sent: is called when it has taken all.
        @param stalled: is called when it has taken nothing for so long.
        @param step: how often to look, in seconds.
        """
        self._least, self._since = self._unsent(), self._clock.seconds()
        self.wait(min(step, seconds), partial(self._look, seconds, sent, stalled, step))

    def _look(
        self,
        seconds: float,
        sent: Callable[[], object],
        stalled: Callable[[], object],
        step: float,
    ) -> None:
        """Look whether the client has taken anything since."""
        unsent, now = self._unsent(), self._clock.seconds()
        if unsent < self._least:
            self._since = now
        self._least = unsent
        if not unsent:
            sent()
        elif now - self._since >= seconds:
            stalled()
        else:
            self.wait(
                min(step, seconds),
                partial(self._look, seconds, sent, stalled, step),
            )

    def pause(self) -> None:
        """Wait for nothing, until something else is to be waited for."""
        self._over = None

    def stop(self) -> None:
        """Wait for nothing any more."""
        self.pause()
        if self._call is not None:
            self._call.cancel()
            self._call = None


def socket_of(transport: Any) -> Any:
    """The transport that has the socket, below all that wraps it, as TLS does."""
    while not isinstance(transport, FileDescriptor) and hasattr(transport, "transport"):
        transport = transport.transport
    return transport


def limit_unsent(transport: Any) -> None:
    """
    Have the kernel take no more than it can soon send (tcp(7), TCP_NOTSENT_LOWAT).

    It takes some megabytes otherwise for a client that reads nothing.
    """
    handle = getattr(socket_of(transport), "socket", None)
    if isinstance(handle, socket) and handle.family in (AF_INET, AF_INET6):
        handle.setsockopt(IPPROTO_TCP, TCP_NOTSENT_LOWAT, _MAX_NOT_SENT)


def forget_unsent(transport: Any) -> None:
    """
    Let go of what waits for a client that is gone.

    A connection may live on for a while in what knew it, its buffer too.
    """
    below = socket_of(transport)
    if isinstance(below, FileDescriptor):
        below.dataBuffer = b""
        below._tempDataBuffer.clear()
        below._tempDataLen = below.offset = 0


def buffered(transport: Any) -> int:
    """How many bytes have been written that the kernel has not taken."""
    below = socket_of(transport)
    if not isinstance(below, FileDescriptor):
        return 0
    return len(below.dataBuffer) - below.offset + below._tempDataLen


def unsent(transport: Any) -> int:
    """
    How many bytes have been written that the client's side has not taken.

    That is what waits here, and what the kernel has not had acknowledged
    (C{SIOCOUTQ}, tcp(7)).
    """
    below = socket_of(transport)
    if not isinstance(below, FileDescriptor):
        return 0
    waiting = buffered(below)
    if below.fileno() >= 0:
        [in_kernel] = unpack("i", ioctl(below.fileno(), TIOCOUTQ, bytes(4)))
        waiting += in_kernel
    return waiting
