"""
Tests of TLS with a temporary certificate.
"""

from __future__ import annotations

import socket
import ssl

from .cases import LibraryTestCase
from .certificate import write_certificate
from .http_connection import TIMEOUT
from .server import Server

REQUEST = b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n%b\r\n"


class TLSTests(LibraryTestCase):
    """Tests of an endpoint with TLS."""

    server: Server

    def setUp(self) -> None:
        super().setUp()
        (self.library / "book").write_text("love\n")
        write_certificate(self.folder)
        self.server = self.serve(
            "--drain-timeout=25",
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
