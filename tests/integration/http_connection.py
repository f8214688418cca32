"""
An HTTP client that works directly on a socket.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

TIMEOUT = 30.0
"""The maximum time to wait for any condition in these tests, in seconds."""


@dataclass(frozen=True)
class Response:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Parse the body as JSON."""
        return json.loads(self.body)


class HTTPConnection:
    """
    A connection to a server.

    @param address: the host and port, or the path of a UNIX socket.
    @param receive_buffer: the size of the receive buffer; a small one for slow reading.
    @param source_address: the address of the client, for example 127.0.0.2.
    """

    def __init__(
        self,
        address: tuple[str, int] | str,
        receive_buffer: int | None = None,
        source_address: str | None = None,
    ) -> None:
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.socket = socket.socket(family)
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source_address is not None:
            self.socket.bind((source_address, 0))
        self.socket.settimeout(TIMEOUT)
        self._received = b""
        try:
            self.socket.connect(address)
        except BaseException:
            self.socket.close()
            raise

    def send(self, data: bytes) -> HTTPConnection:
        self.socket.sendall(data)
        return self

    def send_get(
        self, path: str = "/", *headers: str, method: str = "GET"
    ) -> HTTPConnection:
        """Send a request without a body."""
        return self._send_request(f"{method} {path}", headers)

    def send_query(
        self, query: dict[str, Any] | bytes, *headers: str
    ) -> HTTPConnection:
        """Send a query to API v1."""
        body = query if isinstance(query, bytes) else json.dumps(query).encode()
        headers = f"Content-Length: {len(body)}", *headers
        return self._send_request("POST /api/v1/json", headers, body)

    def _send_request(
        self, target: str, headers: Sequence[str], body: bytes = b""
    ) -> HTTPConnection:
        lines = [f"{target} HTTP/1.1", "Host: 127.0.0.1", *headers, "", ""]
        return self.send("\r\n".join(lines).encode() + body)

    def read_response(self, head_only: bool = False) -> Response:
        while b"\r\n\r\n" not in self._received:
            self._fill_buffer()
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        pairs = (line.split(":", 1) for line in lines)
        headers = {name.lower(): value.strip() for name, value in pairs}
        if head_only:
            body = b""
        elif headers.get("transfer-encoding") == "chunked":
            body = b"".join(iter(self._read_chunk, b""))
        else:
            body = self._read_exactly(int(headers["content-length"]))
        return Response(int(first.split()[1]), headers, body)

    def _read_chunk(self) -> bytes:
        """Read one chunk (RFC 9112, section 7.1), the last of which is empty."""
        while b"\r\n" not in self._received:
            self._fill_buffer()
        size, _, self._received = self._received.partition(b"\r\n")
        return self._read_exactly(int(size, 16) + 2)[:-2]

    def _read_exactly(self, length: int) -> bytes:
        pieces, missing = [self._received], length - len(self._received)
        while missing > 0:
            pieces.append(self._receive_some())
            missing -= len(pieces[-1])
        received = b"".join(pieces)
        self._received = received[length:]
        return received[:length]

    def _fill_buffer(self) -> None:
        self._received += self._receive_some()

    def _receive_some(self) -> bytes:
        data = self.socket.recv(1 << 16)
        if not data:
            raise ConnectionError(f"closed in the middle of {self._received[:200]!r}")
        return data

    def is_closed_by_server(self) -> bool:
        """Wait until the server closes; return whether it sent nothing more."""
        return not self._received and self.socket.recv(1) == b""

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
