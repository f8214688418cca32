"""
A long day: hundreds of thousands of requests of all kinds, and no leak.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from threading import Thread

from ..integration.conversation import LIMIT, Conversation
from ..integration.server import Server
from .cases import FULL, FaultTestCase, metrics_of

PART = 100_000 if FULL else 2000
CLIENTS = 8
# The first time of all is not yet like the others, and a small part has few.
MORE = 1.03 if FULL else 1.10


def questions(source: random.Random) -> list[tuple[bytes, int]]:
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


class Client(Thread):
    """
    One that asks so many requests, and counts what it gets.

    @ivar wrong: how often it got which other code than it should.
    """

    def __init__(self, server: Server, count: int, seed: int) -> None:
        super().__init__()
        self.wrong = Counter[str]()
        self.count = 0
        self._server = server
        self._wanted = count
        self._source = random.Random(seed)

    def run(self) -> None:
        """Ask, a few times on each connection."""
        while self.count < self._wanted:
            with Conversation(self._server.address) as conversation:
                for request, code in self._source.sample(questions(self._source), 10):
                    status = conversation.send(request).response().status
                    self.count += 1
                    if status != code:
                        self.wrong[f"{status} for {request[:200]!r}"] += 1


class SoakTests(FaultTestCase):
    """Tests of a long time."""

    def ask(self, count: int, seed: int) -> float:
        """Have so many requests answered, and return how much memory is in use."""
        clients = [
            Client(self.server, count // CLIENTS, seed + number)
            for number in range(CLIENTS)
        ]
        for client in clients:
            client.start()
        for client in clients:
            client.join(LIMIT if not FULL else None)
            self.assertEqual(dict(client.wrong), {})
            self.assertGreaterEqual(client.count, count // CLIENTS)
        self.as_before()
        return metrics_of(self.server)["process_resident_memory_bytes"]

    def test_nothing_grows(self) -> None:
        """The memory after the last part is that after the first one."""
        first = self.ask(PART, 1)
        self.ask(PART, 100)
        last = self.ask(PART, 200)
        megabytes = f"{first / 2**20:.1f} -> {last / 2**20:.1f} MB"
        print(
            f"\n| {3 * PART} requests of {len(questions(random.Random()))} kinds | "
            f"memory within {MORE - 1:.0%} after the first and the last third | "
            f"each with its right code, {megabytes} ({last / first - 1:+.1%}) |",
            end="",
        )
        self.assertLess(last, first * MORE)
