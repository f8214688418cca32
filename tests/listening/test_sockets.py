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
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase, TestCase

from twisted_quotes.listening.sockets import (
    accept_backlog,
    is_loopback,
    is_on_loopback,
    is_systemd_socket,
    reject_new_connections,
    remove_stale_socket,
    set_backlog,
    unix_socket_path,
)


class LoopbackTests(SynchronousTestCase):
    """Tests of ports on loopback."""

    def test_the_address_tells(self) -> None:
        """Of whichever version it is."""
        ports: Any = FakePort
        for address in ("127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"):
            self.assertTrue(is_loopback(address), address)
            kind = IPv6Address if ":" in address else IPv4Address
            for endpoint in ("tcp:0", "ssl:0:privateKey=x", "tls:x:0"):
                self.assertTrue(
                    is_on_loopback(ports(kind("TCP", address, 1)), endpoint)
                )
            for endpoint in ("haproxy:tcp:0", "systemd:domain=INET:index=0"):
                self.assertFalse(
                    is_on_loopback(ports(kind("TCP", address, 1)), endpoint)
                )
        for address in ("0.0.0.0", "::", "192.0.2.1", "::ffff:192.0.2.1", "x", ""):
            self.assertFalse(is_loopback(address), address)
        everywhere = ports(IPv4Address("TCP", "0.0.0.0", 1))
        self.assertFalse(is_on_loopback(everywhere, "tcp:0"))
        self.assertFalse(is_on_loopback(ports(UNIXAddress("/run/x")), "unix:/run/x"))


@dataclass
class FakePort:
    """A port that has an address."""

    address: IAddress

    def getHost(self) -> IAddress:
        """Where it listens."""
        return self.address


class GreetingProtocol(Protocol):
    """Says something to whoever is let in."""

    def connectionMade(self) -> None:
        """Greet, and close."""
        assert self.transport is not None
        self.transport.write(b"hello")
        self.transport.loseConnection()


class StaleSocketTests(SynchronousTestCase):
    """Tests of UNIX sockets that a service has left."""

    def setUp(self) -> None:
        """Have a folder for them."""
        temporary_directory = TemporaryDirectory()
        self.addCleanup(temporary_directory.cleanup)
        self.path = Path(temporary_directory.name, "socket")
        self.lock = Path(temporary_directory.name, "socket.lock")

    def leave_socket(self) -> socket.socket:
        """Listen, with a lock of a process that is there."""
        self.lock.symlink_to(str(os.getpid()))
        left = socket.socket(socket.AF_UNIX)
        self.addCleanup(left.close)
        left.bind(str(self.path))
        left.listen(1)
        return left

    def test_the_path_is_found_in_the_description(self) -> None:
        """However it is put there."""
        for description, path in (
            ("unix:/run/a", "/run/a"),
            ("unix:address=/run/a:mode=600", "/run/a"),
            ("haproxy:unix:/run/a\\:b", "/run/a:b"),
            ("tcp:80", None),
            ("tcp:80:interface=unix", None),
        ):
            self.assertEqual(unix_socket_path(description), path)

    def test_one_that_nobody_listens_on_is_removed(self) -> None:
        """With its lock, whose process may be anybody's by now."""
        self.leave_socket().close()
        remove_stale_socket(str(self.path))
        self.assertEqual(os.listdir(self.path.parent), [])

    def test_a_lock_alone_is_removed(self) -> None:
        """The socket has been removed by hand."""
        self.lock.symlink_to(str(os.getpid()))
        remove_stale_socket(str(self.path))
        self.assertEqual(os.listdir(self.path.parent), [])

    def test_one_that_is_listened_on_is_left(self) -> None:
        """Also where its queue is full."""
        self.leave_socket()
        clients = [socket.socket(socket.AF_UNIX) for _ in range(3)]
        for client in clients:
            self.addCleanup(client.close)
            client.setblocking(False)
            client.connect_ex(str(self.path))
        remove_stale_socket(str(self.path))
        self.assertTrue(self.path.exists() and self.lock.is_symlink())

    def test_what_is_no_socket_is_left(self) -> None:
        """A misspelt path removes nobody's file; and what is not there is no error."""
        remove_stale_socket(str(self.path))
        self.path.write_text("mine")
        remove_stale_socket(str(self.path))
        remove_stale_socket(str(self.path / "below"))
        remove_stale_socket("x" * 1000)
        self.assertEqual(self.path.read_text(), "mine")


class AcceptBacklogTests(TestCase):
    """Tests of a listening socket that is about to be closed."""

    def listen(self) -> Any:
        """Listen somewhere, without letting anybody in yet."""
        from twisted.internet import reactor

        factory: Any = Factory.forProtocol(GreetingProtocol)
        port: Any = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        port.stopReading()
        return port

    def connect(self, port: Any) -> socket.socket:
        """Begin to connect, which may take a while."""
        client = socket.socket()
        self.addCleanup(client.close)
        client.setblocking(False)
        client.connect_ex(("127.0.0.1", port.getHost().port))
        return client

    def is_connected(self, client: socket.socket) -> bool:
        """Whether the kernel has made the connection."""
        try:
            client.getpeername()
        except OSError:
            return False
        return True

    async def test_many_may_wait_to_be_let_in(self) -> None:
        """All who connect are connected, though nobody is let in for a while."""
        port = self.listen()
        set_backlog(port, "tcp:0")
        clients = [self.connect(port) for _ in range(200)]
        self.assertEqual([each for each in clients if not self.is_connected(each)], [])
        accept_backlog(port)

    async def test_how_many_may_wait_can_be_said(self) -> None:
        """What an endpoint says of it holds."""
        port = self.listen()
        port.socket.listen(10)
        set_backlog(port, "tcp:0:backlog=10")
        clients = [self.connect(port) for _ in range(100)]
        self.assertLess(sum(map(self.is_connected, clients)), 100)
        set_backlog(object(), "onion:80")  # type: ignore[arg-type]

    async def test_who_came_before_is_let_in_and_nobody_after(self) -> None:
        """The one gets its answer; the other is told that nobody is there."""
        from twisted.internet import reactor

        port = self.listen()
        before = self.connect(port)
        self.assertTrue(self.is_connected(before))
        reject_new_connections(port, "tcp:0")
        after = self.connect(port)
        self.assertFalse(self.is_connected(after))
        accept_backlog(port)
        await port.stopListening()
        for _ in range(3):
            turn: Deferred[None] = Deferred()
            reactor.callLater(0, turn.callback, None)
            await turn
        before.setblocking(True)
        before.settimeout(10)
        self.assertEqual(before.recv(100), b"hello")
        self.assertFalse(self.is_connected(after))

    def test_what_systemd_has_opened_stays_open(self) -> None:
        """It is for whoever comes next; all else is closed with the service."""
        for description in ("systemd:domain=INET:index=0", "haproxy:systemd:index=0"):
            self.assertTrue(is_systemd_socket(description))
        for description in ("tcp:8000", "unix:/run/systemd", "haproxy:tcp:8000"):
            self.assertFalse(is_systemd_socket(description))

    def test_a_socket_that_may_be_shared_is_left_as_it_is(self) -> None:
        """Who knows what else listens on the socket of an unknown endpoint?"""
        port = self.listen()
        reject_new_connections(port, "onion:80")
        self.assertTrue(self.is_connected(self.connect(port)))

    def test_what_is_no_tcp_socket_is_left_as_it_is(self) -> None:
        """There is nothing that could be told."""
        reject_new_connections(object(), "tcp:0")  # type: ignore[arg-type]
