"""
Clients that ask for more than their share, and what another client notices of it.
"""

from __future__ import annotations

import json
import select
import socket
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import count
from threading import Event, Thread

from ..integration.http_connection import TIMEOUT, HTTPConnection
from ..integration.server import wait_until
from .cases import BYSTANDER_ADDRESS, FULL_RUN, LOVE_QUERY, Attack, parse_metrics

MEGABYTE = 2**20
CLIENT_ADDRESSES = [f"127.0.0.{number}" for number in range(2, 34)]
TERM_COUNT = 20_000 if FULL_RUN else 8000
LONG_TERM_LENGTH = 1000
DICTIONARY_COUNT, QUERY_COUNT = 3000, 200
CACHE_BYTES = 64 * MEGABYTE

# It takes many states of an automaton, each of which is made when it is come to.
EXPENSIVE_REGEX = "([a-z ]{1,100}){5}[^z]{%d}$"

POST = "POST /api/v1/json HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s"


class UnfairFault(Attack):
    """
    A fault, and a client with an address of its own that searches meanwhile.

    @cvar max_latency_ratio: how many times as long its searches may take.
    """

    max_latency_ratio = 20.0
    # As the service has it, if nobody says anything.
    options = (f"--cache-bytes={CACHE_BYTES}", "--drain-timeout=5")

    def prepare_server(self) -> None:
        """Have something to look for at length."""
        lines = (f"Quote {n} is about love, and takes a while." for n in range(20_000))
        (self.library / "long").write_text("\n".join(lines))

    def send_expensive_searches(self, address: str, searches: int) -> None:
        """Ask for a regular expression that takes all the time that it may take."""
        for _ in range(searches):
            term = EXPENSIVE_REGEX % next(self.unique_numbers)
            query = {**LOVE_QUERY, "dictionary": "long", "term": term, "regex": True}
            self.connect_attacker(address).send_query(query)

    def wait_for_greps(self) -> None:
        """Wait until the greps that may run do so."""
        wait_until(
            lambda: parse_metrics(self.server)["quotes_greps_running"] >= 6, "greps"
        )

    def compare_latency(self, attack: Callable[[], object]) -> str:
        """See how long another client waits, alone and beside an attack."""
        alone = self.measure_latency()
        attack()
        during_attack = self.measure_latency()
        ratio = during_attack / alone
        self.assertLess(ratio, self.max_latency_ratio, (alone, during_attack))
        return f"others wait {ratio:.1f} x as long ({during_attack * 1000:.1f} ms)"


class ExpensiveSearchesTests(UnfairFault):
    """Tests of many clients with regular expressions that take long."""

    fault_description = (
        f"{len(CLIENT_ADDRESSES)} clients, each with 4 of the dearest "
        ""
        "regular expressions"
    )
    expected_behavior = (
        f"a plain search takes less than {UnfairFault.max_latency_ratio:g} "
        "times as long"
    )

    def attack(self) -> None:
        """Have as many greps run as may, and many more wait."""
        for address in CLIENT_ADDRESSES:
            self.send_expensive_searches(address, 4)
        self.wait_for_greps()

    def inject_with_requests(self) -> list[HTTPConnection]:
        """Attack, and search meanwhile."""
        self.attack()
        return [
            self.server.connect(source_address=BYSTANDER_ADDRESS).send_query(LOVE_QUERY)
            for _ in range(5)
        ]

    def inject_and_check(self) -> str:
        """Attack, and see what another client notices."""
        observed = self.compare_latency(self.attack)
        self.disconnect_attackers()
        return observed


