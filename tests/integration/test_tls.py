"""
Tests of TLS with a temporary certificate.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Sequence
from typing import ClassVar

from .cases import LibraryTestCase
from .certificate import write_certificate
from .http_connection import TIMEOUT
from .server import Server

REQUEST = b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n%b\r\n"


class TLSTestCase(LibraryTestCase):
    """A server with an endpoint with TLS."""

    server: Server
    options: ClassVar[Sequence[str]] = ()

    def setUp(self) -> None:
        super().setUp()
        (self.library / "book").write_text("love\n")
        write_certificate(self.folder)
        self.server = self.serve(
            *("--drain-timeout=25", *self.options),
            listen="ssl:0:interface=127.0.0.1"
            f":privateKey={self.folder / 'key.pem'}"
            f":certKey={self.folder / 'certificate.pem'}",
            twist_options=("--log-level=debug",),
        )
        self.context = ssl.create_default_context(
            cafile=str(self.folder / "certificate.pem")
        )

    def connect(self) -> ssl.SSLSocket:
        """Connect, and verify the certificate."""
        plain = socket.create_connection(self.server.address, TIMEOUT)
        secure = self.context.wrap_socket(plain, server_hostname="127.0.0.1")
        self.addCleanup(secure.close)
        return secure


class TLSTests(TLSTestCase):
    """Tests of an endpoint with TLS."""

    def test_links_in_responses_use_https(self) -> None:
        client = self.connect()
        client.sendall(REQUEST.replace(b"livez", b"nothing") % b"Connection: close\r\n")
        received = b"".join(iter(lambda: client.recv(1 << 16), b""))
        self.assertIn(b"404", received)
        self.assertIn(b"https://127.0.0.1/api/v1/web", received)

    def test_plain_http_gets_no_response(self) -> None:
        """Other clients are not affected."""
        with socket.create_connection(self.server.address, TIMEOUT) as plain:
            plain.sendall(REQUEST % b"")
            received = plain.recv(100)
            self.assertNotIn(b"HTTP", received)
        self.test_links_in_responses_use_https()

    def test_open_connections_do_not_delay_the_shutdown(self) -> None:
        """They are idle, are just closed, or have not started a handshake."""
        idle, last = self.connect(), self.connect()
        idle.sendall(REQUEST % b"")
        self.assertIn(b"200 OK", idle.recv(1 << 16))
        last.sendall(REQUEST % b"Connection: close\r\n")
        self.server.wait_for_log_line("GET /livez 200(?s:.*)")
        self.enterContext(socket.create_connection(self.server.address, TIMEOUT))
        self.server.stop()
        self.assertFalse([x for x in self.server.lines if "Forcing the shutdown" in x])


class HandshakeTimeoutTests(TLSTestCase):
    """Tests of a time for requests that is short, and a time to be idle that is not."""

    options = ("--request-timeout=2", f"--idle-timeout={100 * TIMEOUT}")

    def test_an_incomplete_handshake_is_closed(self) -> None:
        """Also if a part of it has arrived; a complete one may be idle."""
        idle = self.connect()
        for data in (b"", b"\x16\x03\x01"):
            with (
                socket.create_connection(self.server.address, TIMEOUT) as client,
                contextlib.suppress(ConnectionResetError),
            ):
                client.sendall(data)
                self.assertEqual(client.recv(100), b"")
        idle.sendall(REQUEST % b"")
        self.assertIn(b"200 OK", idle.recv(1 << 16))


class ProxyHeaderTimeoutTests(LibraryTestCase):
    """Tests of an endpoint behind a proxy that names its clients."""

    def test_an_incomplete_header_is_closed(self) -> None:
        """Also if a part of it has arrived; after a complete one it may be idle."""
        (self.library / "book").write_text("love\n")
        server = self.serve(
            *HandshakeTimeoutTests.options, listen="haproxy:tcp:0:interface=127.0.0.1"
        )
        idle = self.enterContext(socket.create_connection(server.address, TIMEOUT))
        idle.sendall(b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n")
        for data in (b"", b"PROXY TCP4 "):
            with socket.create_connection(server.address, TIMEOUT) as client:
                client.sendall(data)
                self.assertEqual(client.recv(100), b"")
        idle.sendall(REQUEST % b"")
        self.assertIn(b"200 OK", idle.recv(1 << 16))
