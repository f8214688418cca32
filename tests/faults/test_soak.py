"""
Tests that many requests of all kinds do not leak memory.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from ..integration.server import Server
from .cases import (
    FULL_RUN,
    MEGABYTE,
    MEMORY_METRIC,
    FaultTestCase,
    report,
)

REQUESTS_PER_PART = 100_000 if FULL_RUN else 2000
CLIENTS = 8
# In a small part, the first requests still have an effect.
MAX_MEMORY_RATIO = 1.03 if FULL_RUN else 1.10


def make_requests(source: random.Random) -> list[tuple[bytes, int]]:
    """Make a request of each kind, with the expected status of its response."""

    def post(code: int, **fields: object) -> tuple[bytes, int]:
        body = json.dumps(fields)
        length = f"Content-Length: {len(body)}"
        lines = ["POST /api/v1/json HTTP/1.1", "Host: localhost", length, "", body]
        return "\r\n".join(lines).encode(), code

    def get(code: int, path: str, *headers: str) -> tuple[bytes, int]:
        lines = [f"GET {path} HTTP/1.1", "Host: localhost", *headers, "", ""]
        return "\r\n".join(lines).encode(), code

    term = source.choice(["love", "hate", "here", "there", "zanzibar"])
    book = {"dictionary": "book"}
    quotes = f"/api/v2/quotes?term={term}&dictionary=book"
    return [
        post(200, action="search", term=term, **book),
        post(200, action="search", term=term, n_before=2, n_after=1, **book),
        post(200, action="search", term=term, ignore_case=True, dictionary="*"),
        post(200, action="search", term=f"{term}$", regex=True, **book),
        post(200, action="search", term=term, unit="quote", **book),
        post(200, action="all", **book),
        post(200, action="random", nresults=3, **book),
        post(200, action="list"),
        post(400, action="search", term="", **book),
        post(404, action="all", dictionary=f"no-{source.random()}"),
        post(403, action="all", dictionary="../book"),
        post(501, action=f"{source.random()}"),
        get(200, quotes),
        get(200, quotes, "Accept: application/x-ndjson"),
        get(200, "/api/v2/quotes/random?limit=2"),
        get(200, "/api/v2/dictionaries"),
        get(200, "/"),
        get(200, "/api/v1/web"),
        get(200, "/livez"),
        get(404, f"/{source.random()}"),
    ]


def send_requests(server: Server, count: int, seed: int) -> Counter[str]:
    """Send a number of requests; return the number of each unexpected status."""
    source = random.Random(seed)
    unexpected = Counter[str]()
    for _ in range(0, count, 10):
        with server.connect() as connection:
            for request, code in source.sample(make_requests(source), 10):
                status = connection.send(request).read_response().status
                if status != code:
                    unexpected[f"{status} for {request[:200]!r}"] += 1
    return unexpected


class SoakTests(FaultTestCase):
    """Tests of a long run."""

    def run_clients(self, count: int, seed: int) -> float:
        """Send a number of requests; return the resident memory afterwards."""
        with ThreadPoolExecutor(CLIENTS) as pool:
            clients = [
                pool.submit(send_requests, self.server, count // CLIENTS, seed + number)
                for number in range(CLIENTS)
            ]
        for client in clients:
            self.assertEqual(dict(client.result()), {})
        self.wait_until_restored()
        return self.server.read_metrics()[MEMORY_METRIC]

    def test_the_memory_does_not_grow(self) -> None:
        """The memory after the last third is the same as after the first third."""
        first, _, last = (
            self.run_clients(REQUESTS_PER_PART, seed) for seed in (1, 100, 200)
        )
        kinds = len(make_requests(random.Random()))
        report(
            f"{3 * REQUESTS_PER_PART} requests of {kinds} kinds",
            "all statuses are right; after the last third the memory is at most "
            f"{MAX_MEMORY_RATIO - 1:.0%} larger than after the first third",
            f"all statuses are right; {first / MEGABYTE:.1f} -> "
            f"{last / MEGABYTE:.1f} MB ({last / first - 1:+.1%})",
        )
        self.assertLess(last, first * MAX_MEMORY_RATIO)
