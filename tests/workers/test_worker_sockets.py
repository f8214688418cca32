"""
Tests of the listening sockets in a worker.
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

from twisted_quotes.concurrency.shared_counters import (
    Column,
    SharedCapacity,
    SharedCounters,
)
from twisted_quotes.workers.systemd_sockets import set_systemd_sockets
from twisted_quotes.workers.worker_sockets import (
    ACCEPT_DELAY,
    MAX_WASTED_DELAYS,
    AdoptingReactor,
    FairAcceptor,
)

from ..fakes import FakeReactor


class GreetingProtocol(Protocol):
    """Greets the client."""

    def connectionMade(self) -> None:
        """Write the greeting."""
        assert self.transport is not None
        self.transport.write(b"hello")
        self.transport.loseConnection()


class AdoptedSocketTests(TestCase):
    """Tests of L{AdoptingReactor}."""

    def setUp(self) -> None:
        """Make a folder for a UNIX socket."""
        self.path = Path(self.enterContext(TemporaryDirectory()), "socket")

    async def listen_on(self, description: str, opened: socket.socket) -> Any:
        """Have an endpoint listen on a duplicate of a socket."""
        from twisted.internet import reactor

        self.addCleanup(opened.close)
        adopting: Any = AdoptingReactor(reactor, os.dup(opened.fileno()))
        factory = Factory.forProtocol(GreetingProtocol)
        port: Any = await serverFromString(adopting, description).listen(factory)
        self.addCleanup(port.stopListening)
        return port

    async def read_greeting(self, client: socket.socket) -> bytes:
        """Return what a client receives."""
        from twisted.internet import reactor
        from twisted.internet.threads import deferToThread

        client.settimeout(10)
        self.addCleanup(client.close)
        assert reactor is not None
        greeting: bytes = await deferToThread(client.recv, 100)
        return greeting

    async def test_an_endpoint_listens_on_the_socket(self) -> None:
        """Whatever its own address is."""
        opened = socket.create_server(("127.0.0.1", 0))
        port = await self.listen_on("tcp:1:interface=192.0.2.1", opened)
        self.assertEqual(port.getHost().port, opened.getsockname()[1])
        client = socket.create_connection(opened.getsockname())
        self.assertEqual(await self.read_greeting(client), b"hello")

    async def test_a_unix_socket_is_not_changed(self) -> None:
        """It keeps its mode, and its file when the port closes."""
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
        later = self.enterContext(socket.socket(socket.AF_UNIX))
        later.connect(str(self.path))

    async def test_a_closed_port_leaves_the_socket_open_elsewhere(self) -> None:
        """Other processes accept connections on it."""
        opened = socket.create_server(("127.0.0.1", 0))
        port = await self.listen_on("tcp:1", opened)
        await port.stopListening()
        socket.create_connection(opened.getsockname()).close()
        opened.settimeout(10)
        opened.accept()[0].close()

    async def test_systemd_endpoints_listen_on_the_socket(self) -> None:
        """Not on the one at their index."""
        self.addCleanup(set_systemd_sockets, ())
        set_systemd_sockets([os.open(os.devnull, os.O_RDONLY) for _ in range(2)])
        for index in (0, 1):
            opened = socket.create_server(("127.0.0.1", 0))
            port = await self.listen_on(f"systemd:domain=INET:index={index}", opened)
            self.assertEqual(port.getHost().port, opened.getsockname()[1])

    def test_an_ssl_endpoint_uses_tls(self) -> None:
        """The factory is wrapped as by the real reactor."""
        adopted: list[Any] = []

        class Adopter(AdoptingReactor):
            def _adopt(self, factory: Any) -> Any:
                adopted.append(factory)

        Adopter(None, 0).listenSSL(1, Factory(), CertificateOptions())
        self.assertIsInstance(adopted[0], TLSMemoryBIOFactory)

    def test_other_attributes_are_those_of_the_real_reactor(self) -> None:
        """Endpoints can use any of them."""
        reactor = FakeReactor()
        adopting = AdoptingReactor(reactor, 0)
        self.assertEqual(adopting.seconds(), reactor.seconds())


class FakePort:
    """
    A port on which connections are always pending.

    @ivar accepted: the C{numberAccepts} of each read.
    """

    def __init__(self) -> None:
        self.numberAccepts = 100
        self.accepted: list[int] = []
        self.is_reading = True
        self.is_lost = False

    def stopReading(self) -> None:
        """Record the call."""
        self.is_reading = False

    def doRead(self) -> None:
        """Record the number of accepts."""
        self.accepted.append(self.numberAccepts)
        self.numberAccepts += 20

    def fileno(self) -> int:
        """Return a descriptor."""
        return 33

    def connectionLost(self, reason: Failure) -> None:
        """Record the call."""
        self.is_lost = True


class FairAcceptorTests(SynchronousTestCase):
    """Tests of L{FairAcceptor}."""

    def setUp(self) -> None:
        """Make a port, and another worker with three connections."""
        self.reactor = FakeReactor()
        self.port = FakePort()
        port: Any = self.port
        self.shared_counters = SharedCounters.create(2)
        self.addCleanup(os.close, self.shared_counters.descriptor)
        self.shared_counters.write(1, Column.SERVING, 1)
        self.set_other_connections(3)
        self.connections = SharedCapacity(
            100, self.shared_counters, 0, Column.CONNECTIONS
        )
        self.acceptor = FairAcceptor(self.reactor, port, self.connections)
        self.acceptor.start()

    def set_other_connections(self, connections: int) -> None:
        """Set the number of connections of the other worker."""
        self.shared_counters.write(1, Column.CONNECTIONS, connections)

    def set_own_connections(self, connections: int) -> None:
        """Set the number of connections of this worker."""
        self.connections.in_use = connections

    def test_it_accepts_one_connection_per_turn(self) -> None:
        """If no other worker has fewer."""
        self.assertFalse(self.port.is_reading)
        self.assertEqual(self.reactor.getReaders(), [self.acceptor])
        for own in range(4):
            self.set_own_connections(own)
            self.acceptor.doRead()
        self.assertEqual(self.port.accepted, [1] * 4)

    def test_it_leaves_connections_to_a_worker_with_fewer(self) -> None:
        """For a moment. Then it accepts those that are still pending."""
        self.set_own_connections(4)
        self.acceptor.doRead()
        self.assertEqual((self.port.accepted, self.reactor.getReaders()), ([], []))
        self.reactor.advance(ACCEPT_DELAY)
        self.assertEqual(self.reactor.getReaders(), [self.acceptor])
        self.acceptor.doRead()
        self.assertEqual(self.port.accepted, [1])

    def test_a_delay_ends_when_enough_connections_are_closed(self) -> None:
        """Then no other worker has fewer."""
        self.set_own_connections(5)
        self.acceptor.doRead()
        for own, readers in ((4, []), (3, [self.acceptor])):
            self.set_own_connections(own)
            self.acceptor.connection_closed()
            self.assertEqual(self.reactor.getReaders(), readers)
        self.acceptor.connection_closed()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_delays_for_a_worker_that_accepts_nothing_are_limited(self) -> None:
        """Until its number of connections changes."""
        self.set_own_connections(4)
        for _ in range(MAX_WASTED_DELAYS):
            self.acceptor.doRead()
            self.assertEqual(self.reactor.getReaders(), [])
            self.reactor.advance(ACCEPT_DELAY)
            self.acceptor.doRead()
        for _ in range(5):
            self.acceptor.doRead()
        self.assertEqual(self.port.accepted, [1] * (MAX_WASTED_DELAYS + 5))
        self.set_other_connections(3 - 1)
        self.acceptor.doRead()
        self.assertEqual(self.reactor.getReaders(), [])
        self.reactor.advance(ACCEPT_DELAY)

    def test_there_is_no_delay_for_a_worker_that_does_not_serve(self) -> None:
        """It has few connections because it accepts none."""
        self.shared_counters.write(1, Column.SERVING, 0)
        self.set_own_connections(4)
        self.acceptor.doRead()
        self.assertEqual(self.port.accepted, [1])

    def test_after_stop_the_port_accepts_batches(self) -> None:
        """Whether or not a delay is pending."""
        self.acceptor.stop()
        self.assertEqual(self.reactor.getReaders(), [])
        self.assertEqual(self.port.numberAccepts, 100)
        self.acceptor.start()
        self.set_own_connections(4)
        self.acceptor.doRead()
        self.acceptor.stop()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_the_reactor_treats_it_as_the_port(self) -> None:
        """It has the descriptor of the port, and closes it."""
        self.assertEqual(
            (self.acceptor.fileno(), self.acceptor.logPrefix()), (33, "accept")
        )
        self.acceptor.connectionLost(Failure(Exception("the end")))
        self.assertTrue(self.port.is_lost)
