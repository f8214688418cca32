"""
Attacks by clients that send more requests than their share.
"""

from __future__ import annotations

import json
import select
import socket
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event

from ..integration.cases import LOVE_QUERY
from ..integration.http_connection import HTTPConnection
from ..integration.server import wait_until
from .cases import (
    BYSTANDER_ADDRESS,
    FULL_RUN,
    MEGABYTE,
    MEMORY_METRIC,
    Attack,
    format_counts,
)

CLIENT_ADDRESSES = [f"127.0.0.{number}" for number in range(2, 34)]
TERM_COUNT = 20_000 if FULL_RUN else 8000
LONG_TERM_LENGTH = 1000
DICTIONARY_COUNT, QUERY_COUNT = 3000, 200
CACHE_BYTES = 64 * MEGABYTE
# An automaton with many states, which grep computes when it reaches them.
EXPENSIVE_REGEX = "([a-z ]{1,100}){5}[^z]{%d}$"
POST = "POST /api/v1/json HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s"


class UnfairFault(Attack):
    """
    An attack during which a client with another address searches.

    @cvar max_latency_ratio: how many times higher its latency may be during the attack.
    """

    max_latency_ratio = 20.0
    # The default size of the cache.
    options = (f"--cache-bytes={CACHE_BYTES}", "--drain-timeout=5", "--timeout=10")

    def prepare_server(self) -> None:
        lines = (f"Quote {n} is about love, and takes a while." for n in range(20_000))
        (self.library / "long").write_text("\n".join(lines))

    def send_expensive_searches(self, address: str, searches: int) -> None:
        """Search for regular expressions that run until the timeout."""
        for _ in range(searches):
            term = EXPENSIVE_REGEX % next(self.unique_numbers)
            query = {**LOVE_QUERY, "dictionary": "long", "term": term, "regex": True}
            self.connect_attacker(address).send_query(query)

    def wait_for_greps(self) -> None:
        """Wait until most slots are in use."""
        wait_until(
            lambda: self.server.read_metrics()["quotes_greps_running"] >= 6, "greps"
        )

    def compare_latency(self, attack: Callable[[], object]) -> str:
        """Compare the latency of another client before and during an attack."""
        before = self.measure_latency()
        attack()
        during = self.measure_latency()
        self.assertLess(during / before, self.max_latency_ratio, (before, during))
        return (
            f"latency of other clients {during / before:.1f} x ({during * 1000:.1f} ms)"
        )


class ExpensiveSearchesTests(UnfairFault):
    fault_description = (
        f"{len(CLIENT_ADDRESSES)} clients, each with 4 very expensive regular "
        "expressions"
    )
    expected_behavior = (
        "the latency of a plain search of another client increases less than "
        f"{UnfairFault.max_latency_ratio:g} times"
    )

    def attack(self) -> None:
        """Use all slots, and many positions in the queue."""
        for address in CLIENT_ADDRESSES:
            self.send_expensive_searches(address, 4)
        self.wait_for_greps()

    def inject_with_requests(self) -> list[HTTPConnection]:
        self.attack()
        return [self.connect_bystander().send_query(LOVE_QUERY) for _ in range(5)]

    def inject_and_check(self) -> str:
        observed = self.compare_latency(self.attack)
        self.disconnect_attackers()
        return observed


class FullQueueTests(UnfairFault):
    search_count = 1100
    fault_description = (
        f"one client with {search_count} searches, more than may run and wait"
    )
    expected_behavior = (
        "that client gets 503, and 429 when another client searches; the other client "
        "is served"
    )

    def attack(self) -> None:
        self.send_expensive_searches(CLIENT_ADDRESSES[0], self.search_count)
        self.wait_for_greps()

    def inject_with_requests(self) -> list[HTTPConnection]:
        self.attack()
        self.send_expensive_searches(BYSTANDER_ADDRESS, 5)
        return self.attackers[-5:]

    def inject_and_check(self) -> str:
        """Check that another client takes positions in the queue from the first one."""
        observed = self.compare_latency(self.attack)
        self.send_expensive_searches(BYSTANDER_ADDRESS, 100)
        others, own = self.attackers[-100:], self.attackers[:-100]
        wait_until(lambda: 429 in self.read_statuses(own), "a response 429")
        codes = self.read_statuses(own)
        self.assertLessEqual(set(codes), {200, 429, 503, 504})
        self.assertEqual(set(self.read_statuses(others)) - {504}, set())
        self.disconnect_attackers()
        return f"{format_counts(codes)}; {observed}"

    def read_statuses(self, clients: Sequence[HTTPConnection]) -> Counter[int]:
        """Count the statuses of the responses that have arrived."""
        poll = select.poll()
        for client in clients:
            poll.register(client.socket, select.POLLIN)
        ready = {descriptor for descriptor, _ in poll.poll(0)}
        heads = (
            client.socket.recv(20, socket.MSG_PEEK)
            for client in clients
            if client.socket.fileno() in ready
        )
        return Counter(int(head.split()[1]) for head in heads)


