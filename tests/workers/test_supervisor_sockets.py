"""
Tests of the listening sockets of the supervisor.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from twisted_quotes.service.startup import CannotStart
from twisted_quotes.workers.supervisor import Supervisor

from ..service.cases import FakeEndpoint
from .test_supervisor import SupervisorTestCase

ANY_PORT = "tcp:0:interface=127.0.0.1"


class SocketTests(SupervisorTestCase, TestCase):
    """Tests with real sockets."""

    def setUp(self) -> None:
        """Import the reactor."""
        from twisted.internet import reactor

        super().setUp()
        self.real_reactor: Any = reactor

    def listen(self, *descriptions: str) -> Supervisor:
        """Start a supervisor that listens on endpoints."""
        return self.start_supervisor(
            endpoints=[
                (each, serverFromString(self.real_reactor, each))
                for each in descriptions
            ]
        )

    async def test_sockets_are_open_but_do_not_accept(self) -> None:
        """When they are closed here, a duplicate still has its pending connections."""
        supervisor = self.listen(ANY_PORT, ANY_PORT)
        first, second = (
            socket.socket(fileno=os.dup(each)) for each in supervisor.pool.listener_fds
        )
        with first, second, socket.create_connection(second.getsockname()):
            host, port = first.getsockname()
            supervisor._notify_ready()
            [(_, status), *_] = self.systemd.notifications
            self.assertIn(f"http://{host}:{port}/, http://", status)
            for listening_port, _ in supervisor._ports:
                self.assertNotIn(listening_port, self.real_reactor.getReaders())
            await supervisor._close_ports()
            second.settimeout(10)
            second.accept()[0].close()

    async def test_if_one_cannot_be_opened_all_are_closed(self) -> None:
        """The error names its endpoint."""
        with socket.create_server(("127.0.0.1", 0)) as used:
            port = used.getsockname()[1]
            with self.assertRaises(CannotStart) as raised:
                self.listen(ANY_PORT, f"tcp:{port}:interface=127.0.0.1", ANY_PORT)
            self.assertIn(str(port), str(raised.exception))
        # Trial checks that no socket is left.
        await deferLater(self.real_reactor, 0.01)

    async def test_an_endpoint_without_a_socket_is_refused(self) -> None:
        """Workers cannot share it. A port that opens later is closed."""
        listening: Deferred[Any] = Deferred()
        for start in (
            lambda: self.listen("stdio:"),
            lambda: self.start_supervisor(
                endpoints=[("onion:80", FakeEndpoint(listening))]
            ),
        ):
            with self.assertRaises(CannotStart) as raised:
                start()
            self.assertIn("--workers=1", str(raised.exception))
        port = PortWithoutSocket()
        listening.callback(port)
        self.assertTrue(port.stopped)


class PortWithoutSocket:
    """A port that is not a L{twisted.internet.tcp.Port}."""

    stopped = False

    def stopListening(self) -> None:
        """Record the call."""
        self.stopped = True
