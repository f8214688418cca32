"""
Faults made on purpose against the real process, and what is promised of each.

Every fault is a class: what is done, what is promised, and how to do it. Each is
made twice, and the service must be afterwards as it was before; then once more,
and the service is told to end in the middle of it.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from resource import RLIMIT_NOFILE, getrlimit, setrlimit
from shutil import which
from statistics import median
from threading import Event, Thread
from typing import ClassVar

from ..integration.cases import LibraryTestCase
from ..integration.conversation import LIMIT, Conversation, Response
from ..integration.server import Server, until

FULL = bool(os.environ.get("FAULTS_IN_FULL"))
"""Whether all is done as often as is promised; else a part of it, as for CI."""

LOVE = {"action": "search", "term": "love"}
QUOTES = {**LOVE, "unit": "quote"}
BOOK = "love is here\nand there\n\nno hate\n\nall love\n\n" * 20

OTHER = "127.0.0.99"
"""The address of a client that takes no part in an attack."""

SEARCHES = 30

# What must be after a fault as it was before it.
_STEADY = (
    *("greps_running", "places_taken", "searches_waiting", "waits", "timers"),
    *("connections", "requests_in_flight", "outstanding", "indexes_building"),
)
_MEMORY = "process_resident_memory_bytes"
_MORE = 1.10
_TIMES = 3


def metrics_of(server: Server) -> dict[str, float]:
    """All metrics of a server, by their names and labels."""
    text = server.metrics()
    lines = (line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")
    return {name: float(value) for name, value in lines}


def answers_to(conversations: Iterable[Conversation]) -> list[Response]:
    """Read one answer on each connection, and close it."""
    responses = []
    for conversation in conversations:
        with conversation:
            responses.append(conversation.response())
    return responses


def counted(responses: Sequence[Response]) -> str:
    """How many answers there were, by their codes."""
    counts = Counter(response.status for response in responses)
    return ", ".join(f"{count} x {code}" for code, count in sorted(counts.items()))


class FaultTestCase(LibraryTestCase):
    """
    A server, what it was like before, and what it must be like again.

    @cvar done: what is done, for the report.
    @cvar promised: what is promised.
    @cvar options: options of the server.
    @cvar prefix: what runs it.
    @cvar may_be_forced: whether it has clients that may not be waited for.
    @ivar grep: the grep that the server runs.
    """

    done: ClassVar[str]
    promised: ClassVar[str]
    options: ClassVar[tuple[str, ...]] = ()
    prefix: ClassVar[tuple[str, ...]] = ()
    may_be_forced: ClassVar[bool] = False

    def setUp(self) -> None:
        """Start a server, and have it answer one question of each kind."""
        super().setUp()
        self.book = self.library / "book"
        self.book.write_text(BOOK)
        (self.library / "other").write_text("other love\n")
        self.grep = FakeGrep(self.folder)
        self.prepare()
        self.server = self.serve(
            "--default-dictionary=other",
            *self.options,
            prefix=self.prefix,
            environment=self.grep.environment | self.environment(),
        )
        self.check_answers()
        self.before = metrics_of(self.server)

    def prepare(self) -> None:
        """Do what is to be done before the server starts."""

    def environment(self) -> dict[str, str]:
        """What else is in the environment of the server."""
        return {}

    def search(self, **fields: object) -> Response:
        """Search the book."""
        return self.server.ask({**LOVE, "dictionary": "book", **fields})

    def check_answers(self) -> None:
        """The service answers as it should, lines and quotes."""
        love = [line for line in BOOK.splitlines() if "love" in line]
        for unit, count in (("line", len(love)), ("quote", 2 * 20)):
            answer = self.search(unit=unit)
            self.assertEqual(answer.status, 200, answer)
            self.assertEqual(answer.json()["nr of entries"], count)

    def check_error(self, response: Response, *codes: int) -> None:
        """An answer is an error of the contract's shape."""
        self.assertIn(response.status, codes, response)
        self.assertEqual(list(response.json()), ["Code", "message"])

    def as_before(self) -> str:
        """
        Wait until nothing of a fault is left.

        What the clients of an attack asked last may still be under way when the
        attack is over, so the first answer to somebody else may be a 503.

        @return: what became of the memory, in words.
        """
        until(lambda: self.search().status == 200, "an answer after the fault")
        self.check_answers()

        def same() -> bool:
            now = metrics_of(self.server)
            self.differing = {
                name: (self.before[f"quotes_{name}"], now[f"quotes_{name}"])
                for name in _STEADY
                if now[f"quotes_{name}"] > self.before[f"quotes_{name}"]
            }
            files = "process_open_fds"
            if now[files] > self.before[files]:
                self.differing[files] = (self.before[files], now[files])
            self.memory = now[_MEMORY]
            return not self.differing

        try:
            until(same, "all as before")
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.differing}") from None
        self.assertEqual(self.server.children(), [])
        return f"{self.before[_MEMORY] / 2**20:.0f} -> {self.memory / 2**20:.0f} MB"

    def report(self, seen: str) -> None:
        """Say in a line what was done, what was promised, and what was seen."""
        print(f"\n| {self.done} | {self.promised} | {seen} |", end="", flush=True)


