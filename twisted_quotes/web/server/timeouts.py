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

_MAX_NOT_SENT_BYTES = 256 * 1024

LINGER_TIMEOUT = 2.0
"""How long a client may take to close its side, in seconds."""


@dataclass(frozen=True)
class ConnectionTimeouts:
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


class ConnectionTimer:
    """
    The one timer of a connection: for what its client is to do next.

    @param clock: tells time.
    @param get_unsent_bytes: tells how many bytes the client has not taken.
    """

    def __init__(
        self, clock: IReactorTime, get_unsent_bytes: Callable[[], int]
    ) -> None:
        self._clock = clock
        self._get_unsent_bytes = get_unsent_bytes
        self._delayed_call: IDelayedCall | None = None
        self._on_timeout: Callable[[], object] | None = None
        self._has_grace_iteration = False
        self._last_unsent_bytes = 0
        self._last_progress = 0.0

    def start(self, seconds: float, on_timeout: Callable[[], object]) -> None:
        """
        Wait so long, and for nothing else any more.

        Should the service itself have stood still, what its client has sent
        meanwhile is read before the time is over.
        """
        self._on_timeout, self._has_grace_iteration = on_timeout, True
        if self._delayed_call is None:
            self._delayed_call = self._clock.callLater(seconds, self._timer_expired)
        else:
            # To put off a call costs next to nothing, unlike a new one.
            self._delayed_call.reset(seconds)

    def _timer_expired(self) -> None:
        self._delayed_call = None
        if self._has_grace_iteration:
            self._has_grace_iteration = False
            self._delayed_call = self._clock.callLater(0, self._timer_expired)
        elif self._on_timeout is not None:
            self._on_timeout()

    def wait_until_sent(
        self,
        seconds: float,
        on_sent: Callable[[], object],
        on_stalled: Callable[[], object],
        interval: float = LINGER_TIMEOUT,
    ) -> None:
        """
        Wait until the client has taken all, as long as it takes anything.

        @param seconds: how long it may take nothing.
        @param on_sent: is called when it has taken all.
        @param on_stalled: is called when it has taken nothing for so long.
        @param interval: how often to look, in seconds.
        """
        self._last_unsent_bytes, self._last_progress = (
            self._get_unsent_bytes(),
            self._clock.seconds(),
        )
        self.start(
            min(interval, seconds),
            partial(self._check_progress, seconds, on_sent, on_stalled, interval),
        )

    def _check_progress(
        self,
        seconds: float,
        on_sent: Callable[[], object],
        on_stalled: Callable[[], object],
        interval: float,
    ) -> None:
        """Look whether the client has taken anything since."""
        unsent_bytes, now = self._get_unsent_bytes(), self._clock.seconds()
        if unsent_bytes < self._last_unsent_bytes:
            self._last_progress = now
        self._last_unsent_bytes = unsent_bytes
        if not unsent_bytes:
            on_sent()
        elif now - self._last_progress >= seconds:
            on_stalled()
        else:
            self.start(
                min(interval, seconds),
                partial(self._check_progress, seconds, on_sent, on_stalled, interval),
            )

    def pause(self) -> None:
        """Wait for nothing, until something else is to be waited for."""
        self._on_timeout = None

    def stop(self) -> None:
        """Wait for nothing any more."""
        self.pause()
        if self._delayed_call is not None:
            self._delayed_call.cancel()
            self._delayed_call = None


def underlying_transport(transport: Any) -> Any:
    """The transport that has the socket, below all that wraps it, as TLS does."""
    while not isinstance(transport, FileDescriptor) and hasattr(transport, "transport"):
        transport = transport.transport
    return transport


def limit_kernel_send_buffer(transport: Any) -> None:
    """
    Have the kernel take no more than it can soon send (tcp(7), TCP_NOTSENT_LOWAT).

    It takes some megabytes otherwise for a client that reads nothing.
    """
    handle = getattr(underlying_transport(transport), "socket", None)
    if isinstance(handle, socket) and handle.family in (AF_INET, AF_INET6):
        handle.setsockopt(IPPROTO_TCP, TCP_NOTSENT_LOWAT, _MAX_NOT_SENT_BYTES)


def discard_write_buffer(transport: Any) -> None:
    """
    Let go of what waits for a client that is gone.

    A connection may live on for a while in what knew it, its buffer too.
    """
    descriptor = underlying_transport(transport)
    if isinstance(descriptor, FileDescriptor):
        descriptor.dataBuffer = b""
        descriptor._tempDataBuffer.clear()
        descriptor._tempDataLen = descriptor.offset = 0


def buffered_bytes(transport: Any) -> int:
    """How many bytes have been written that the kernel has not taken."""
    descriptor = underlying_transport(transport)
    if not isinstance(descriptor, FileDescriptor):
        return 0
    return len(descriptor.dataBuffer) - descriptor.offset + descriptor._tempDataLen


def unacknowledged_bytes(transport: Any) -> int:
    """
    How many bytes have been written that the client's side has not taken.

    That is what waits here, and what the kernel has not had acknowledged
    (C{SIOCOUTQ}, tcp(7)).
    """
    descriptor = underlying_transport(transport)
    if not isinstance(descriptor, FileDescriptor):
        return 0
    byte_count = buffered_bytes(descriptor)
    if descriptor.fileno() >= 0:
        [in_kernel] = unpack("i", ioctl(descriptor.fileno(), TIOCOUTQ, bytes(4)))
        byte_count += in_kernel
    return byte_count
