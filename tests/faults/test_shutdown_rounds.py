"""
Shutdown under load at random moments, many times.
"""

from __future__ import annotations

import json
import random
import signal
import socket
from collections import Counter
from threading import Event, Thread

from ..integration.cases import LOVE_QUERY, LibraryTestCase
from ..integration.http_connection import TIMEOUT
from ..integration.server import Server
from .cases import FULL_RUN, format_counts, report

ROUNDS = 100 if FULL_RUN else 4
CLIENTS = 64
BODY = json.dumps(LOVE_QUERY).encode()
REQUEST = (
    b"POST /api/v1/json HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n%b\r\n%b"
)


class RepeatingClient:
    """
    A client that sends requests until its connection is refused.

    @param keep_alive: whether it reuses its connection while the server allows it.
    @ivar counts: the number of responses with each status, and of other results.
    """

    def __init__(self, server: Server, keep_alive: bool, stop_event: Event) -> None:
        self.counts = Counter[str]()
        self._address = server.address
        header = b"" if keep_alive else b"Connection: close\r\n"
        self._request = REQUEST % (len(BODY), header, BODY)
        self._stop_event = stop_event
        self.thread = Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        while not self._stop_event.is_set():
            try:
                connection = socket.create_connection(self._address, TIMEOUT)
            except OSError:
                self.counts["refused"] += 1
                return
            with connection:
                while self._send_request(connection):
                    pass

    def _send_request(self, connection: socket.socket) -> bool:
        """Send a request; return whether the connection can be reused."""
        received = b""
        try:
            connection.sendall(self._request)
            while not self._is_complete(received):
                data = connection.recv(1 << 16)
                if not data:
                    raise ConnectionError("cut short")
                received += data
        except OSError as error:
            self.counts[f"lost: {error!r} after {len(received)} bytes"] += 1
            return False
        self.counts[received[9:12].decode()] += 1
        return b"connection: close" not in received.lower()

    def _is_complete(self, received: bytes) -> bool:
        head, end, body = received.partition(b"\r\n\r\n")
        if not end:
            return False
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        return len(body) == int(length)


class ShutdownRoundTests(LibraryTestCase):
    """Tests of a shutdown at any moment."""

    def test_no_request_is_lost_during_a_shutdown(self) -> None:
        """Each request that was sent gets a complete response."""
        (self.library / "book").write_text("love\n" * 50)
        source = random.Random(1)
        counts = Counter[str]()
        for number in range(ROUNDS):
            stop_event = Event()
            with self.subTest(round=number):
                server = Server(f"--dictionaries={self.library}")
                self.addCleanup(server.kill)
                clients = [
                    RepeatingClient(server, n % 2 == 0, stop_event)
                    for n in range(CLIENTS)
                ]
                stop_event.wait(source.uniform(0.2, 0.8))
                server.send_signal(source.choice((signal.SIGTERM, signal.SIGINT)))
                status = server.wait_for_exit()
                stop_event.set()
                for client in clients:
                    client.thread.join(TIMEOUT)
                    counts += client.counts
                self.assertIn(status, (-signal.SIGTERM, -signal.SIGINT))
                self.assertFalse(
                    [x for x in server.lines if "Forcing the shutdown" in x]
                )
        report(
            f"{ROUNDS} x SIGTERM or SIGINT at any moment, with {CLIENTS} clients",
            "each request that was sent gets a complete response",
            format_counts(counts),
        )
        self.assertGreater(counts["200"], 100 * ROUNDS)
        self.assertEqual([each for each in counts if each.startswith("lost")], [])
