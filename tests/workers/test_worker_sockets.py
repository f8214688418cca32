"""
Tests of listening sockets that another process has opened.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import CertificateOptions
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from twisted_quotes.concurrency.shared_counters import Column, SharedCounters
from twisted_quotes.workers.worker_sockets import (
    ACCEPT_DELAY,
    MAX_WASTED_DELAYS,
    AdoptingReactor,
    FairAcceptor,
    open_placeholders,
    set_systemd_sockets,
)

from ..fakes import FakeReactor


class GreetingProtocol(Protocol):
    """Says something to whoever is let in."""

    def connectionMade(self) -> None:
        """Greet, and close."""
        assert self.transport is not None
        self.transport.write(b"hello")
        self.transport.loseConnection()


class AdoptedSocketTests(TestCase):
    """Tests of endpoints on sockets that are there already."""

    def setUp(self) -> None:
        """Have a folder for UNIX sockets."""
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name, "socket")

    async def listen_on(self, description: str, opened: socket.socket) -> Any:
        """Have an endpoint listen on a copy of a socket."""
        from twisted.internet import reactor

        self.addCleanup(opened.close)
        adopting: Any = AdoptingReactor(reactor, os.dup(opened.fileno()))
        factory = Factory.forProtocol(GreetingProtocol)
        port: Any = await serverFromString(adopting, description).listen(factory)
        self.addCleanup(port.stopListening)
        return port

    async def read_greeting(self, client: socket.socket) -> bytes:
        """What somebody hears who connects."""
        from twisted.internet import reactor
        from twisted.internet.threads import deferToThread

        client.settimeout(10)
        self.addCleanup(client.close)
        assert reactor is not None
        heard: bytes = await deferToThread(client.recv, 100)
        return heard

    async def test_an_endpoint_listens_where_the_socket_does(self) -> None:
        """Whatever port it names."""
        opened = socket.create_server(("127.0.0.1", 0))
        port = await self.listen_on("tcp:1:interface=192.0.2.1", opened)
        self.assertEqual(port.getHost().port, opened.getsockname()[1])
        client = socket.create_connection(opened.getsockname())
        self.assertEqual(await self.read_greeting(client), b"hello")

    async def test_a_unix_socket_stays_as_it_is(self) -> None:
        """Its mode, what waits there, and the file, when it is closed here."""
        opened = socket.socket(socket.AF_UNIX)
        opened.bind(str(self.path))
        opened.listen(100)
        self.path.chmod(0o600)
        port = await self.listen_on(f"unix:{self.path}", opened)
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(self.path))
        self.assertEqual(await self.read_greeting(client), b"hello")
        await port.stopListening()
        self.assertTrue(self.path.exists())
        later = socket.socket(socket.AF_UNIX)
        self.addCleanup(later.close)
        later.connect(str(self.path))

    async def test_closing_it_here_closes_it_nowhere_else(self) -> None:
        """Who connects then is let in by another."""
        opened = socket.create_server(("127.0.0.1", 0))
        port = await self.listen_on("tcp:1", opened)
        await port.stopListening()
        socket.create_connection(opened.getsockname()).close()
        opened.settimeout(10)
        opened.accept()[0].close()

    async def test_the_sockets_of_systemd_are_known(self) -> None:
        """The socket is the one that was passed on, and not the one they name."""
        self.addCleanup(set_systemd_sockets, ())
        set_systemd_sockets(open_placeholders(2))
        for index in (0, 1):
            opened = socket.create_server(("127.0.0.1", 0))
            port = await self.listen_on(f"systemd:domain=INET:index={index}", opened)
            self.assertEqual(port.getHost().port, opened.getsockname()[1])

    def test_tls_is_spoken_where_it_is_asked_for(self) -> None:
        """The protocol is wrapped as by the real reactor."""
        adopted: list[Any] = []

        class Adopter(AdoptingReactor):
            def _adopt(self, factory: Any) -> Any:
                adopted.append(factory)

        Adopter(None, 0).listenSSL(1, Factory(), CertificateOptions())
        self.assertIsInstance(adopted[0], TLSMemoryBIOFactory)

    def test_all_else_is_done_by_the_real_reactor(self) -> None:
        """Endpoints may ask it for anything."""
        reactor = FakeReactor()
        adopting = AdoptingReactor(reactor, 0)
        self.assertEqual(adopting.seconds(), reactor.seconds())


class FakePort:
    """
    A port on which somebody always waits.

    @ivar accepted: how many it was asked to accept, each time.
    @ivar is_lost: whether the reactor has come to its end.
    """

    def __init__(self) -> None:
        self.numberAccepts = 100
        self.accepted: list[int] = []
        self.is_reading = True
        self.is_lost = False

    def stopReading(self) -> None:
        """Leave it to another."""
        self.is_reading = False

    def doRead(self) -> None:
        """Accept."""
        self.accepted.append(self.numberAccepts)
        self.numberAccepts += 20

    def fileno(self) -> int:
        """An open file."""
        return 33

    def connectionLost(self, reason: Failure) -> None:
        """Keep it."""
        self.is_lost = True


class FairReaderTests(SynchronousTestCase):
    """Tests of accepting, beside other workers."""

    def setUp(self) -> None:
        """Have a port, and another worker with three connections."""
        self.reactor = FakeReactor()
        self.port = FakePort()
        port: Any = self.port
        self.shared_counters = SharedCounters.create(2)
        self.addCleanup(os.close, self.shared_counters.descriptor)
        self.shared_counters.write(1, Column.SERVING, 1)
        self.set_other_connections(3)
        self.reader = FairAcceptor(self.reactor, port, self.shared_counters, 0)
        self.reader.start()

    def set_other_connections(self, connections: int) -> None:
        """Have the other worker have so many connections."""
        self.shared_counters.write(1, Column.CONNECTIONS, connections)

    def set_own_connections(self, connections: int) -> None:
        """Have this worker have so many connections."""
        self.shared_counters.write(0, Column.CONNECTIONS, connections)

    def test_it_accepts_one_in_a_turn(self) -> None:
        """As long as no other has fewer."""
        self.assertFalse(self.port.is_reading)
        self.assertEqual(self.reactor.getReaders(), [self.reader])
        for own in range(4):
            self.set_own_connections(own)
            self.reader.doRead()
        self.assertEqual(self.port.accepted, [1] * 4)

    def test_it_leaves_those_who_come_to_one_that_has_fewer(self) -> None:
        """For a moment; then it accepts who is still there."""
        self.set_own_connections(4)
        self.reader.doRead()
        self.assertEqual((self.port.accepted, self.reactor.getReaders()), ([], []))
        self.reactor.advance(ACCEPT_DELAY)
        self.assertEqual(self.reactor.getReaders(), [self.reader])
        self.reader.doRead()
        self.assertEqual(self.port.accepted, [1])

    def test_one_that_takes_nothing_is_not_waited_for_for_ever(self) -> None:
        """But again when it takes something."""
        self.set_own_connections(4)
        for _ in range(MAX_WASTED_DELAYS):
            self.reader.doRead()
            self.assertEqual(self.reactor.getReaders(), [])
            self.reactor.advance(ACCEPT_DELAY)
            self.reader.doRead()
        for _ in range(5):
            self.reader.doRead()
        self.assertEqual(self.port.accepted, [1] * (MAX_WASTED_DELAYS + 5))
        self.set_other_connections(3 - 1)
        self.reader.doRead()
        self.assertEqual(self.reactor.getReaders(), [])
        self.reactor.advance(ACCEPT_DELAY)

    def test_one_that_does_not_serve_is_not_waited_for(self) -> None:
        """It has no connections because it takes none."""
        self.shared_counters.write(1, Column.SERVING, 0)
        self.set_own_connections(4)
        self.reader.doRead()
        self.assertEqual(self.port.accepted, [1])

    def test_when_it_stops_the_port_can_accept_all(self) -> None:
        """Whether or not it waits for another just then."""
        self.reader.stop()
        self.assertEqual(self.reactor.getReaders(), [])
        self.assertEqual(self.port.numberAccepts, 100)
        self.reader.start()
        self.set_own_connections(4)
        self.reader.doRead()
        self.reader.stop()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_it_is_the_port_to_the_reactor(self) -> None:
        """The same open file, and the same end."""
        self.assertEqual(
            (self.reader.fileno(), self.reader.logPrefix()), (33, "accept")
        )
        self.reader.connectionLost(Failure(Exception("the end")))
        self.assertTrue(self.port.is_lost)
