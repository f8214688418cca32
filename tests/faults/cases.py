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
from ..integration.http_connection import TIMEOUT, HTTPConnection, Response
from ..integration.server import Server, wait_until

FULL_RUN = bool(os.environ.get("FAULTS_IN_FULL"))
"""Whether all is done as often as is promised; else a part of it, as for CI."""

LOVE_QUERY = {"action": "search", "term": "love"}
QUOTES_QUERY = {**LOVE_QUERY, "unit": "quote"}
BOOK_TEXT = "love is here\nand there\n\nno hate\n\nall love\n\n" * 20

BYSTANDER_ADDRESS = "127.0.0.99"
"""The address of a client that takes no part in an attack."""

LATENCY_SAMPLES = 30

# What must be after a fault as it was before it.
_RESTORED_METRICS = (
    *("greps_running", "places_taken", "searches_waiting", "waits", "timers"),
    *("connections", "requests_in_flight", "outstanding", "indexes_building"),
)
_MEMORY_METRIC = "process_resident_memory_bytes"
_MAX_MEMORY_RATIO = 1.10
_MAX_REPETITIONS = 3


def parse_metrics(server: Server) -> dict[str, float]:
    """All metrics of a server, by their names and labels."""
    text = server.read_metrics()
    lines = (line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")
    return {name: float(value) for name, value in lines}


def read_responses(conversations: Iterable[HTTPConnection]) -> list[Response]:
    """Read one answer on each connection, and close it."""
    responses = []
    for conversation in conversations:
        with conversation:
            responses.append(conversation.read_response())
    return responses


def count_statuses(responses: Sequence[Response]) -> str:
    """How many answers there were, by their codes."""
    counts = Counter(response.status for response in responses)
    return ", ".join(f"{count} x {code}" for code, count in sorted(counts.items()))


class FaultTestCase(LibraryTestCase):
    """
    A server, what it was like before, and what it must be like again.

    @cvar fault_description: what is done, for the report.
    @cvar expected_behavior: what is promised.
    @cvar options: options of the server.
    @cvar prefix: what runs it.
    @cvar allows_forced_shutdown: whether it has clients that may not be waited for.
    @ivar grep: the grep that the server runs.
    """

    fault_description: ClassVar[str]
    expected_behavior: ClassVar[str]
    options: ClassVar[tuple[str, ...]] = ()
    prefix: ClassVar[tuple[str, ...]] = ()
    allows_forced_shutdown: ClassVar[bool] = False

    def setUp(self) -> None:
        """Start a server, and have it answer one question of each kind."""
        super().setUp()
        self.book_path = self.library / "book"
        self.book_path.write_text(BOOK_TEXT)
        (self.library / "other").write_text("other love\n")
        self.grep = FakeGrep(self.folder)
        self.prepare_server()
        self.server = self.serve(
            "--default-dictionary=other",
            *self.options,
            prefix=self.prefix,
            environment=self.grep.server_environment | self.server_environment(),
        )
        self.check_answers()
        self.metrics_before = parse_metrics(self.server)

    def prepare_server(self) -> None:
        """Do what is to be done before the server starts."""

    def server_environment(self) -> dict[str, str]:
        """What else is in the environment of the server."""
        return {}

    def search_book(self, **fields: object) -> Response:
        """Search the book."""
        return self.server.post_query({**LOVE_QUERY, "dictionary": "book", **fields})

    def check_answers(self) -> None:
        """The service answers as it should, lines and quotes."""
        love = [line for line in BOOK_TEXT.splitlines() if "love" in line]
        for unit, count in (("line", len(love)), ("quote", 2 * 20)):
            answer = self.search_book(unit=unit)
            self.assertEqual(answer.status, 200, answer)
            self.assertEqual(answer.json()["nr of entries"], count)

    def check_error(self, response: Response, *codes: int) -> None:
        """An answer is an error of the contract's shape."""
        self.assertIn(response.status, codes, response)
        self.assertEqual(list(response.json()), ["Code", "message"])

    def wait_until_restored(self) -> str:
        """
        Wait until nothing of a fault is left.

        What the clients of an attack asked last may still be under way when the
        attack is over, so the first answer to somebody else may be a 503.

        @return: what became of the memory, in words.
        """
        wait_until(
            lambda: self.search_book().status == 200, "an answer after the fault"
        )
        self.check_answers()

        def same() -> bool:
            now = parse_metrics(self.server)
            self.differing = {
                name: (self.metrics_before[f"quotes_{name}"], now[f"quotes_{name}"])
                for name in _RESTORED_METRICS
                if now[f"quotes_{name}"] > self.metrics_before[f"quotes_{name}"]
            }
            files = "process_open_fds"
            if now[files] > self.metrics_before[files]:
                self.differing[files] = (self.metrics_before[files], now[files])
            self.memory = now[_MEMORY_METRIC]
            return not self.differing

        try:
            wait_until(same, "all as before")
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.differing}") from None
        self.assertEqual(self.server.search_pids(), [])
        return (
            f"{self.metrics_before[_MEMORY_METRIC] / 2**20:.0f} -> "
            f"{self.memory / 2**20:.0f} MB"
        )

    def report(self, observed: str) -> None:
        """Say in a line what was done, what was promised, and what was seen."""
        print(
            f"\n| {self.fault_description} | {self.expected_behavior} | {observed} |",
            end="",
            flush=True,
        )


