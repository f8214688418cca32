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
from twisted.logger import capturedLogs
from twisted.trial.unittest import TestCase

from twisted_quotes.startup import CannotStart
from twisted_quotes.workers.supervisor_sockets import Listeners

from ..test_service import FakeEndpoint

ANY_PORT = "tcp:0:interface=127.0.0.1"


class ListenersTests(TestCase):
    """Tests of L{Listeners}."""

    def setUp(self) -> None:
        """Have a reactor of any type."""
        from twisted.internet import reactor

        self.reactor: Any = reactor

    def make_listeners(self, *descriptions: str) -> Listeners:
        """Make listeners from descriptions of endpoints."""
        return Listeners(
            [(each, serverFromString(self.reactor, each)) for each in descriptions]
        )

    async def test_sockets_are_open_but_do_not_accept(self) -> None:
        """When they are closed here, a duplicate still has its pending connections."""
        listeners = self.make_listeners(ANY_PORT, ANY_PORT)
        listeners.open()
        first, second = (
            socket.socket(fileno=os.dup(each)) for each in listeners.descriptors
        )
        with first, second, socket.create_connection(second.getsockname()):
            self.assertEqual(self.reactor.getReaders().count(listeners), 0)
            with capturedLogs() as events:
                line = listeners.log_addresses()
            self.assertEqual(len(events), 2)
            host, port = first.getsockname()
            self.assertIn(f"http://{host}:{port}/, http://", line)
            await listeners.close()
            second.settimeout(10)
            second.accept()[0].close()
        self.assertEqual(listeners.descriptors, [])

    async def test_if_one_cannot_be_opened_all_are_closed(self) -> None:
        """The error names its endpoint."""
        with socket.create_server(("127.0.0.1", 0)) as used:
            port = used.getsockname()[1]
            listeners = self.make_listeners(ANY_PORT, f"tcp:{port}:interface=127.0.0.1")
            with self.assertRaises(CannotStart) as raised:
                listeners.open()
            self.assertIn(str(port), str(raised.exception))
        self.assertEqual(listeners.descriptors, [])
        await deferLater(self.reactor, 0.01)

    async def test_an_endpoint_without_a_socket_is_refused(self) -> None:
        """Workers cannot share it. A port that opens later is closed."""
        listening: Deferred[Any] = Deferred()
        for listeners in (
            Listeners([("onion:80", FakeEndpoint(listening))]),
            self.make_listeners("stdio:"),
        ):
            with self.assertRaises(CannotStart) as raised:
                listeners.open()
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
