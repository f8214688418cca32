"""
Attacks by clients that do not read, or that hold many connections.
"""

from __future__ import annotations

import socket

from ..integration.http_connection import HTTPConnection
from .cases import (
    FULL_RUN,
    MEGABYTE,
    MEMORY_METRIC,
    Attack,
    count_statuses,
)

ATTACKERS = 8 if FULL_RUN else 4
PAGES = 400
READERS = 200 if FULL_RUN else 100
WAIT_REQUESTS, IDLE_CONNECTIONS = 1000, 1160
STREAMS = 700
GET = "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
POST = b"POST /api/v1/json HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n"
ALL_LINES = {"action": "all", "dictionary": "lines"}


class UnreadFault(Attack):
    """
    An attack by clients that do not read.

    @cvar growth: the maximum growth of the memory of the service, in bytes.
    """

    growth: int
    options = ("--drain-timeout=2",)

    def prepare_server(self) -> None:
        quotes = "\n\n".join(f"{number} love {'x' * 8000}" for number in range(1100))
        (self.library / "long").write_text(quotes)
        (self.library / "lines").write_text("love\n" * 2_000_000)

    def connect_slow_client(self) -> HTTPConnection:
        """Connect a client with a small receive buffer."""
        return self.connect_attacker(receive_buffer=4096)

    def inject_with_requests(self) -> list[HTTPConnection]:
        self.attack()
        return [self.connect_bystander().send_get("/wait?seconds=1") for _ in range(5)]

    def inject_and_check(self) -> str:
        memory = self.server.read_metrics()[MEMORY_METRIC]
        latency = self.measure_latency()
        self.attack()
        latency_during = self.measure_latency()
        with self.connect_bystander() as probe:
            self.assertEqual(probe.send_get("/livez").read_response().status, 200)
        growth = self.server.read_metrics()[MEMORY_METRIC] - memory
        self.assertLess(growth, self.growth)
        self.disconnect_attackers()
        # The clients on the same machine use its processors too.
        self.assertLess(latency_during, max(10 * latency, 0.1))
        return (
            f"+{growth / MEGABYTE:.0f} MB, latency of other clients "
            f"{latency_during / latency:.1f} x"
        )


class PipelineTests(UnreadFault):
    fault_description = (
        f"{ATTACKERS} clients send {PAGES} pipelined requests and then an endless "
        "body, and do not read"
    )
    expected_behavior = (
        "requests are read only as fast as responses are sent; other clients are "
        "served as usual"
    )
    growth = 64 * MEGABYTE

    def attack(self) -> None:
        pages = GET % "/api/v1/web" * PAGES + GET % "/wait?seconds=5"
        quotes = GET % "/api/v2/quotes?dictionary=*&limit=1000" * PAGES
        body = POST % 10**9 + b"x" * (32 * MEGABYTE)
        for requests in (pages, quotes):
            for _ in range(ATTACKERS // 2):
                client = self.connect_slow_client()
                client.socket.settimeout(1)
                # The service stops reading, or rejects a body of that length.
                with self.assertRaises(OSError):
                    client.send(requests.encode() + body)


class UnreadPagesTests(UnreadFault):
    fault_description = (
        f"{READERS} clients do not read pages of 8 MiB, {READERS} others do not read "
        "all lines of a dictionary"
    )
    expected_behavior = (
        "at most --max-unsent-bytes are buffered, then 429 or 503; other clients are "
        "served as usual"
    )
    growth = 448 * MEGABYTE

    def attack(self) -> None:
        """Send the requests, and wait until all responses have started."""
        for _ in range(READERS):
            self.connect_slow_client().send_get(
                "/api/v2/quotes?dictionary=long&limit=1000"
            )
            self.connect_slow_client().send_query(ALL_LINES)
        for client in self.attackers:
            client.socket.recv(1, socket.MSG_PEEK)
        unsent = self.server.read_metrics()["quotes_unsent_bytes"]
        self.assertLess(unsent, 256 * MEGABYTE)


class DescriptorUseTests(UnreadFault):
    fault_description = (
        f"{WAIT_REQUESTS} requests to /wait, {IDLE_CONNECTIONS} idle connections and "
        f"{STREAMS} unread streams, with ulimit -n 2048"
    )
    expected_behavior = (
        "each request gets a response, possibly 503 or 429; health checks and other "
        "clients are served as usual"
    )
    growth = 256 * MEGABYTE
    prefix = ("prlimit", "--nofile=1024:2048")

    def attack(self) -> None:
        """Open the connections, and check that all requests get a response."""
        streams = [self.connect_slow_client() for _ in range(STREAMS)]
        for each in streams:
            each.send_query(ALL_LINES)
        for each in streams:
            each.socket.recv(1, socket.MSG_PEEK)
        waits = [self.connect_attacker() for _ in range(WAIT_REQUESTS)]
        for each in waits:
            each.send_get("/wait?seconds=1")
        responses = [each.read_response() for each in waits]
        self.assertLessEqual({each.status for each in responses}, {200, 429, 503})
        self.observed = count_statuses(responses)
        for _ in range(IDLE_CONNECTIONS):
            self.connect_attacker()

    def inject_and_check(self) -> str:
        observed = super().inject_and_check()
        self.assertEqual([x for x in self.server.lines if "Too many open" in x], [])
        return f"/wait: {self.observed}; {observed}"