class Fault(FaultTestCase):
    """
    A fault. Each kind of it says how it is made, and gets these two tests.
    """

    def __init_subclass__(cls) -> None:
        """Test what says what is done; the others are only like it."""
        super().__init_subclass__()
        if "done" in cls.__dict__:
            cls.test_the_promise_is_kept = cls.keep_the_promise  # type: ignore[attr-defined]
            cls.test_a_shutdown_loses_nobody = cls.lose_nobody  # type: ignore[attr-defined]

    def make(self) -> str:
        """
        Make the fault, check what is promised, and mend it.

        @return: what was seen.
        """
        raise NotImplementedError

    def begin(self) -> list[Conversation]:
        """Make the fault, and return requests that are under way in it."""
        raise NotImplementedError

    def keep_the_promise(self) -> None:
        """And afterwards all is as before, its memory too."""
        seen = self.make()
        memory = self.as_before()
        for _ in range(_TIMES):
            if self.memory <= self.before[_MEMORY] * _MORE:
                break
            # What it took once may be kept for the next time, and no more each time.
            self.before[_MEMORY] = self.memory
            self.make()
            memory += f", then {self.as_before()}"
        self.assertLessEqual(self.memory, self.before[_MEMORY] * _MORE, memory)
        self.report(f"{seen}; {memory}")

    def lose_nobody(self) -> None:
        """Where the end comes in the middle, each still gets a whole answer."""
        conversations = self.begin()
        self.server.signal(signal.SIGTERM)
        responses = [each.response() for each in conversations]
        self.assertEqual(self.server.ended(), -signal.SIGTERM)
        if not self.may_be_forced:
            forced = [x for x in self.server.lines if "Ending at once" in x]
            self.assertEqual(forced, [])
        print(f"\n|   ... and SIGTERM | nobody lost | {counted(responses)} |", end="")
        for response in responses:
            if response.status != 200:
                self.check_error(response, 400, 403, 404, 500, 503, 504)


class Attack(Fault):
    """
    A fault that some clients make, while another one goes on searching.

    @ivar clients: the connections of those clients.
    """

    may_be_forced = True

    def setUp(self) -> None:
        """Be allowed to open many connections, and have a term for each search."""
        limits = getrlimit(RLIMIT_NOFILE)
        self.addCleanup(setrlimit, RLIMIT_NOFILE, limits)
        setrlimit(RLIMIT_NOFILE, (limits[1], limits[1]))
        self.numbers = itertools.count(1000)
        self.clients: list[Conversation] = []
        super().setUp()

    def attack(self) -> None:
        """Do what is done."""
        raise NotImplementedError

    def client(
        self, source: str | None = None, receive_buffer: int | None = None
    ) -> Conversation:
        """Connect as one of the clients that attack."""
        client = self.server.connect(receive_buffer, source)
        self.clients.append(client)
        return client

    def leave(self) -> None:
        """Have all clients leave that attack."""
        for client in self.clients:
            client.close()
        self.clients.clear()

    def other(self) -> Response:
        """What the other client gets for a plain search that is like no other."""
        question = {**LOVE, "dictionary": "other", "term": f"love {next(self.numbers)}"}
        with Conversation(self.server.address, source=OTHER) as conversation:
            return conversation.ask(question).response()

    def latency(self) -> float:
        """How long the other client waits for a search: the median, in seconds."""
        times = []
        for _ in range(SEARCHES):
            began = time.monotonic()
            self.assertEqual(self.other().status, 200)
            times.append(time.monotonic() - began)
        return median(times)


