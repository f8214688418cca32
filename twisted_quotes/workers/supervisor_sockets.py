"""
The listening sockets of the supervisor, on which only the workers accept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.tcp import Port
from twisted.python.failure import Failure

from twisted_quotes.listening.sockets import set_backlog
from twisted_quotes.startup import CannotStart, log_listening_addresses


class Listeners(Factory):
    """
    The listening sockets of all workers.

    @param endpoints: the endpoints to listen on, each with its description.
    """

    noisy = False

    def __init__(self, endpoints: Sequence[tuple[str, IStreamServerEndpoint]]) -> None:
        self._endpoints = endpoints
        self._ports: list[tuple[Port, str]] = []
        self._failure: str | None = None

    def open(self) -> None:
        """
        Listen on all endpoints.

        @raise CannotStart: an endpoint cannot be listened on, or has no socket that
            workers can share.
        """
        for description, endpoint in self._endpoints:
            count_before = len(self._ports)
            listening = maybeDeferred(endpoint.listen, self)
            listening.addCallback(self._opened, description)
            listening.addErrback(self._open_failed, description)
            if self._failure is None and len(self._ports) == count_before:
                self._failure = f"workers cannot share {description!r}: use --workers=1"
            if self._failure is not None:
                self.close()
                raise CannotStart(self._failure)

    def _opened(self, port: IListeningPort, description: str) -> None:
        if not isinstance(port, Port):
            port.stopListening()
            return
        port.stopReading()
        # A shutdown(2) here would end the listening in the workers as well.
        port._shouldShutdown = False
        set_backlog(port, description)
        self._ports.append((port, description))

    def _open_failed(self, failure: Failure, description: str) -> None:
        self._failure = f"cannot listen on {description!r}: {failure.getErrorMessage()}"

    def buildProtocol(self, addr: object) -> NoReturn:
        """
        Refuse an endpoint that needs a protocol because it has no socket.

        @raise ValueError: always.
        """
        raise ValueError("workers cannot share it: use --workers=1")

    @property
    def descriptors(self) -> list[int]:
        """The file descriptors of the sockets, in the order of the endpoints."""
        return [int(port.fileno()) for port, _ in self._ports]

    def log_addresses(self) -> str:
        """Log the address of each socket, and return a line with all of them."""
        return log_listening_addresses(self._ports)

    def close(self) -> Deferred[Any]:
        """
        Close the sockets in this process; they stay open in the workers.

        @return: fires when all are closed.
        """
        ports, self._ports = self._ports, []
        return DeferredList([maybeDeferred(port.stopListening) for port, _ in ports])
