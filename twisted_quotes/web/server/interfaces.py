"""
What a connection asks of its site and its requests, which know it in turn.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from twisted_quotes.web.limits.output import OutputLimiter

from .request_queue import RequestQueue
from .timeouts import ConnectionTimeouts


class IFailableRequest(Protocol):
    """A request that can be answered before it is complete."""

    method: bytes
    uri: bytes
    clientproto: bytes

    def fail(self, reason: Failure) -> None:
        """Answer with an error, whatever has come of the request."""


class ISite(Protocol):
    """
    A site that knows its connections.

    @ivar closing: whether new requests are refused.
    @ivar draining: whether each answer is the last one on its connection.
    @ivar timeouts: how long clients may take.
    @ivar output_limiter: limits on answers that clients have not read.
    @ivar request_queue: has requests begin in turn.
    @ivar allowed_hosts: the names to be called by besides those of loopback, or C{"*"}.
    """

    closing: bool
    draining: bool
    timeouts: ConnectionTimeouts
    output_limiter: OutputLimiter
    request_queue: RequestQueue
    allowed_hosts: Collection[str]
    reactor: IReactorTime

    def requestFactory(self, channel: Any) -> IFailableRequest:
        """Make a request on a connection."""

    def add_connection(self, connection: Any) -> None:
        """Take in a new connection; raise an error if it is to be refused."""

    def can_linger(self) -> bool:
        """Whether a connection that is refused may wait for its client to close."""

    def remove_connection(self, connection: Any) -> None:
        """Forget a connection that is gone."""

    def request_received(self, connection: Any) -> None:
        """Have the end wait for a connection that asked something."""
