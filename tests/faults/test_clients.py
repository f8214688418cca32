"""
Faults caused by clients: slow reading, many connections, sudden disconnects.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
from shutil import which
from unittest import skipIf

from ..integration.cases import LOVE_QUERY
from ..integration.http_connection import HTTPConnection
from ..integration.server import count_connections, wait_until
from .cases import (
    BOOK_QUERY,
    FULL_RUN,
    MEGABYTE,
    MEMORY_METRIC,
    OTHER_QUERY,
    BackgroundClients,
    Fault,
    allow_many_descriptors,
    read_responses,
)

NO_SLOWHTTPTEST = which("slowhttptest") is None and not os.environ.get("CI")
SLOW_CLIENTS = 200 if FULL_RUN else 50
MAX_CONNECTIONS = 4000 if FULL_RUN else 400
DISCONNECTS = 10_000 if FULL_RUN else 1000
READERS, MEGABYTES = (200, 50) if FULL_RUN else (40, 10)
PIPELINED = 500
HEAD = b"POST /api/v1/json HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
LINGER_RESET = struct.pack("ii", 1, 0)


@skipIf(NO_SLOWHTTPTEST, "slowhttptest is not installed")
class SlowFault(Fault):
    """
    A fault that slowhttptest makes.

    @cvar mode: the arguments that say how the clients are slow.
    @cvar path: the path that they request.
    """

    options = (
        *("--request-timeout=2", "--send-timeout=2", "--idle-timeout=2"),
        "--drain-timeout=5",
    )
    mode: tuple[str, ...]
    path = "/api/v1/json"

    def start_slow_clients(self) -> None:
        """Start slowhttptest, and wait until most clients have connected."""
        self.slowhttptest = subprocess.Popen(
            [
                *("slowhttptest", *self.mode, "-u", self.server.url + self.path),
                *("-c", str(SLOW_CLIENTS), "-r", str(SLOW_CLIENTS)),
                *("-l", "8", "-p", "5", "-v", "0"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.addCleanup(self.slowhttptest.wait)
        self.addCleanup(self.slowhttptest.kill)
        # Not all: the first may be closed before the last connects.
        wait_until(
            lambda: (
                self.server.read_metrics()["quotes_connections"] > SLOW_CLIENTS // 2
            ),
            f"more than {SLOW_CLIENTS // 2} slow clients",
        )

    def inject_with_requests(self) -> list[HTTPConnection]:
        self.start_slow_clients()
        return [self.server.connect().send_get("/wait?seconds=1") for _ in range(20)]

    def inject_and_check(self) -> str:
        with BackgroundClients(self.server, BOOK_QUERY) as others:
            self.start_slow_clients()
            others.wait_for_more(100)
            self.slowhttptest.wait()
            others.wait_for_more(10)
        self.assertEqual(set(others.codes), {200})
        return f"{self.check_disconnected()}, {others.codes[200]} x 200 for others"

    def check_disconnected(self) -> str:
        """Check that each slow client got a 408."""
        count = self.metric_increase('quotes_requests_total{code="408",route="none"}')
        self.assertGreaterEqual(count, SLOW_CLIENTS)
        return f"{count} x 408"


class SlowHeadersTests(SlowFault):
    fault_description = (
        f"{SLOW_CLIENTS} clients send headers slowly without end (slowhttptest -H)"
    )
    expected_behavior = (
        "408 after --request-timeout (2 s); other clients are served as usual"
    )
    mode = ("-H", "-i", "1")


class SlowBodiesTests(SlowFault):
    fault_description = (
        f"{SLOW_CLIENTS} clients send bodies slowly without end (slowhttptest -B)"
    )
    expected_behavior = SlowHeadersTests.expected_behavior
    mode = ("-B", "-i", "1", "-s", "8192")


class SlowReadersTests(SlowFault):
    fault_description = (
        f"{SLOW_CLIENTS} clients read 5 bytes per second (slowhttptest -X)"
    )
    expected_behavior = (
        "connections are closed if no data can be sent for --send-timeout (2 s); "
        "other clients are served as usual"
    )
    allows_forced_shutdown = True
    mode = ("-X", "-n", "1", "-w", "10", "-y", "20", "-z", "5", "-k", "3")
    path = "/api/v2/quotes?dictionary=long&limit=1000"

    def prepare_server(self) -> None:
        """Write more than the buffers of a socket can hold."""
        quotes = "\n\n".join(f"{number} {'x' * 500}" for number in range(8000))
        (self.library / "long").write_text(quotes)

    def check_disconnected(self) -> str:
        """Check that all slow clients are disconnected, and count their requests."""
        wait_until(
            lambda: self.server.read_metrics()["quotes_connections"] == 1,
            "the end of all other connections",
        )
        count = sum(
            self.metric_increase(
                f'quotes_requests_total{{code="{code}",route="/api/v2/quotes"}}'
            )
            for code in (200, 499)
        )
        self.assertGreaterEqual(count, SLOW_CLIENTS)
        return f"{count} x 200 or 499"


class TooManyConnectionsTests(Fault):
    fault_description = (
        f"{MAX_CONNECTIONS + 1000} connections, --max-connections={MAX_CONNECTIONS}"
    )
    expected_behavior = (
        "connections above the limit get a 503 and are closed; others are served"
    )
    options = (f"--max-connections={MAX_CONNECTIONS}",)

    def prepare_server(self) -> None:
        """Allow this process as many connections."""
        allow_many_descriptors(self)

    def connect(self) -> tuple[list[HTTPConnection], list[HTTPConnection]]:
        """Open as many connections as allowed, and then a thousand more."""
        accepted = [self.server.connect() for _ in range(MAX_CONNECTIONS)]
        port = self.server.address[1]
        wait_until(
            lambda: (
                sum(count_connections(pid, port) for pid in self.server.serving_pids)
                >= MAX_CONNECTIONS
            ),
            "all connections accepted",
        )
        return accepted, [self.server.connect() for _ in range(1000)]

    def inject_with_requests(self) -> list[HTTPConnection]:
        """Open idle connections, and send a request on twenty of them."""
        accepted, rejected = self.connect()
        for each in rejected:
            each.close()
        return [each.send_get("/wait?seconds=1") for each in accepted[:20]]

    def inject_and_check(self) -> str:
        accepted, rejected = self.connect()
        responses = read_responses(rejected)
        for response in responses:
            self.check_error(response, 503)
        for each in accepted[::100]:
            self.assertEqual(each.send_query(LOVE_QUERY).read_response().status, 200)
        for each in accepted:
            each.close()
        return f"{len(accepted)} served, {len(responses)} x 503"


class DisconnectTests(Fault):
    fault_description = (
        f"{DISCONNECTS} clients disconnect at any point of a request, half of them "
        "with a reset"
    )
    expected_behavior = "all their resources are freed; other clients are served"

    def disconnect_clients(self, count: int) -> None:
        """Send parts of requests or whole ones, and disconnect."""
        body = json.dumps(BOOK_QUERY).encode()
        request = HEAD % len(body) + body
        for number in range(count):
            with socket.create_connection(self.server.address) as connection:
                connection.sendall(request[: 1 + number % len(request)])
                if number % 3 == 0:
                    connection.sendall(request[1 + number % len(request) :])
                if number % 2:
                    connection.setsockopt(
                        socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET
                    )

    def inject_with_requests(self) -> list[HTTPConnection]:
        waiting = [self.server.connect().send_get("/wait?seconds=1") for _ in range(20)]
        self.disconnect_clients(100)
        return waiting

    def inject_and_check(self) -> str:
        with BackgroundClients(self.server, OTHER_QUERY) as others:
            self.disconnect_clients(DISCONNECTS)
            others.wait_for_more()
        self.assertEqual(set(others.codes), {200})
        metrics = self.server.read_metrics()
        count = sum(value for name, value in metrics.items() if 'code="499"' in name)
        return f"{others.codes[200]} x 200 for others, metrics: {count:.0f} x 499"


class PipeliningTests(Fault):
    fault_description = f"{PIPELINED} pipelined searches on each of 4 connections"
    expected_behavior = "responses are in order; other clients are served in between"

    def pipeline(self, count: int) -> HTTPConnection:
        """Send searches at once, each with a different limit."""
        requests = []
        for number in range(count):
            body = json.dumps({**BOOK_QUERY, "nresults": number % 9 + 1}).encode()
            requests.append(HEAD % len(body) + body)
        return self.server.connect().send(b"".join(requests))

    def inject_with_requests(self) -> list[HTTPConnection]:
        return [self.pipeline(20)] * 20

    def inject_and_check(self) -> str:
        with BackgroundClients(self.server, OTHER_QUERY) as others:
            pipelines = [self.pipeline(PIPELINED) for _ in range(4)]
            before = others.codes.total()
            for number in range(PIPELINED):
                for each in pipelines:
                    count = each.read_response().json()["nr of entries"]
                    self.assertEqual(count, number % 9 + 1)
            between = others.codes.total() - before
            for each in pipelines:
                each.close()
        self.assertGreater(between, 10)
        self.assertEqual(set(others.codes), {200})
        return f"{4 * PIPELINED} in order, {between} for others in between"


class LongResponseTests(Fault):
    fault_description = f"{READERS} clients slowly read {MEGABYTES} MB each"
    expected_behavior = (
        "less than 400 MB of memory is used; other clients are served as usual"
    )

    def prepare_server(self) -> None:
        block = "".join(f"Quote {n} is about love, and long.\n" for n in range(10_000))
        with (self.library / "long").open("w") as file:
            while file.tell() < MEGABYTES * MEGABYTE:
                file.write(block)
        (self.library / "less").write_text(block * 10)

    def start_readers(self, dictionary: str, count: int) -> list[HTTPConnection]:
        """Request all lines of a dictionary."""
        query = {"action": "all", "dictionary": dictionary}
        return [self.server.connect(4096).send_query(query) for _ in range(count)]

    def inject_with_requests(self) -> list[HTTPConnection]:
        """The rest is read during the shutdown."""
        return self.start_readers("less", 5)

    def inject_and_check(self) -> str:
        """Read a little in turn, and measure the memory."""
        memory = 0.0
        with BackgroundClients(self.server, OTHER_QUERY) as others:
            readers = self.start_readers("long", READERS)
            for _ in range(20):
                for each in readers:
                    each.socket.recv(2000)
                others.wait_for_more(1)
                memory = max(memory, self.server.read_metrics()[MEMORY_METRIC])
            for each in readers:
                each.close()
        self.assertEqual(set(others.codes), {200})
        self.assertLess(memory, 400 * MEGABYTE)
        return (
            f"at most {memory / MEGABYTE:.0f} MB, {others.codes[200]} x 200 for others"
        )
