"""
The time that clients have to send requests and to read responses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from .transports import unacknowledged_bytes

LINGER_TIMEOUT = 2.0
"""How long a client may take to close its side of a connection, in seconds."""


@dataclass(frozen=True)
class ConnectionTimeouts:
    """
    The timeouts of a connection, in seconds.

    @ivar request: from the first to the last byte of a request; also from the start of
        a connection to the end of its TLS handshake and its PROXY header.
    @ivar send: how long the client may read nothing of what was sent.
    @ivar idle: how long the client may send no request.
    """

    request: float = 10.0
    send: float = 60.0
    idle: float = 60.0


class ConnectionTimer:
    """
    The only timer of a connection.

    @param transport: the transport of the connection.
    @param send_timeout: abort the connection if the client reads nothing for this
        time, in seconds.

    @ivar on_timeout: is called when the timer expires; L{None} if it is paused.
    """

    def __init__(
        self, clock: IReactorTime, transport: Any, send_timeout: float
    ) -> None:
        self._clock = clock
        self._transport = transport
        self._send_timeout = send_timeout
        self.on_timeout: Callable[[], object] | None = None
        self._delayed_call: IDelayedCall | None = None
        self._has_grace_iteration = False
        self._unread_bytes = 0
        self._last_progress = 0.0

    def start(self, seconds: float, on_timeout: Callable[[], object]) -> None:
        """
        Start the timer, in place of what it was started for before.

        If the service itself was blocked, it reads what the client sent meanwhile
        before the timer expires.
        """
        self.on_timeout, self._has_grace_iteration = on_timeout, True
        if self._delayed_call is None:
            self._delayed_call = self._clock.callLater(seconds, self._timer_expired)
        else:
            # Resetting a call is much cheaper than making one.
            self._delayed_call.reset(seconds)

    def _timer_expired(self) -> None:
        self._delayed_call = None
        if self._has_grace_iteration:
            self._has_grace_iteration = False
            self._delayed_call = self._clock.callLater(0, self._timer_expired)
        elif self.on_timeout is not None:
            self.on_timeout()

    def wait_until_sent(
        self, on_sent: Callable[[], object], interval: float = LINGER_TIMEOUT
    ) -> None:
        """
        Wait until the client has read everything, however long it takes.

        @param on_sent: is called when the client has read everything.
        @param interval: the time between two checks, in seconds.
        """
        self._unread_bytes = unacknowledged_bytes(self._transport)
        self._last_progress = self._clock.seconds()
        self._schedule_check(on_sent, interval)

    def _schedule_check(self, on_sent: Callable[[], object], interval: float) -> None:
        check = partial(self._check_progress, on_sent, interval)
        self.start(min(interval, self._send_timeout), check)

    def _check_progress(self, on_sent: Callable[[], object], interval: float) -> None:
        unread_bytes, now = unacknowledged_bytes(self._transport), self._clock.seconds()
        if unread_bytes < self._unread_bytes:
            self._last_progress = now
        self._unread_bytes = unread_bytes
        if not unread_bytes:
            on_sent()
        elif now - self._last_progress >= self._send_timeout:
            self._transport.abortConnection()
        else:
            self._schedule_check(on_sent, interval)

    def pause(self) -> None:
        """Do nothing until the timer is started again."""
        self.on_timeout = None

    def stop(self) -> None:
        """Stop the timer for good."""
        self.pause()
        if self._delayed_call is not None:
            self._delayed_call.cancel()
            self._delayed_call = None
