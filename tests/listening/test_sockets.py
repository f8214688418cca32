"""
Tests for L{twisted_quotes.listening.sockets}, on real sockets.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase

from twisted_quotes.listening.sockets import (
    accept_batches,
    is_loopback,
    is_on_loopback,
    is_systemd_socket,
    reject_new_connections,
    remove_stale_socket,
    set_backlog,
    unix_socket_path,
)


@dataclass
class FakePort:
    """A port that has an address."""

    address: IAddress

    def getHost(self) -> IAddress:
        """Return the address."""
        return self.address


class AddressTests(SynchronousTestCase):
    """Tests of addresses and endpoints."""

    def test_loopback_is_recognized(self) -> None:
        """Endpoints of systemd, and behind proxies, may be reached from elsewhere."""
        ports: Any = FakePort
        for address in ("127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"):
            self.assertTrue(is_loopback(address), address)
            kind = IPv6Address if ":" in address else IPv4Address
            port = ports(kind("TCP", address, 1))
            for endpoint in ("tcp:0", "ssl:0:privateKey=x", "tls:x:0"):
                self.assertTrue(is_on_loopback(port, endpoint))
            for endpoint in ("haproxy:tcp:0", "systemd:domain=INET:index=0"):
                self.assertFalse(is_on_loopback(port, endpoint))
        for address in ("0.0.0.0", "::", "192.0.2.1", "::ffff:192.0.2.1", "x", ""):
            self.assertFalse(is_loopback(address), address)
        everywhere = ports(IPv4Address("TCP", "0.0.0.0", 1))
        self.assertFalse(is_on_loopback(everywhere, "tcp:0"))
        self.assertFalse(is_on_loopback(ports(UNIXAddress("/run/x")), "unix:/run/x"))

    def test_the_path_of_a_unix_socket_is_found(self) -> None:
        for description, path in (
            ("unix:/run/a", "/run/a"),
            ("unix:address=/run/a:mode=600", "/run/a"),
            ("haproxy:unix:/run/a\\:b", "/run/a:b"),
            ("unix:mode=600:address=/run/a", "/run/a"),
            ("unix:mode=600:/run/a\\=b:backlog=5", "/run/a=b"),
            ("haproxy:unix:address=/run/a\\:b", "/run/a:b"),
            ("unix:mode=600", None),
            ("unix:", None),
            ("tcp:80", None),
            ("tcp:80:interface=unix", None),
        ):
            self.assertEqual(unix_socket_path(description), path)

    def test_sockets_of_systemd_are_recognized(self) -> None:
        for description in ("systemd:domain=INET:index=0", "haproxy:systemd:index=0"):
            self.assertTrue(is_systemd_socket(description))
        for description in ("tcp:8000", "unix:/run/systemd", "haproxy:tcp:8000"):
            self.assertFalse(is_systemd_socket(description))


class StaleSocketTests(SynchronousTestCase):
    """Tests of UNIX sockets that a killed service has left."""

    def setUp(self) -> None:
        temporary_folder = Path(self.enterContext(TemporaryDirectory()))
        self.path = temporary_folder / "socket"
        self.lock = temporary_folder / "socket.lock"

    def listen(self) -> socket.socket:
        """Listen, with a lock that names a running process."""
        self.lock.symlink_to(str(os.getpid()))
        listening = self.enterContext(socket.socket(socket.AF_UNIX))
        listening.bind(str(self.path))
        listening.listen(1)
        return listening

    def test_a_stale_socket_is_removed_with_its_lock(self) -> None:
        self.listen().close()
        remove_stale_socket(str(self.path))
        self.assertEqual(os.listdir(self.path.parent), [])

    def test_a_lock_without_a_socket_is_removed(self) -> None:
        self.lock.symlink_to(str(os.getpid()))
        remove_stale_socket(str(self.path))
        self.assertEqual(os.listdir(self.path.parent), [])

    def test_a_socket_in_use_is_not_removed(self) -> None:
        """Not even if its queue is full."""
        self.listen()
        clients = [socket.socket(socket.AF_UNIX) for _ in range(3)]
        for client in clients:
            self.addCleanup(client.close)
            client.setblocking(False)
            client.connect_ex(str(self.path))
        remove_stale_socket(str(self.path))
        self.assertTrue(self.path.exists() and self.lock.is_symlink())

    def test_other_files_are_not_removed(self) -> None:
        """A missing or an invalid path is no error."""
        remove_stale_socket(str(self.path))
        self.path.write_text("mine")
        remove_stale_socket(str(self.path))
        remove_stale_socket(str(self.path / "below"))
        remove_stale_socket("x" * 1000)
        self.assertEqual(self.path.read_text(), "mine")


class GreetingProtocol(Protocol):
    """Sends a greeting, and closes."""

    def connectionMade(self) -> None:
        """Send the greeting."""
        assert self.transport is not None
        self.transport.write(b"hello")
        self.transport.loseConnection()


class BacklogTests(TestCase):
    """Tests of connections that have not been accepted yet."""

    def listen(self) -> Any:
        """Listen on a port without accepting connections."""
        from twisted.internet import reactor

        factory: Any = Factory.forProtocol(GreetingProtocol)
        port: Any = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        port.stopReading()
        return port

    def connect(self, port: Any) -> socket.socket:
        """Begin to connect to a port."""
        client = self.enterContext(socket.socket())
        client.setblocking(False)
        client.connect_ex(("127.0.0.1", port.getHost().port))
        return client

    def is_connected(self, client: socket.socket) -> bool:
        """Return whether the kernel has completed the connection."""
        try:
            client.getpeername()
        except OSError:
            return False
        return True

    async def test_the_backlog_is_long(self) -> None:
        port = self.listen()
        set_backlog(port, "tcp:0")
        clients = [self.connect(port) for _ in range(200)]
        self.assertEqual([each for each in clients if not self.is_connected(each)], [])
        list(accept_batches(port))

    async def test_an_endpoint_may_set_its_backlog(self) -> None:
        port = self.listen()
        port.socket.listen(10)
        set_backlog(port, "tcp:0:backlog=10")
        clients = [self.connect(port) for _ in range(100)]
        self.assertLess(sum(map(self.is_connected, clients)), 100)

    async def test_earlier_connections_are_accepted_and_later_ones_refused(
        self,
    ) -> None:
        from twisted.internet import reactor

        port = self.listen()
        earlier = self.connect(port)
        self.assertTrue(self.is_connected(earlier))
        reject_new_connections(port, "tcp:0")
        later = self.connect(port)
        self.assertFalse(self.is_connected(later))
        list(accept_batches(port))
        await port.stopListening()
        for _ in range(3):
            await deferLater(reactor, 0)
        earlier.setblocking(True)
        earlier.settimeout(10)
        self.assertEqual(earlier.recv(100), b"hello")
        self.assertFalse(self.is_connected(later))

    async def test_a_unix_socket_can_refuse_connections(self) -> None:
        """Earlier ones are accepted. The path leads to it until it is closed."""
        from twisted.internet import reactor as untyped_reactor

        reactor: Any = untyped_reactor
        path = str(Path(self.enterContext(TemporaryDirectory()), "socket"))
        factory: Any = Factory.forProtocol(GreetingProtocol)
        port: Any = reactor.listenUNIX(path, factory)
        port.stopReading()
        earlier = [self.enterContext(socket.socket(socket.AF_UNIX)) for _ in range(45)]
        for client in earlier:
            client.connect(path)
        reject_new_connections(port, "unix:x")
        later = self.enterContext(socket.socket(socket.AF_UNIX))
        self.assertRaises(ConnectionRefusedError, later.connect, path)
        self.assertLess(len(list(accept_batches(port))), 5)
        await port.stopListening()
        self.assertFalse(os.path.exists(path))
        await deferLater(reactor, 0)
        for client in earlier:
            client.settimeout(10)
            self.assertEqual(client.recv(100), b"hello")

    def test_a_port_that_may_share_its_socket_is_not_changed(self) -> None:
        port = self.listen()
        reject_new_connections(port, "onion:80")
        self.assertTrue(self.is_connected(self.connect(port)))

    def test_ports_that_have_no_tcp_socket_are_ignored(self) -> None:
        port: Any = object()
        reject_new_connections(port, "tcp:0")
        set_backlog(port, "onion:80")
        self.assertEqual(list(accept_batches(port)), [])