class Fault(FaultTestCase):
    """
    A fault. Each kind of it says how it is made, and gets these two tests.
    """

    def __init_subclass__(cls) -> None:
        """Test what says what is done; the others are only like it."""
        super().__init_subclass__()
        if "fault_description" in cls.__dict__:
            cls.test_the_promise_is_kept = cls.check_recovery  # type: ignore[attr-defined]
            cls.test_a_shutdown_loses_nobody = cls.check_shutdown  # type: ignore[attr-defined]

    def inject_and_check(self) -> str:
        """
        Make the fault, check what is promised, and mend it.

        @return: what was seen.
        """
        raise NotImplementedError

    def inject_with_requests(self) -> list[HTTPConnection]:
        """Make the fault, and return requests that are under way in it."""
        raise NotImplementedError

    def check_recovery(self) -> None:
        """And afterwards all is as before, its memory too."""
        observed = self.inject_and_check()
        memory = self.wait_until_restored()
        for _ in range(_MAX_REPETITIONS):
            if self.memory <= self.metrics_before[_MEMORY_METRIC] * _MAX_MEMORY_RATIO:
                break
            # What it took once may be kept for the next time, and no more each time.
            self.metrics_before[_MEMORY_METRIC] = self.memory
            self.inject_and_check()
            memory += f", then {self.wait_until_restored()}"
        self.assertLessEqual(
            self.memory, self.metrics_before[_MEMORY_METRIC] * _MAX_MEMORY_RATIO, memory
        )
        self.report(f"{observed}; {memory}")

    def check_shutdown(self) -> None:
        """Where the end comes in the middle, each still gets a whole answer."""
        conversations = self.inject_with_requests()
        self.server.send_signal(signal.SIGTERM)
        responses = [each.read_response() for each in conversations]
        self.assertEqual(self.server.wait_for_exit(), -signal.SIGTERM)
        if not self.allows_forced_shutdown:
            forced = [x for x in self.server.lines if "Forcing the shutdown" in x]
            self.assertEqual(forced, [])
        print(
            f"\n|   ... and SIGTERM | nobody lost | {count_statuses(responses)} |",
            end="",
        )
        for response in responses:
            if response.status != 200:
                self.check_error(response, 400, 403, 404, 500, 503, 504)


class Attack(Fault):
    """
    A fault that some clients make, while another one goes on searching.

    @ivar attackers: the connections of those clients.
    """

    allows_forced_shutdown = True

    def setUp(self) -> None:
        """Be allowed to open many connections, and have a term for each search."""
        limits = getrlimit(RLIMIT_NOFILE)
        self.addCleanup(setrlimit, RLIMIT_NOFILE, limits)
        setrlimit(RLIMIT_NOFILE, (limits[1], limits[1]))
        self.unique_numbers = itertools.count(1000)
        self.attackers: list[HTTPConnection] = []
        super().setUp()

    def attack(self) -> None:
        """Do what is done."""
        raise NotImplementedError

    def connect_attacker(
        self, source_address: str | None = None, receive_buffer: int | None = None
    ) -> HTTPConnection:
        """Connect as one of the clients that attack."""
        client = self.server.connect(receive_buffer, source_address)
        self.attackers.append(client)
        return client

    def disconnect_attackers(self) -> None:
        """Have all clients leave that attack."""
        for client in self.attackers:
            client.close()
        self.attackers.clear()

    def search_as_bystander(self) -> Response:
        """What the other client gets for a plain search that is like no other."""
        query = {
            **LOVE_QUERY,
            "dictionary": "other",
            "term": f"love {next(self.unique_numbers)}",
        }
        with HTTPConnection(
            self.server.address, source_address=BYSTANDER_ADDRESS
        ) as conversation:
            return conversation.send_query(query).read_response()

    def measure_latency(self) -> float:
        """How long the other client waits for a search: the median, in seconds."""
        times = []
        for _ in range(LATENCY_SAMPLES):
            began = time.monotonic()
            self.assertEqual(self.search_as_bystander().status, 200)
            times.append(time.monotonic() - began)
        return median(times)