class FakeGrep:
    """
    A grep that is the real one until it becomes another.

    @param folder: where it may put its files.
    @ivar environment: has a server find it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "bin"
        self._folder.mkdir()
        self._real = which("grep") or ""
        self.path = self._folder / "grep"
        self._begun = folder / "begun"
        self.environment = {"PATH": f"{self._folder}:{os.environ['PATH']}"}
        self.be_real()

    def be_real(self) -> None:
        """Be the real one again."""
        self._put(lambda path: path.symlink_to(self._real))

    def be(self, *lines: str) -> None:
        """Be a program in Python, which has C{os} and C{sys}."""

        def write(path: Path) -> None:
            # A shell would not do: some unblock the signals that they inherit.
            code = "\n".join((f"#!{sys.executable} -IS", "import os, sys", *lines, ""))
            path.write_text(code)
            path.chmod(0o755)

        self._put(write)

    def hang(self) -> None:
        """Be a program that says that it has begun, and then does nothing."""
        self._begun.write_text("")
        self.be(
            f"open({str(self._begun)!r}, 'a').write('x')",
            "import time",
            "time.sleep(600)",
        )

    @property
    def hanging(self) -> int:
        """How many of them have begun."""
        return len(self._begun.read_text())

    def wait_for_hanging(self, count: int) -> None:
        """Wait until so many of them have begun."""
        until(lambda: self.hanging >= count, f"{count} greps")

    def be_gone(self) -> None:
        """Be removed."""
        self.path.unlink()

    def _put(self, write: Callable[[Path], object]) -> None:
        new = self._folder / "new"
        write(new)
        new.rename(self.path)

    @contextmanager
    def being(self, *lines: str) -> Iterator[None]:
        """Be a program, then the real one again."""
        self.be(*lines)
        try:
            yield
        finally:
            self.be_real()


class Others:
    """
    Clients that go on searching meanwhile, and count what they get.

    @param server: whom they ask.
    @param question: what they ask.
    @param count: how many they are.
    @ivar codes: how often they got which code.
    @ivar results: what they got with a 200, each once.
    """

    def __init__(
        self, server: Server, question: Mapping[str, object], count: int = 2
    ) -> None:
        self.codes = Counter[int]()
        self.results: set[tuple[str, ...]] = set()
        self.errors: list[BaseException] = []
        self._server = server
        self._question = question
        self._over = Event()
        self._threads = [Thread(target=self._ask) for _ in range(count)]

    def _ask(self) -> None:
        try:
            while not self._over.is_set():
                with Conversation(self._server.address) as conversation:
                    response = conversation.ask(dict(self._question)).response()
                self.codes[response.status] += 1
                if response.status == 200:
                    self.results.add(tuple(response.json()["results"]))
        except BaseException as error:
            self.errors.append(error)

    def wait_for_more(self, count: int = 10) -> None:
        """Wait until they have got so many more answers."""
        wanted = self.codes.total() + count
        until(lambda: self.errors or self.codes.total() >= wanted, "more answers")

    def __enter__(self) -> Others:
        for thread in self._threads:
            thread.start()
        self.wait_for_more()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(LIMIT)
        if self.errors:
            raise AssertionError(f"{self.errors[0]!r}, after {self.codes}")
