"""
The listening sockets in the supervisor: it opens them, and accepts nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.tcp import Port
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_quotes.listening.sockets import format_listening_address, set_backlog
from twisted_quotes.startup import CannotStart


class Listeners(Factory):
    """
    The listening sockets of all workers.

    @param endpoints: where to listen, each with its description.
    """

    noisy = False
    _log = Logger()

    def __init__(self, endpoints: Sequence[tuple[str, IStreamServerEndpoint]]) -> None:
        self._endpoints = endpoints
        self._ports: list[tuple[Port, str]] = []
        self._failure: str | None = None

    def open(self) -> None:
        """
        Open them all.

        @raise CannotStart: one of them could not be opened, or not be shared.
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
        # To shut it down would end it in the workers, too.
        port._shouldShutdown = False
        set_backlog(port, description)
        self._ports.append((port, description))

    def _open_failed(self, failure: Failure, description: str) -> None:
        self._failure = f"cannot listen on {description!r}: {failure.getErrorMessage()}"

    def buildProtocol(self, addr: object) -> NoReturn:
        """
        Be asked for a protocol by an endpoint that has no socket.

        @raise ValueError: always.
        """
        raise ValueError("workers cannot share it: use --workers=1")

    @property
    def descriptors(self) -> list[int]:
        """The sockets as open files, in the order of the endpoints."""
        return [int(port.fileno()) for port, _ in self._ports]

    def log_addresses(self) -> str:
        """Log where they are, each in a line, and return all in one."""
        for port, description in self._ports:
            self._log.info(
                "Listening on {address}",
                address=format_listening_address(port.getHost(), description),
                endpoint=description,
            )
        addresses = (
            format_listening_address(port.getHost(), each) for port, each in self._ports
        )
        return f"Listening on {', '.join(addresses)}"

    def close(self) -> Deferred[Any]:
        """
        Close them here. What workers have of them stays open until they close it.

        @return: fires when all are closed.
        """
        ports, self._ports = self._ports, []
        return DeferredList([maybeDeferred(port.stopListening) for port, _ in ports])