class FakeGrep:
    """
    A grep that is the real one until it becomes another.

    @param folder: where it may put its files.
    @ivar server_environment: has a server find it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "bin"
        self._folder.mkdir()
        self._real = which("grep") or ""
        self.path = self._folder / "grep"
        self._starts_file = folder / "begun"
        self.server_environment = {"PATH": f"{self._folder}:{os.environ['PATH']}"}
        self.restore_real_grep()

    def restore_real_grep(self) -> None:
        """Be the real one again."""
        self._install(lambda path: path.symlink_to(self._real))

    def replace_with(self, *lines: str) -> None:
        """Be a program in Python, which has C{os} and C{sys}."""

        def write(path: Path) -> None:
            # A shell would not do: some unblock the signals that they inherit.
            code = "\n".join((f"#!{sys.executable} -IS", "import os, sys", *lines, ""))
            path.write_text(code)
            path.chmod(0o755)

        self._install(write)

    def replace_with_hanging(self) -> None:
        """Be a program that says that it has begun, and then does nothing."""
        self._starts_file.write_text("")
        self.replace_with(
            f"open({str(self._starts_file)!r}, 'a').write('x')",
            "import time",
            "time.sleep(600)",
        )

    @property
    def hanging_count(self) -> int:
        """How many of them have begun."""
        return len(self._starts_file.read_text())

    def wait_for_hanging_count(self, count: int) -> None:
        """Wait until so many of them have begun."""
        wait_until(lambda: self.hanging_count >= count, f"{count} greps")

    def remove(self) -> None:
        """Be removed."""
        self.path.unlink()

    def _install(self, write: Callable[[Path], object]) -> None:
        new = self._folder / "new"
        write(new)
        new.rename(self.path)

    @contextmanager
    def replaced_with(self, *lines: str) -> Iterator[None]:
        """Be a program, then the real one again."""
        self.replace_with(*lines)
        try:
            yield
        finally:
            self.restore_real_grep()


class BackgroundClients:
    """
    Clients that go on searching meanwhile, and count what they get.

    @param server: whom they ask.
    @param query: what they ask.
    @param count: how many they are.
    @ivar codes: how often they got which code.
    @ivar results: what they got with a 200, each once.
    """

    def __init__(
        self, server: Server, query: Mapping[str, object], count: int = 2
    ) -> None:
        self.codes = Counter[int]()
        self.results: set[tuple[str, ...]] = set()
        self.errors: list[BaseException] = []
        self._server = server
        self._query = query
        self._stop_event = Event()
        self._threads = [Thread(target=self._run) for _ in range(count)]

    def _run(self) -> None:
        try:
            while not self._stop_event.is_set():
                with HTTPConnection(self._server.address) as conversation:
                    response = conversation.send_query(
                        dict(self._query)
                    ).read_response()
                self.codes[response.status] += 1
                if response.status == 200:
                    self.results.add(tuple(response.json()["results"]))
        except BaseException as error:
            self.errors.append(error)

    def wait_for_more(self, count: int = 10) -> None:
        """Wait until they have got so many more answers."""
        target = self.codes.total() + count
        wait_until(lambda: self.errors or self.codes.total() >= target, "more answers")

    def __enter__(self) -> BackgroundClients:
        for thread in self._threads:
            thread.start()
        self.wait_for_more()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop_event.set()
        for thread in self._threads:
            thread.join(TIMEOUT)
        if self.errors:
            raise AssertionError(f"{self.errors[0]!r}, after {self.codes}")
