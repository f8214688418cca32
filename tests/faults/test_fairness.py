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

from ..integration.conversation import LIMIT, Conversation
from ..integration.server import until
from .cases import FULL, LOVE, OTHER, Attack, metrics_of

MEGABYTE = 2**20
CLIENTS = [f"127.0.0.{number}" for number in range(2, 34)]
TERMS = 20_000 if FULL else 8000
LONG_TERM = 1000
DICTIONARIES, QUESTIONS = 3000, 200
CACHE_BYTES = 64 * MEGABYTE

# It takes many states of an automaton, each of which is made when it is come to.
DEAR = "([a-z ]{1,100}){5}[^z]{%d}$"

POST = "POST /api/v1/json HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s"


class UnfairFault(Attack):
    """
    A fault, and a client with an address of its own that searches meanwhile.

    @cvar most: how many times as long its searches may take.
    """

    most = 20.0
    # As the service has it, if nobody says anything.
    options = (f"--cache-bytes={CACHE_BYTES}", "--drain-timeout=5")

    def prepare(self) -> None:
        """Have something to look for at length."""
        lines = (f"Quote {n} is about love, and takes a while." for n in range(20_000))
        (self.library / "long").write_text("\n".join(lines))

    def ask_dearly(self, address: str, searches: int) -> None:
        """Ask for a regular expression that takes all the time that it may take."""
        for _ in range(searches):
            term = DEAR % next(self.numbers)
            question = {**LOVE, "dictionary": "long", "term": term, "regex": True}
            self.client(address).ask(question)

    def wait_for_greps(self) -> None:
        """Wait until the greps that may run do so."""
        until(lambda: metrics_of(self.server)["quotes_greps_running"] >= 6, "greps")

    def compare(self, attack: Callable[[], object]) -> str:
        """See how long another client waits, alone and beside an attack."""
        alone = self.latency()
        attack()
        beside = self.latency()
        ratio = beside / alone
        self.assertLess(ratio, self.most, (alone, beside))
        return f"others wait {ratio:.1f} x as long ({beside * 1000:.1f} ms)"


class DearSearchesTests(UnfairFault):
    """Tests of many clients with regular expressions that take long."""

    done = f"{len(CLIENTS)} clients, each with 4 of the dearest regular expressions"
    promised = f"a plain search takes less than {UnfairFault.most:g} times as long"

    def attack(self) -> None:
        """Have as many greps run as may, and many more wait."""
        for address in CLIENTS:
            self.ask_dearly(address, 4)
        self.wait_for_greps()

    def begin(self) -> list[Conversation]:
        """Attack, and search meanwhile."""
        self.attack()
        return [self.server.connect(source=OTHER).ask(LOVE) for _ in range(5)]

    def make(self) -> str:
        """Attack, and see what another client notices."""
        seen = self.compare(self.attack)
        self.leave()
        return seen


