"""
Faults of clients: slow, many, gone, in a hurry.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
from resource import RLIMIT_NOFILE, getrlimit, setrlimit
from shutil import which
from unittest import skipIf

from ..integration.http_connection import HTTPConnection
from ..integration.server import wait_until
from ..integration.test_workers import count_connections
from .cases import (
    FULL_RUN,
    LOVE_QUERY,
    BackgroundClients,
    Fault,
    parse_metrics,
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


class SlowFault(Fault):
    """
    A fault that slowhttptest makes.

    @cvar mode: its arguments that say how clients are slow.
    """

    options = (
        *("--request-timeout=2", "--send-timeout=2", "--idle-timeout=2"),
        "--drain-timeout=5",
    )
    mode: tuple[str, ...]
    seconds = 8

    def start_slow_clients(self) -> None:
        """Have slow clients connect, until many have."""
        tool = subprocess.Popen(
            [
                *(
                    "slowhttptest",
                    *self.mode,
                    "-u",
                    self.server.url + self.requested_path(),
                ),
                *(
                    "-c",
                    str(SLOW_CLIENTS),
                    "-r",
                    str(SLOW_CLIENTS),
                    "-l",
                    str(self.seconds),
                ),
                *("-p", "5", "-v", "0"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.addCleanup(tool.wait)
        self.addCleanup(tool.kill)
        self.slowhttptest = tool
        self.peak_connections = 0
        wait_until(
            self.has_enough_connections, f"more than {SLOW_CLIENTS // 2} slow clients"
        )

    def requested_path(self) -> str:
        """What they ask for."""
        return "/api/v1/json"

    def has_enough_connections(self) -> bool:
        """Look how many there are. The first may be cut before the last connects."""
        self.peak_connections = max(
            self.peak_connections, int(parse_metrics(self.server)["quotes_connections"])
        )
        return self.peak_connections > SLOW_CLIENTS // 2

    def inject_with_requests(self) -> list[HTTPConnection]:
        """Have others wait for their answers meanwhile."""
        self.start_slow_clients()
        return [self.server.connect().send_get("/wait?seconds=1") for _ in range(20)]

    def inject_and_check(self) -> str:
        """Have others search meanwhile; look that the slow ones are cut."""
        question = {**LOVE_QUERY, "dictionary": "book"}
        with BackgroundClients(self.server, question) as others:
            self.start_slow_clients()
            others.wait_for_more(100)
            self.slowhttptest.wait()
            others.wait_for_more(10)
        self.assertEqual(set(others.codes), {200})
        return f"{self.check_disconnected()}, {others.codes[200]} x 200 for others"

    def check_disconnected(self) -> str:
        """What became of the slow ones: each got a 408."""
        count = self.metric_increase('quotes_requests_total{code="408",route="none"}')
        self.assertGreaterEqual(count, SLOW_CLIENTS)
        return f"{count} x 408"

    def metric_increase(self, name: str) -> int:
        """By how much a metric has grown since the beginning."""
        return int(
            parse_metrics(self.server).get(name, 0) - self.metrics_before.get(name, 0)
        )


@skipIf(NO_SLOWHTTPTEST, "slowhttptest is not installed")
class SlowHeadersTests(SlowFault):
    """Tests of clients whose headers never end."""

    fault_description = (
        f"slowhttptest -H: {SLOW_CLIENTS} clients whose headers never end"
    )
    expected_behavior = "408 after --request-timeout (2 s), others searched as ever"
    mode = ("-H", "-i", "1")


@skipIf(NO_SLOWHTTPTEST, "slowhttptest is not installed")
class SlowBodiesTests(SlowFault):
    """Tests of clients whose bodies never end."""

    fault_description = (
        f"slowhttptest -B: {SLOW_CLIENTS} clients whose bodies never end"
    )
    expected_behavior = "408 after --request-timeout (2 s), others searched as ever"
    mode = ("-B", "-i", "1", "-s", "8192")


@skipIf(NO_SLOWHTTPTEST, "slowhttptest is not installed")
class SlowReadersTests(SlowFault):
    """Tests of clients who read a few bytes at a time."""

    fault_description = (
        f"slowhttptest -X: {SLOW_CLIENTS} clients who read 5 bytes a second"
    )
    expected_behavior = (
        "cut when they take nothing for --send-timeout (2 s), others as ever"
    )
    allows_forced_shutdown = True
    mode = ("-X", "-n", "1", "-w", "10", "-y", "20", "-z", "5", "-k", "3")

    def prepare_server(self) -> None:
        """Have more than fits into a socket."""
        quotes = "\n\n".join(f"{number} {'x' * 500}" for number in range(8000))
        (self.library / "long").write_text(quotes)

    def requested_path(self) -> str:
        """A long answer."""
        return "/api/v2/quotes?dictionary=long&limit=1000"

    def check_disconnected(self) -> str:
        """All are gone, and their requests are counted."""
        wait_until(
            lambda: parse_metrics(self.server)["quotes_connections"] == 1, "their end"
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
    """Tests of more connections than there may be."""

    fault_description = (
        f"{MAX_CONNECTIONS + 1000} connections, --max-connections={MAX_CONNECTIONS}"
    )
    expected_behavior = "503 and close beyond that; those that are in are served"
    options = (f"--max-connections={MAX_CONNECTIONS}",)

    def prepare_server(self) -> None:
        """Be allowed to open as many."""
        limits = getrlimit(RLIMIT_NOFILE)
        self.addCleanup(setrlimit, RLIMIT_NOFILE, limits)
        setrlimit(RLIMIT_NOFILE, (limits[1], limits[1]))

    def connect(self) -> tuple[list[HTTPConnection], list[HTTPConnection]]:
        """Connect as often as may be, and then a thousand times more."""
        inside = [HTTPConnection(self.server.address) for _ in range(MAX_CONNECTIONS)]
        # Which one comes too late is known when all of these are in.
        wait_until(lambda: self.accepted_count() >= MAX_CONNECTIONS, "all let in")
        return inside, [HTTPConnection(self.server.address) for _ in range(1000)]

    def accepted_count(self) -> int:
        """How many connections have been let in."""
        port = self.server.address[1]
        return sum(count_connections(pid, port) for pid in self.server.serving_pids)

    def inject_with_requests(self) -> list[HTTPConnection]:
        """Have many idle, and twenty that ask."""
        inside, outside = self.connect()
        for each in outside:
            each.close()
        for each in inside:
            self.addCleanup(each.close)
        return [each.send_get("/wait?seconds=1") for each in inside[:20]]

    def inject_and_check(self) -> str:
        """See who is answered what."""
        inside, outside = self.connect()
        refused = read_responses(outside)
        for response in refused:
            self.check_error(response, 503)
        for each in inside[::100]:
            self.assertEqual(each.send_query(LOVE_QUERY).read_response().status, 200)
        for each in inside:
            each.close()
        return f"{len(inside)} served, {len(refused)} x 503"


class DisconnectTests(Fault):
    """Tests of clients who leave in the middle."""

    fault_description = (
        f"{DISCONNECTS} clients leave at any point of a request, half by a reset"
    )
    expected_behavior = (
        "nothing is left of them, others get their answers in their turn"
    )

    def disconnect_clients(self, count: int) -> None:
        """Ask, as far as it goes, and leave."""
        body = json.dumps({**LOVE_QUERY, "dictionary": "book"}).encode()
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
        """Have some leave while others wait."""
        staying = [self.server.connect().send_get("/wait?seconds=1") for _ in range(20)]
        self.disconnect_clients(100)
        return staying

    def inject_and_check(self) -> str:
        """Have many leave while others search."""
        with BackgroundClients(
            self.server, {**LOVE_QUERY, "dictionary": "other"}
        ) as others:
            self.disconnect_clients(DISCONNECTS)
            others.wait_for_more()
        self.assertEqual(set(others.codes), {200})
        metrics = parse_metrics(self.server)
        left = sum(count for name, count in metrics.items() if 'code="499"' in name)
        return f"{others.codes[200]} x 200 for others, metrics: {left:.0f} x 499"


class PipeliningTests(Fault):
    """Tests of clients who do not wait for an answer before they ask again."""

    fault_description = f"{PIPELINED} searches sent at once on each of 4 connections"
    expected_behavior = "answered in order; others have their turn in between"

    def pipeline(self, count: int) -> HTTPConnection:
        """Send so many searches at once, each for another number of lines."""
        requests = []
        for number in range(count):
            question = {**LOVE_QUERY, "dictionary": "book", "nresults": number % 9 + 1}
            body = json.dumps(question).encode()
            requests.append(HEAD % len(body) + body)
        return self.server.connect().send(b"".join(requests))

    def inject_with_requests(self) -> list[HTTPConnection]:
        """Have some answered in a row."""
        conversation = self.pipeline(20)
        return [conversation] * 20

    def inject_and_check(self) -> str:
        """See that each is the answer to its question."""
        with BackgroundClients(
            self.server, {**LOVE_QUERY, "dictionary": "other"}
        ) as others:
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
        return f"{4 * PIPELINED} in order, {between} of others in between"


class LongAnswerTests(Fault):
    """Tests of clients who read long answers slowly."""

    fault_description = f"{READERS} slow readers of {MEGABYTES} MB each"
    expected_behavior = "less than 400 MB of memory; others searched as ever"

    def prepare_server(self) -> None:
        """Write a long dictionary."""
        block = "".join(f"Quote {n} is about love, and long.\n" for n in range(10_000))
        with (self.library / "long").open("w") as file:
            while file.tell() < MEGABYTES * 2**20:
                file.write(block)
        (self.library / "less").write_text(block * 10)

    def inject_with_requests(self) -> list[HTTPConnection]:
        """Have some read on while the end has begun."""
        question = {"action": "all", "dictionary": "less"}
        return [self.server.connect(4096).send_query(question) for _ in range(5)]

    def inject_and_check(self) -> str:
        """Have all read a little, for a while, and look at the memory."""
        question = {"action": "all", "dictionary": "long"}
        memory = 0.0
        with BackgroundClients(
            self.server, {**LOVE_QUERY, "dictionary": "other"}
        ) as others:
            readers = [
                self.server.connect(4096).send_query(question) for _ in range(READERS)
            ]
            for _ in range(20):
                for each in readers:
                    each.socket.recv(2000)
                others.wait_for_more(1)
                now = parse_metrics(self.server)["process_resident_memory_bytes"]
                memory = max(memory, now)
            for each in readers:
                each.close()
        self.assertEqual(set(others.codes), {200})
        self.assertLess(memory, 400 * 2**20)
        return f"{memory / 2**20:.0f} MB at most, {others.codes[200]} x 200 for others"
