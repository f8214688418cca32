"""
The control connection between the supervisor and a worker: AMP on a socket pair.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from enum import StrEnum, auto
from typing import Any
from zlib import compress, decompress

from msgspec import msgpack
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.protocol import Factory, connectionDone
from twisted.protocols.amp import AMP, Argument, BinaryBoxProtocol, Command, Unicode
from twisted.python.failure import Failure

from twisted_quotes.monitoring.metrics import MetricFamily


class Message(StrEnum):
    """
    A message that needs no response. The receiver calls its method of that name.
    """

    # To a worker.
    DRAIN = auto()
    CLOSE = auto()
    RETIRE = auto()
    FORCE = auto()
    RELOAD = auto()
    # To the supervisor.
    SERVING_STARTED = auto()
    RETIREMENT_REQUESTED = auto()


class MetricFamilies(Argument):
    """Metrics, compressed because AMP limits a value to 64 KiB."""

    def toString(self, inObject: Sequence[MetricFamily]) -> bytes:
        return compress(msgpack.encode(inObject), 1)

    def fromString(self, inString: bytes) -> list[MetricFamily]:
        return msgpack.decode(decompress(inString), type=list[MetricFamily])


class Notify(Command):
    """Send a L{Message}."""

    arguments = [(b"message", Unicode())]
    requiresAnswer = False


# An error that is not declared closes the connection, which ends the worker.
_ERRORS: dict[type[Exception], bytes] = {Exception: b"FAILED"}


class ReportMetrics(Command):
    """Ask a worker for its own metrics, or the supervisor for those of all workers."""

    errors = _ERRORS
    response = [(b"families", MetricFamilies())]


class SendFinalMetrics(Command):
    """Send the supervisor the metrics of a worker that has finished."""

    errors = _ERRORS
    arguments = [(b"families", MetricFamilies())]


class ControlProtocol(AMP):
    """
    One end of a control connection.

    @ivar receiver: has a method for each L{Message} to this end, and
        C{report_metrics}; at the supervisor, C{metrics_received} as well. Set it before
        connecting.
    """

    receiver: Any

    def connect(self, reactor: Any, control_socket: socket.socket) -> None:
        """Use a duplicate of a connected socket."""
        control_socket.setblocking(False)
        reactor.adoptStreamConnection(
            control_socket.fileno(),
            control_socket.family,
            Factory.forProtocol(lambda: self),
        )

    def send(self, message: Message) -> None:
        """Send a message, unless the connection is lost."""
        self.callRemote(Notify, message=message)

    def request_metrics(self) -> Deferred[list[MetricFamily]]:
        """Request the metrics that the other end reports."""
        response: Deferred[dict[str, Any]] = self.callRemote(ReportMetrics)
        return response.addCallback(lambda box: box["families"])

    @Notify.responder
    def _message_received(self, message: str) -> dict[str, Any]:
        getattr(self.receiver, Message(message))()
        return {}

    @ReportMetrics.responder
    def _report_metrics(self) -> Deferred[dict[str, Any]]:
        return maybeDeferred(self.receiver.report_metrics).addCallback(
            lambda families: {"families": families}
        )

    @SendFinalMetrics.responder
    def _final_metrics_received(self, families: list[MetricFamily]) -> dict[str, Any]:
        self.receiver.metrics_received(families)
        return {}

    # AMP's own methods log the addresses of the connection, and this one has none.

    def makeConnection(self, transport: Any) -> None:
        BinaryBoxProtocol.makeConnection(self, transport)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        BinaryBoxProtocol.connectionLost(self, reason)
        self.transport = None