class FullQueueTests(UnfairFault):
    """Tests of a client that has all the positions of the queue."""

    searches = 1100
    done = f"one client with {searches} searches, more than may run and wait"
    promised = "503 for it alone, then 429 where another one asks, which is answered"

    def attack(self) -> None:
        """Have as many wait as may."""
        self.ask_dearly(CLIENTS[0], self.searches)
        self.wait_for_greps()

    def begin(self) -> list[Conversation]:
        """Attack, and ask something dear as another client."""
        self.attack()
        self.ask_dearly(OTHER, 5)
        return self.clients[-5:]

    def make(self) -> str:
        """Attack, and see that another client takes positions of the first one."""
        seen = self.compare(self.attack)
        self.ask_dearly(OTHER, 100)
        others, own = self.clients[-100:], self.clients[:-100]
        until(lambda: 429 in self.codes(own), "refusals")
        codes = self.codes(own)
        self.assertLessEqual(set(codes), {200, 429, 503, 504})
        self.assertEqual(set(self.codes(others)) - {504}, set())
        self.leave()
        told = ", ".join(f"{number} x {code}" for code, number in sorted(codes.items()))
        return f"{told}; {seen}"

    def codes(self, clients: Sequence[Conversation]) -> Counter[int]:
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

    done = "8 clients that ask for pages and metrics, one after another, without end"
    promised = f"a plain search takes less than {UnfairFault.most:g} times as long"

    def begin(self) -> list[Conversation]:
        """Ask for many at once."""
        conversation = self.server.connect(source=CLIENTS[0])
        for _ in range(50):
            conversation.get("/api/v1/web")
        return [conversation] * 50

    def make(self) -> str:
        """Ask, and see what another client notices."""
        over = Event()
        answered = count()
        errors: list[BaseException] = []

        def ask(address: str, path: str) -> None:
            try:
                with Conversation(self.server.address, source=address) as conversation:
                    while not over.is_set():
                        for _ in range(10):
                            conversation.get(path)
                        for _ in range(10):
                            assert conversation.response().status == 200
                            next(answered)
            except BaseException as error:
                errors.append(error)

        paths = ("/", "/api/v1/web", "/metrics", "/api/v1/web") * 2
        threads = [
            Thread(target=ask, args=pair) for pair in zip(CLIENTS, paths, strict=False)
        ]

        def attack() -> None:
            for thread in threads:
                thread.start()

        try:
            seen = self.compare(attack)
        finally:
            over.set()
            for thread in threads:
                thread.join(LIMIT)
        self.assertEqual(errors, [])
        return f"{next(answered)} answered; {seen}"


class LongTermsTests(UnfairFault):
    """Tests of answers that are short, and whose questions are long."""

    done = f"{TERMS} terms of {LONG_TERM} characters, all different"
    promised = "the memory that --cache-bytes says, for all that is kept"
    # What an allocator keeps for itself, and what Python has not given back yet.
    slack = 24 * MEGABYTE

    def begin(self) -> list[Conversation]:
        """Ask many at once."""
        return [self.ask_many(self.questions(20))] * 20

    def questions(self, number: int) -> list[dict[str, object]]:
        """So many questions."""
        return [
            {**LOVE, "term": f"{next(self.numbers):x}".rjust(LONG_TERM, "x")}
            for _ in range(number)
        ]

    def ask_many(self, questions: list[dict[str, object]]) -> Conversation:
        """Ask questions on one connection, one behind another."""
        bodies = map(json.dumps, questions)
        requests = "".join(POST % (len(body), body) for body in bodies)
        return self.client(CLIENTS[0]).send(requests.encode())

    def keep(self, questions: list[dict[str, object]]) -> str:
        """Have answers kept, and compare what is counted with what is used."""
        before = metrics_of(self.server)
        for first in range(0, len(questions), 50):
            some = questions[first : first + 50]
            conversation = self.ask_many(some)
            for _ in some:
                self.assertEqual(conversation.response().status, 200)
            self.leave()
        after = metrics_of(self.server)
        used, kept = (
            after[name] - before[name]
            for name in ("process_resident_memory_bytes", "quotes_cache_bytes")
        )
        self.assertGreater(kept, 200 * len(questions))
        self.assertLess(used, 1.5 * kept + self.slack)
        # What is kept stays.
        self.before["process_resident_memory_bytes"] += kept
        return f"{kept / MEGABYTE:.1f} MB counted, {used / MEGABYTE:.1f} MB used"

    def make(self) -> str:
        """Ask them all."""
        return self.keep(self.questions(TERMS))


class ManyDictionariesTests(LongTermsTests):
    """Tests of answers that depend on very many dictionaries."""

    done = f"{QUESTIONS} questions about {DICTIONARIES} dictionaries at once"
    promised = LongTermsTests.promised

    def prepare(self) -> None:
        """Have very many dictionaries."""
        for number in range(DICTIONARIES):
            (self.library / f"a{number}").write_text("love\n")

    def questions(self, number: int) -> list[dict[str, object]]:
        """Questions that the first dictionary answers."""
        every = {**LOVE, "dictionary": "*", "nresults": 1}
        around = [divmod(next(self.numbers), 1000) for _ in range(number)]
        return [{**every, "n_before": b, "n_after": a} for b, a in around]

    def make(self) -> str:
        """Ask them all."""
        return self.keep(self.questions(QUESTIONS))
