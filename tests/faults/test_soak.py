"""
A long day: hundreds of thousands of requests of all kinds, and no leak.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from threading import Thread

from ..integration.http_connection import TIMEOUT, HTTPConnection
from ..integration.server import Server
from .cases import FULL_RUN, FaultTestCase, parse_metrics

REQUESTS_PER_PART = 100_000 if FULL_RUN else 2000
CLIENTS = 8
# The first time of all is not yet like the others, and a small part has few.
MAX_MEMORY_RATIO = 1.03 if FULL_RUN else 1.10


def make_requests(source: random.Random) -> list[tuple[bytes, int]]:
    """Requests of all kinds, as bytes, each with the code of its answer."""

    def ask(code: int, **fields: object) -> tuple[bytes, int]:
        body = json.dumps(fields).encode()
        length = f"Content-Length: {len(body)}"
        lines = ["POST /api/v1/json HTTP/1.1", "Host: localhost", length, "", ""]
        return "\r\n".join(lines).encode() + body, code

    def get(code: int, path: str, *headers: str) -> tuple[bytes, int]:
        lines = "\r\n".join(
            [f"GET {path} HTTP/1.1", "Host: localhost", *headers, "", ""]
        )
        return lines.encode(), code

    term = source.choice(["love", "hate", "here", "there", "zanzibar"])
    book = {"dictionary": "book"}
    quotes = f"/api/v2/quotes?term={term}&dictionary=book"
    return [
        ask(200, action="search", term=term, **book),
        ask(200, action="search", term=term, n_before=2, n_after=1, **book),
        ask(200, action="search", term=term, ignore_case=True, dictionary="*"),
        ask(200, action="search", term=f"{term}$", regex=True, **book),
        ask(200, action="search", term=term, unit="quote", **book),
        ask(200, action="all", **book),
        ask(200, action="random", nresults=3, **book),
        ask(200, action="list"),
        ask(400, action="search", term="", **book),
        ask(404, action="all", dictionary=f"no-{source.random()}"),
        ask(403, action="all", dictionary="../book"),
        ask(501, action=f"{source.random()}"),
        get(200, quotes),
        get(200, quotes, "Accept: application/x-ndjson"),
        get(200, "/api/v2/quotes/random?limit=2"),
        get(200, "/api/v2/dictionaries"),
        get(200, "/"),
        get(200, "/api/v1/web"),
        get(200, "/livez"),
        get(404, f"/{source.random()}"),
    ]


class CountingClient(Thread):
    """
    One that asks so many requests, and counts what it gets.

    @ivar unexpected_statuses: how often it got which other code than it should.
    """

    def __init__(self, server: Server, count: int, seed: int) -> None:
        super().__init__()
        self.unexpected_statuses = Counter[str]()
        self.count = 0
        self._server = server
        self._request_count = count
        self._source = random.Random(seed)

    def run(self) -> None:
        """Ask, a few times on each connection."""
        while self.count < self._request_count:
            with HTTPConnection(self._server.address) as conversation:
                for request, code in self._source.sample(
                    make_requests(self._source), 10
                ):
                    status = conversation.send(request).read_response().status
                    self.count += 1
                    if status != code:
                        self.unexpected_statuses[f"{status} for {request[:200]!r}"] += 1


class SoakTests(FaultTestCase):
    """Tests of a long time."""

    def run_clients(self, count: int, seed: int) -> float:
        """Have so many requests answered, and return how much memory is in use."""
        clients = [
            CountingClient(self.server, count // CLIENTS, seed + number)
            for number in range(CLIENTS)
        ]
        for client in clients:
            client.start()
        for client in clients:
            client.join(TIMEOUT if not FULL_RUN else None)
            self.assertEqual(dict(client.unexpected_statuses), {})
            self.assertGreaterEqual(client.count, count // CLIENTS)
        self.wait_until_restored()
        return parse_metrics(self.server)["process_resident_memory_bytes"]

    def test_nothing_grows(self) -> None:
        """The memory after the last part is that after the first one."""
        first = self.run_clients(REQUESTS_PER_PART, 1)
        self.run_clients(REQUESTS_PER_PART, 100)
        last = self.run_clients(REQUESTS_PER_PART, 200)
        megabytes = f"{first / 2**20:.1f} -> {last / 2**20:.1f} MB"
        print(
            f"\n| {3 * REQUESTS_PER_PART} requests of "
            f"{len(make_requests(random.Random()))} kinds | "
            f"memory within {MAX_MEMORY_RATIO - 1:.0%} after the first and the last "
            "third | "
            f"each with its right code, {megabytes} ({last / first - 1:+.1%}) |",
            end="",
        )
        self.assertLess(last, first * MAX_MEMORY_RATIO)