class PagesFloodTests(UnfairFault):
    fault_description = "8 clients request pages and metrics without pause"
    expected_behavior = ExpensiveSearchesTests.expected_behavior

    def inject_with_requests(self) -> list[HTTPConnection]:
        connection = self.server.connect(source_address=CLIENT_ADDRESSES[0])
        for _ in range(50):
            connection.send_get("/api/v1/web")
        return [connection] * 50

    def inject_and_check(self) -> str:
        stop_event = Event()
        clients = []

        def request_pages(address: str, path: str) -> int:
            count = 0
            with self.server.connect(source_address=address) as connection:
                while not stop_event.is_set():
                    for _ in range(10):
                        connection.send_get(path)
                    for _ in range(10):
                        self.assertEqual(connection.read_response().status, 200)
                        count += 1
            return count

        paths = ("/", "/api/v1/web", "/metrics", "/api/v1/web") * 2
        with ThreadPoolExecutor(len(paths)) as pool:

            def attack() -> None:
                for address, path in zip(CLIENT_ADDRESSES, paths, strict=False):
                    clients.append(pool.submit(request_pages, address, path))

            try:
                observed = self.compare_latency(attack)
            finally:
                stop_event.set()
        return f"{sum(each.result() for each in clients)} responses; {observed}"


class LongTermsTests(UnfairFault):
    query_count = TERM_COUNT
    fault_description = (
        f"searches for {TERM_COUNT} different terms of {LONG_TERM_LENGTH} characters"
    )
    expected_behavior = "the cache uses as much memory as it counts for --cache-bytes"
    # The overhead of the allocator, and memory that Python has not released yet.
    slack = 24 * MEGABYTE

    def make_queries(self, number: int) -> list[dict[str, object]]:
        """Make a number of unique queries."""
        return [
            {
                **LOVE_QUERY,
                "term": f"{next(self.unique_numbers):x}".rjust(LONG_TERM_LENGTH, "x"),
            }
            for _ in range(number)
        ]

    def send_pipelined(self, queries: list[dict[str, object]]) -> HTTPConnection:
        """Send queries on one connection at once."""
        bodies = map(json.dumps, queries)
        requests = "".join(POST % (len(body), body) for body in bodies)
        return self.connect_attacker(CLIENT_ADDRESSES[0]).send(requests.encode())

    def inject_with_requests(self) -> list[HTTPConnection]:
        return [self.send_pipelined(self.make_queries(20))] * 20

    def inject_and_check(self) -> str:
        """Fill the cache, and compare its size with the memory of the process."""
        before = self.server.read_metrics()
        queries = self.make_queries(self.query_count)
        for first in range(0, len(queries), 50):
            batch = queries[first : first + 50]
            connection = self.send_pipelined(batch)
            for _ in batch:
                self.assertEqual(connection.read_response().status, 200)
            self.disconnect_attackers()
        after = self.server.read_metrics()
        used, counted = (
            after[name] - before[name] for name in (MEMORY_METRIC, "quotes_cache_bytes")
        )
        self.assertGreater(counted, 200 * len(queries))
        self.assertLess(used, 1.5 * counted + self.slack)
        # Cached responses are not a leak.
        self.metrics_before[MEMORY_METRIC] += counted
        return f"{counted / MEGABYTE:.1f} MB counted, {used / MEGABYTE:.1f} MB used"


class ManyDictionariesTests(LongTermsTests):
    query_count = QUERY_COUNT
    fault_description = (
        f"{QUERY_COUNT} searches, each in {DICTIONARY_COUNT} dictionaries"
    )
    expected_behavior = LongTermsTests.expected_behavior

    def prepare_server(self) -> None:
        for number in range(DICTIONARY_COUNT):
            (self.library / f"a{number}").write_text("love\n")

    def make_queries(self, number: int) -> list[dict[str, object]]:
        """Make unique queries whose result is in the first dictionary."""
        query = {**LOVE_QUERY, "dictionary": "*", "nresults": 1}
        context = [divmod(next(self.unique_numbers), 1000) for _ in range(number)]
        return [{**query, "n_before": b, "n_after": a} for b, a in context]
