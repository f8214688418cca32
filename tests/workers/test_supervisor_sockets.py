"""
Tests of the listening sockets of the supervisor.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.logger import capturedLogs
from twisted.trial.unittest import TestCase

from twisted_quotes.startup import CannotStart
from twisted_quotes.workers.supervisor_sockets import Listeners

from ..test_service import FakeEndpoint

ANY_PORT = "tcp:0:interface=127.0.0.1"


class ListenersTests(TestCase):
    """Tests of sockets that are opened for others."""

    def make_listeners(self, *descriptions: str) -> Listeners:
        """Listeners on some endpoints."""
        from twisted.internet import reactor

        anything: Any = reactor
        return Listeners(
            [(each, serverFromString(anything, each)) for each in descriptions]
        )

    async def test_they_are_open_and_nobody_is_let_in(self) -> None:
        """Where they are is logged when that is asked for."""
        from twisted.internet import reactor

        anything: Any = reactor
        listeners = self.make_listeners(ANY_PORT, ANY_PORT)
        listeners.open()
        one, other = (
            socket.socket(fileno=os.dup(each)) for each in listeners.descriptors
        )
        with one, other, socket.create_connection(other.getsockname()):
            self.assertEqual(anything.getReaders().count(listeners), 0)
            with capturedLogs() as events:
                line = listeners.log_addresses()
            self.assertEqual(len(events), 2)
            host, port = one.getsockname()
            self.assertIn(f"http://{host}:{port}/, http://", line)
            await listeners.close()
            # What is closed here is open elsewhere, with who has connected.
            other.settimeout(10)
            other.accept()[0].close()
        self.assertEqual(listeners.descriptors, [])

    async def test_what_cannot_be_opened_is_said(self) -> None:
        """And what was opened before is closed again."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            listeners = self.make_listeners(ANY_PORT, f"tcp:{port}:interface=127.0.0.1")
            with self.assertRaises(CannotStart) as raised:
                listeners.open()
            self.assertIn(str(port), str(raised.exception))
        self.assertEqual(listeners.descriptors, [])
        await self.run_reactor_turn()

    async def test_what_cannot_be_shared_is_refused(self) -> None:
        """What is no socket of this machine, or is one only later."""
        later: Deferred[Any] = Deferred()
        listeners = Listeners([("onion:80", FakeEndpoint(later))])
        with self.assertRaises(CannotStart) as raised:
            listeners.open()
        self.assertIn("--workers=1", str(raised.exception))
        with self.assertRaises(CannotStart) as raised:
            self.make_listeners("stdio:").open()
        self.assertIn("--workers=1", str(raised.exception))
        strange = PortWithoutSocket()
        later.callback(strange)
        self.assertTrue(strange.stopped)

    async def run_reactor_turn(self) -> None:
        """Let the reactor do what it has to."""
        from twisted.internet import reactor

        anything: Any = reactor
        finished: Deferred[None] = Deferred()
        anything.callLater(0.01, finished.callback, None)
        await finished


class PortWithoutSocket:
    """A port without a socket."""

    stopped = False

    def stopListening(self) -> None:
        """Keep it."""
        self.stopped = True
