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

from ..integration.conversation import Conversation
from ..integration.server import until
from ..integration.test_workers import connections_of
from .cases import FULL, LOVE, Fault, Others, answers_to, metrics_of

NO_SLOWHTTPTEST = which("slowhttptest") is None and not os.environ.get("CI")
SLOW = 200 if FULL else 50
MOST = 4000 if FULL else 400
DISCONNECTS = 10_000 if FULL else 1000
READERS, MEGABYTES = (200, 50) if FULL else (40, 10)
PIPELINED = 500
HEAD = b"POST /api/v1/json HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
RESET = struct.pack("ii", 1, 0)


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

    def start(self) -> None:
        """Have slow clients connect, until many have."""
        tool = subprocess.Popen(
            [
                *("slowhttptest", *self.mode, "-u", self.server.url + self.path()),
                *("-c", str(SLOW), "-r", str(SLOW), "-l", str(self.seconds)),
                *("-p", "5", "-v", "0"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.addCleanup(tool.wait)
        self.addCleanup(tool.kill)
        self.tool = tool
        self.most = 0
        until(self.has_many, f"more than {SLOW // 2} slow clients")

    def path(self) -> str:
        """What they ask for."""
        return "/api/v1/json"

    def has_many(self) -> bool:
        """Look how many there are. The first may be cut before the last connects."""
        self.most = max(self.most, int(metrics_of(self.server)["quotes_connections"]))
        return self.most > SLOW // 2

    def begin(self) -> list[Conversation]:
        """Have others wait for their answers meanwhile."""
        self.start()
        return [self.server.connect().get("/wait?seconds=1") for _ in range(20)]

    def make(self) -> str:
        """Have others search meanwhile; look that the slow ones are cut."""
        question = {**LOVE, "dictionary": "book"}
        with Others(self.server, question) as others:
            self.start()
            others.wait_for_more(100)
            self.tool.wait()
            others.wait_for_more(10)
        self.assertEqual(set(others.codes), {200})
        return f"{self.cut()}, {others.codes[200]} x 200 for others"

    def cut(self) -> str:
        """What became of the slow ones: each got a 408."""
        count = self.grown('quotes_requests_total{code="408",route="none"}')
        self.assertGreaterEqual(count, SLOW)
        return f"{count} x 408"

    def grown(self, name: str) -> int:
        """By how much a metric has grown since the beginning."""
        return int(metrics_of(self.server).get(name, 0) - self.before.get(name, 0))


@skipIf(NO_SLOWHTTPTEST, "slowhttptest is not installed")
class SlowHeadersTests(SlowFault):
    """Tests of clients whose headers never end."""

    done = f"slowhttptest -H: {SLOW} clients whose headers never end"
    promised = "408 after --request-timeout (2 s), others searched as ever"
    mode = ("-H", "-i", "1")


@skipIf(NO_SLOWHTTPTEST, "slowhttptest is not installed")
class SlowBodiesTests(SlowFault):
    """Tests of clients whose bodies never end."""

    done = f"slowhttptest -B: {SLOW} clients whose bodies never end"
    promised = "408 after --request-timeout (2 s), others searched as ever"
    mode = ("-B", "-i", "1", "-s", "8192")


@skipIf(NO_SLOWHTTPTEST, "slowhttptest is not installed")
class SlowReadersTests(SlowFault):
    """Tests of clients who read a few bytes at a time."""

    done = f"slowhttptest -X: {SLOW} clients who read 5 bytes a second"
    promised = "cut when they take nothing for --send-timeout (2 s), others as ever"
    may_be_forced = True
    mode = ("-X", "-n", "1", "-w", "10", "-y", "20", "-z", "5", "-k", "3")

    def prepare(self) -> None:
        """Have more than fits into a socket."""
        quotes = "\n\n".join(f"{number} {'x' * 500}" for number in range(8000))
        (self.library / "long").write_text(quotes)

    def path(self) -> str:
        """A long answer."""
        return "/api/v2/quotes?dictionary=long&limit=1000"

    def cut(self) -> str:
        """All are gone, and their requests are counted."""
        until(lambda: metrics_of(self.server)["quotes_connections"] == 1, "their end")
        count = sum(
            self.grown(f'quotes_requests_total{{code="{code}",route="/api/v2/quotes"}}')
            for code in (200, 499)
        )
        self.assertGreaterEqual(count, SLOW)
        return f"{count} x 200 or 499"


class ManyTests(Fault):
    """Tests of more connections than there may be."""

    done = f"{MOST + 1000} connections, --max-connections={MOST}"
    promised = "503 and close beyond that; those that are in are served"
    options = (f"--max-connections={MOST}",)

    def prepare(self) -> None:
        """Be allowed to open as many."""
        limits = getrlimit(RLIMIT_NOFILE)
        self.addCleanup(setrlimit, RLIMIT_NOFILE, limits)
        setrlimit(RLIMIT_NOFILE, (limits[1], limits[1]))

    def connect(self) -> tuple[list[Conversation], list[Conversation]]:
        """Connect as often as may be, and then a thousand times more."""
        inside = [Conversation(self.server.address) for _ in range(MOST)]
        # Which one comes too late is known when all of these are in.
        until(lambda: self.let_in() >= MOST, "all let in")
        return inside, [Conversation(self.server.address) for _ in range(1000)]

    def let_in(self) -> int:
        """How many connections have been let in."""
        port = self.server.address[1]
        return sum(connections_of(pid, port) for pid in self.server.serving)

    def begin(self) -> list[Conversation]:
        """Have many idle, and twenty that ask."""
        inside, outside = self.connect()
        for each in outside:
            each.close()
        for each in inside:
            self.addCleanup(each.close)
        return [each.get("/wait?seconds=1") for each in inside[:20]]

    def make(self) -> str:
        """See who is answered what."""
        inside, outside = self.connect()
        refused = answers_to(outside)
        for response in refused:
            self.check_error(response, 503)
        for each in inside[::100]:
            self.assertEqual(each.ask(LOVE).response().status, 200)
        for each in inside:
            each.close()
        return f"{len(inside)} served, {len(refused)} x 503"


class LeavingTests(Fault):
    """Tests of clients who leave in the middle."""

    done = f"{DISCONNECTS} clients leave at any point of a request, half by a reset"
    promised = "nothing is left of them, others get their answers in their turn"

    def leave(self, count: int) -> None:
        """Ask, as far as it goes, and leave."""
        body = json.dumps({**LOVE, "dictionary": "book"}).encode()
        request = HEAD % len(body) + body
        for number in range(count):
            with socket.create_connection(self.server.address) as connection:
                connection.sendall(request[: 1 + number % len(request)])
                if number % 3 == 0:
                    connection.sendall(request[1 + number % len(request) :])
                if number % 2:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    def begin(self) -> list[Conversation]:
        """Have some leave while others wait."""
        staying = [self.server.connect().get("/wait?seconds=1") for _ in range(20)]
        self.leave(100)
        return staying

    def make(self) -> str:
        """Have many leave while others search."""
        with Others(self.server, {**LOVE, "dictionary": "other"}) as others:
            self.leave(DISCONNECTS)
            others.wait_for_more()
        self.assertEqual(set(others.codes), {200})
        metrics = metrics_of(self.server)
        left = sum(count for name, count in metrics.items() if 'code="499"' in name)
        return f"{others.codes[200]} x 200 for others, metrics: {left:.0f} x 499"


class PipeliningTests(Fault):
    """Tests of clients who do not wait for an answer before they ask again."""

    done = f"{PIPELINED} searches sent at once on each of 4 connections"
    promised = "answered in order; others have their turn in between"

    def pipeline(self, count: int) -> Conversation:
        """Send so many searches at once, each for another number of lines."""
        requests = []
        for number in range(count):
            question = {**LOVE, "dictionary": "book", "nresults": number % 9 + 1}
            body = json.dumps(question).encode()
            requests.append(HEAD % len(body) + body)
        return self.server.connect().send(b"".join(requests))

    def begin(self) -> list[Conversation]:
        """Have some answered in a row."""
        conversation = self.pipeline(20)
        return [conversation] * 20

    def make(self) -> str:
        """See that each is the answer to its question."""
        with Others(self.server, {**LOVE, "dictionary": "other"}) as others:
            pipelines = [self.pipeline(PIPELINED) for _ in range(4)]
            before = others.codes.total()
            for number in range(PIPELINED):
                for each in pipelines:
                    count = each.response().json()["nr of entries"]
                    self.assertEqual(count, number % 9 + 1)
            between = others.codes.total() - before
            for each in pipelines:
                each.close()
        self.assertGreater(between, 10)
        self.assertEqual(set(others.codes), {200})
        return f"{4 * PIPELINED} in order, {between} of others in between"


class LongAnswerTests(Fault):
    """Tests of clients who read long answers slowly."""

    done = f"{READERS} slow readers of {MEGABYTES} MB each"
    promised = "less than 400 MB of memory; others searched as ever"

    def prepare(self) -> None:
        """Write a long dictionary."""
        piece = "".join(f"Quote {n} is about love, and long.\n" for n in range(10_000))
        with (self.library / "long").open("w") as file:
            while file.tell() < MEGABYTES * 2**20:
                file.write(piece)
        (self.library / "less").write_text(piece * 10)

    def begin(self) -> list[Conversation]:
        """Have some read on while the end has begun."""
        question = {"action": "all", "dictionary": "less"}
        return [self.server.connect(4096).ask(question) for _ in range(5)]

    def make(self) -> str:
        """Have all read a little, for a while, and look at the memory."""
        question = {"action": "all", "dictionary": "long"}
        memory = 0.0
        with Others(self.server, {**LOVE, "dictionary": "other"}) as others:
            readers = [self.server.connect(4096).ask(question) for _ in range(READERS)]
            for _ in range(20):
                for each in readers:
                    each.socket.recv(2000)
                others.wait_for_more(1)
                now = metrics_of(self.server)["process_resident_memory_bytes"]
                memory = max(memory, now)
            for each in readers:
                each.close()
        self.assertEqual(set(others.codes), {200})
        self.assertLess(memory, 400 * 2**20)
        return f"{memory / 2**20:.0f} MB at most, {others.codes[200]} x 200 for others"