class FullQueueTests(UnfairFault):
    """Tests of a client that has all the positions of the queue."""

    search_count = 1100
    fault_description = (
        f"one client with {search_count} searches, more than may run and wait"
    )
    expected_behavior = (
        "503 for it alone, then 429 where another one asks, which is answered"
    )

    def attack(self) -> None:
        """Have as many wait as may."""
        self.send_expensive_searches(CLIENT_ADDRESSES[0], self.search_count)
        self.wait_for_greps()

    def inject_with_requests(self) -> list[HTTPConnection]:
        """Attack, and ask something dear as another client."""
        self.attack()
        self.send_expensive_searches(BYSTANDER_ADDRESS, 5)
        return self.attackers[-5:]

    def inject_and_check(self) -> str:
        """Attack, and see that another client takes positions of the first one."""
        observed = self.compare_latency(self.attack)
        self.send_expensive_searches(BYSTANDER_ADDRESS, 100)
        others, own = self.attackers[-100:], self.attackers[:-100]
        wait_until(lambda: 429 in self.read_statuses(own), "refusals")
        codes = self.read_statuses(own)
        self.assertLessEqual(set(codes), {200, 429, 503, 504})
        self.assertEqual(set(self.read_statuses(others)) - {504}, set())
        self.disconnect_attackers()
        summary = ", ".join(
            f"{number} x {code}" for code, number in sorted(codes.items())
        )
        return f"{summary}; {observed}"

    def read_statuses(self, clients: Sequence[HTTPConnection]) -> Counter[int]:
        """The codes of the answers that clients have by now."""
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
    """Tests of clients that ask for pages and metrics without end."""

    fault_description = (
        "8 clients that ask for pages and metrics, one after another, without end"
    )
    expected_behavior = (
        f"a plain search takes less than {UnfairFault.max_latency_ratio:g} "
        "times as long"
    )

    def inject_with_requests(self) -> list[HTTPConnection]:
        """Ask for many at once."""
        conversation = self.server.connect(source_address=CLIENT_ADDRESSES[0])
        for _ in range(50):
            conversation.send_get("/api/v1/web")
        return [conversation] * 50

    def inject_and_check(self) -> str:
        """Ask, and see what another client notices."""
        stop_event = Event()
        answered = count()
        errors: list[BaseException] = []

        def ask(address: str, path: str) -> None:
            try:
                with HTTPConnection(
                    self.server.address, source_address=address
                ) as conversation:
                    while not stop_event.is_set():
                        for _ in range(10):
                            conversation.send_get(path)
                        for _ in range(10):
                            assert conversation.read_response().status == 200
                            next(answered)
            except BaseException as error:
                errors.append(error)

        paths = ("/", "/api/v1/web", "/metrics", "/api/v1/web") * 2
        threads = [
            Thread(target=ask, args=pair)
            for pair in zip(CLIENT_ADDRESSES, paths, strict=False)
        ]

        def attack() -> None:
            for thread in threads:
                thread.start()

        try:
            observed = self.compare_latency(attack)
        finally:
            stop_event.set()
            for thread in threads:
                thread.join(TIMEOUT)
        self.assertEqual(errors, [])
        return f"{next(answered)} answered; {observed}"


class LongTermsTests(UnfairFault):
    """Tests of answers that are short, and whose questions are long."""

    fault_description = (
        f"{TERM_COUNT} terms of {LONG_TERM_LENGTH} characters, all different"
    )
    expected_behavior = "the memory that --cache-bytes says, for all that is kept"
    # What an allocator keeps for itself, and what Python has not given back yet.
    slack = 24 * MEGABYTE

    def inject_with_requests(self) -> list[HTTPConnection]:
        """Ask many at once."""
        return [self.send_pipelined(self.make_queries(20))] * 20

    def make_queries(self, number: int) -> list[dict[str, object]]:
        """So many questions."""
        return [
            {
                **LOVE_QUERY,
                "term": f"{next(self.unique_numbers):x}".rjust(LONG_TERM_LENGTH, "x"),
            }
            for _ in range(number)
        ]

    def send_pipelined(self, queries: list[dict[str, object]]) -> HTTPConnection:
        """Ask questions on one connection, one behind another."""
        bodies = map(json.dumps, queries)
        requests = "".join(POST % (len(body), body) for body in bodies)
        return self.connect_attacker(CLIENT_ADDRESSES[0]).send(requests.encode())

    def fill_cache(self, queries: list[dict[str, object]]) -> str:
        """Have answers kept, and compare what is counted with what is used."""
        before = parse_metrics(self.server)
        for first in range(0, len(queries), 50):
            batch = queries[first : first + 50]
            conversation = self.send_pipelined(batch)
            for _ in batch:
                self.assertEqual(conversation.read_response().status, 200)
            self.disconnect_attackers()
        after = parse_metrics(self.server)
        resident_bytes, cached_bytes = (
            after[name] - before[name]
            for name in ("process_resident_memory_bytes", "quotes_cache_bytes")
        )
        self.assertGreater(cached_bytes, 200 * len(queries))
        self.assertLess(resident_bytes, 1.5 * cached_bytes + self.slack)
        # What is kept stays.
        self.metrics_before["process_resident_memory_bytes"] += cached_bytes
        return (
            f"{cached_bytes / MEGABYTE:.1f} MB counted, "
            f"{resident_bytes / MEGABYTE:.1f} MB used"
        )

    def inject_and_check(self) -> str:
        """Ask them all."""
        return self.fill_cache(self.make_queries(TERM_COUNT))


class ManyDictionariesTests(LongTermsTests):
    """Tests of answers that depend on very many dictionaries."""

    fault_description = (
        f"{QUERY_COUNT} questions about {DICTIONARY_COUNT} dictionaries at once"
    )
    expected_behavior = LongTermsTests.expected_behavior

    def prepare_server(self) -> None:
        """Have very many dictionaries."""
        for number in range(DICTIONARY_COUNT):
            (self.library / f"a{number}").write_text("love\n")

    def make_queries(self, number: int) -> list[dict[str, object]]:
        """Questions that the first dictionary answers."""
        every = {**LOVE_QUERY, "dictionary": "*", "nresults": 1}
        around = [divmod(next(self.unique_numbers), 1000) for _ in range(number)]
        return [{**every, "n_before": b, "n_after": a} for b, a in around]

    def inject_and_check(self) -> str:
        """Ask them all."""
        return self.fill_cache(self.make_queries(QUERY_COUNT))
