"""
Attacks by one client that sends much and reads nothing, or that holds much open.
"""

from __future__ import annotations

import socket

from ..integration.http_connection import HTTPConnection
from .cases import BYSTANDER_ADDRESS, FULL_RUN, Attack, count_statuses, parse_metrics

ATTACKERS = 8 if FULL_RUN else 4
PAGES = 400
READERS = 200 if FULL_RUN else 100
WAIT_REQUESTS, IDLE_CONNECTIONS = 1000, 1160
STREAMS = 700

MEGABYTE = 2**20
GET = "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
POST = b"POST /api/v1/json HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n"


class UnreadFault(Attack):
    """
    A fault of clients that do not read.

    @cvar growth: by how much the memory of the service may grow, in bytes.
    """

    growth: int
    options = ("--drain-timeout=2",)

    def prepare_server(self) -> None:
        """Have long answers."""
        quotes = "\n\n".join(f"{number} love {'x' * 8000}" for number in range(1100))
        (self.library / "long").write_text(quotes)
        (self.library / "lines").write_text("love\n" * 2_000_000)

    def connect_slow_client(self) -> HTTPConnection:
        """A client that reads little."""
        return self.connect_attacker(receive_buffer=4096)

    def resident_bytes(self) -> float:
        """The memory of all processes that serve, in bytes."""
        return parse_metrics(self.server)["process_resident_memory_bytes"]

    def inject_with_requests(self) -> list[HTTPConnection]:
        """Attack, and have others wait for their answers meanwhile."""
        self.attack()
        waiting = [
            HTTPConnection(
                self.server.address, source_address=BYSTANDER_ADDRESS
            ).send_get("/wait?seconds=1")
            for _ in range(5)
        ]
        for each in waiting:
            self.addCleanup(each.close)
        return waiting

    def inject_and_check(self) -> str:
        """Attack, and see what it costs the service and another client."""
        memory, alone = self.resident_bytes(), self.measure_latency()
        self.attack()
        beside = self.measure_latency()
        with HTTPConnection(
            self.server.address, source_address=BYSTANDER_ADDRESS
        ) as probe:
            self.assertEqual(probe.send_get("/livez").read_response().status, 200)
        grown = self.resident_bytes() - memory
        self.assertLess(grown, self.growth)
        self.disconnect_attackers()
        # Another client on the same machine takes its share of the processors.
        self.assertLess(beside, max(10 * alone, 0.1))
        return f"+{grown / MEGABYTE:.0f} MB, others wait {beside / alone:.1f} x as long"


class PipelineTests(UnreadFault):
    """Tests of pipelined requests, then of a body without end."""

    fault_description = (
        f"{ATTACKERS} x {PAGES} pipelined requests, then bytes without end, unread"
    )
    expected_behavior = "read only as fast as the answers are; others as ever"
    growth = 64 * MEGABYTE

    def attack(self) -> None:
        """Send as much as the service takes."""
        pages = GET % "/api/v1/web" * PAGES + GET % "/wait?seconds=5"
        quotes = GET % "/api/v2/quotes?dictionary=*&limit=1000" * PAGES
        body = POST % 10**9 + b"x" * (32 * MEGABYTE)
        for requests in (pages, quotes):
            for _ in range(ATTACKERS // 2):
                client = self.connect_slow_client()
                client.socket.settimeout(1)
                try:
                    client.send(requests.encode() + body)
                except (TimeoutError, ConnectionError):
                    # It takes no more, or has refused a body of that length.
                    continue
                self.fail("the service has read all that was sent")


class UnreadPagesTests(UnreadFault):
    """Tests of long answers that nobody reads."""

    fault_description = (
        f"{READERS} unread pages of 8 MiB, and as many unread answers to all"
    )
    expected_behavior = (
        "no more than --max-unsent-bytes; then 429 or 503; others as ever"
    )
    growth = 448 * MEGABYTE

    def attack(self) -> None:
        """Ask, and do not read."""
        for _ in range(READERS):
            self.connect_slow_client().send_get(
                "/api/v2/quotes?dictionary=long&limit=1000"
            )
            self.connect_slow_client().send_query(
                {"action": "all", "dictionary": "lines"}
            )
        for client in self.attackers:
            client.socket.recv(1, socket.MSG_PEEK)
        unsent = parse_metrics(self.server)["quotes_unsent_bytes"]
        self.assertLess(unsent, 256 * MEGABYTE)


class FilesTests(UnreadFault):
    """Tests of all that keeps files open, where few may be."""

    fault_description = (
        f"{WAIT_REQUESTS} x /wait, {IDLE_CONNECTIONS} idle, {STREAMS} "
        "unread streams, ulimit -n 2048"
    )
    expected_behavior = (
        "an answer to each, if only a 503 or 429; probes and others as ever"
    )
    growth = 256 * MEGABYTE
    prefix = ("prlimit", "--nofile=1024:2048")

    def attack(self) -> None:
        """Have as much open as the service takes, and see that each is answered."""
        streams = [self.connect_slow_client() for _ in range(STREAMS)]
        for each in streams:
            each.send_query({"action": "all", "dictionary": "lines"})
        for each in streams:
            each.socket.recv(1, socket.MSG_PEEK)
        waits = [self.server.connect() for _ in range(WAIT_REQUESTS)]
        for each in waits:
            each.send_get("/wait?seconds=1")
        codes = [each.read_response() for each in waits]
        self.assertLessEqual({each.status for each in codes}, {200, 429, 503})
        self.observed = count_statuses(codes)
        self.attackers += [self.server.connect() for _ in range(IDLE_CONNECTIONS)]
        self.attackers += waits

    def inject_and_check(self) -> str:
        """See that another client is served."""
        observed = super().inject_and_check()
        self.assertEqual([x for x in self.server.lines if "Too many open" in x], [])
        return f"/wait: {self.observed}; {observed}"
