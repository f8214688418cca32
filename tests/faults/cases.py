"""
Base classes of the tests that inject faults into a real server.

Every fault is a class with a description, the expected behavior, and methods to inject
it. One test checks that the server is as before after the fault; it repeats the fault
if the memory has grown. The other test shuts the server down during the fault.
"""

from __future__ import annotations

import itertools
import os
import signal
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from resource import RLIMIT_NOFILE, getrlimit, setrlimit
from statistics import median
from threading import Event, Thread
from typing import ClassVar

from ..integration.cases import LOVE_QUERY, LibraryTestCase
from ..integration.fake_grep import FakeGrep
from ..integration.http_connection import TIMEOUT, HTTPConnection, Response
from ..integration.server import Server, wait_until

FULL_RUN = bool(os.environ.get("FAULTS_IN_FULL"))
"""Whether faults have their full size; otherwise they are smaller, for CI."""

QUOTES_QUERY = {**LOVE_QUERY, "unit": "quote"}
UNIT_QUERIES = (LOVE_QUERY, QUOTES_QUERY)
BOOK_QUERY = {**LOVE_QUERY, "dictionary": "book"}
OTHER_QUERY = {**LOVE_QUERY, "dictionary": "other"}
BOOK_TEXT = "love is here\nand there\n\nno hate\n\nall love\n\n" * 20

MEGABYTE = 2**20
MEMORY_METRIC = "process_resident_memory_bytes"
BYSTANDER_ADDRESS = "127.0.0.99"
"""The address of a client that takes no part in an attack."""

_LATENCY_SAMPLES = 30
_RESTORED_METRICS = (
    *("quotes_greps_running", "quotes_places_taken", "quotes_searches_waiting"),
    *("quotes_waits", "quotes_timers", "quotes_connections"),
    *("quotes_requests_in_flight", "quotes_outstanding", "quotes_indexes_building"),
    "process_open_fds",
)
"""The metrics that must not be higher after a fault than before."""
_MAX_MEMORY_RATIO = 1.10
_MAX_REPETITIONS = 3


def read_responses(connections: Iterable[HTTPConnection]) -> list[Response]:
    """Read one response on each connection, and close it."""
    responses = []
    for connection in connections:
        with connection:
            responses.append(connection.read_response())
    return responses


def format_counts(counts: Mapping[int, int] | Mapping[str, int]) -> str:
    """Format the number of responses with each status."""
    return ", ".join(f"{count} x {key}" for key, count in sorted(counts.items()))


def count_statuses(responses: Iterable[Response]) -> str:
    """Return the number of responses with each status, as text."""
    return format_counts(Counter(response.status for response in responses))


def allow_many_descriptors(test: LibraryTestCase) -> None:
    """Raise the limit of descriptors of this process until the test ends."""
    limits = getrlimit(RLIMIT_NOFILE)
    test.addCleanup(setrlimit, RLIMIT_NOFILE, limits)
    setrlimit(RLIMIT_NOFILE, (limits[1], limits[1]))


def report(fault: str, expected: str, observed: str) -> None:
    """Print a row for the table in C{docs/reliability.md}."""
    print(f"\n| {fault} | {expected} | {observed} |", end="", flush=True)


class FaultTestCase(LibraryTestCase):
    """
    A server that must be as before after a fault.

    @cvar fault_description: what is done, for the report.
    @cvar expected_behavior: what the service promises, for the report.
    @cvar options: the options of the server.
    @cvar prefix: the command that runs the server.
    @cvar allows_forced_shutdown: whether a shutdown may be forced because clients
        do not read their responses.
    @ivar grep: the grep that the server runs.
    """

    fault_description: ClassVar[str]
    expected_behavior: ClassVar[str]
    options: ClassVar[tuple[str, ...]] = ()
    prefix: ClassVar[tuple[str, ...]] = ()
    allows_forced_shutdown: ClassVar[bool] = False

    def setUp(self) -> None:
        """Start a server, and send it a query of each kind."""
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
            environment=self.grep.environment | self.server_environment(),
        )
        self.check_results()
        self.metrics_before = self.server.read_metrics()

    def prepare_server(self) -> None:
        """Prepare the library before the server starts."""

    def server_environment(self) -> dict[str, str]:
        """Return additional environment variables of the server."""
        return {}

    def search_book(self, **fields: object) -> Response:
        return self.server.post_query({**BOOK_QUERY, **fields})

    def send_searches(
        self, count: int, queries: Sequence[Mapping[str, str]] = UNIT_QUERIES
    ) -> list[HTTPConnection]:
        """Send each of some queries to the book a number of times, all at once."""
        return [
            self.server.connect().send_query({**query, "dictionary": "book"})
            for query in queries
            for _ in range(count)
        ]

    def check_results(self) -> None:
        """Check the results of searches for lines and quotes."""
        lines = [line for line in BOOK_TEXT.splitlines() if "love" in line]
        for unit, count in (("line", len(lines)), ("quote", 2 * 20)):
            response = self.search_book(unit=unit)
            self.assertEqual(response.status, 200, response)
            self.assertEqual(response.json()["nr of entries"], count)

    def check_error(self, response: Response, *codes: int) -> None:
        """Check that a response is an error with a valid body."""
        self.assertIn(response.status, codes, response)
        self.assertEqual(list(response.json()), ["Code", "message"])

    def metric_increase(self, name: str) -> int:
        """Return how much a metric has increased since the start."""
        now = self.server.read_metrics().get(name, 0)
        return int(now - self.metrics_before.get(name, 0))

    def wait_until_restored(self) -> str:
        """
        Wait until all resources that a fault has used are free.

        The last requests of an attack may still be running, so the first response
        may be a 503.

        @return: the memory before and after, as text.
        """
        wait_until(
            lambda: self.search_book().status == 200, "a response after the fault"
        )
        self.check_results()
        before = self.metrics_before

        def is_restored() -> bool:
            now = self.server.read_metrics()
            self.differing = {
                name: (before[name], now[name])
                for name in _RESTORED_METRICS
                if now[name] > before[name]
            }
            self.memory = now[MEMORY_METRIC]
            return not self.differing

        try:
            wait_until(is_restored, "the same metrics as before")
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.differing}") from None
        self.assertEqual(self.server.search_pids(), [])
        return (
            f"{before[MEMORY_METRIC] / MEGABYTE:.0f} -> {self.memory / MEGABYTE:.0f} MB"
        )


class Fault(FaultTestCase):
    """A fault. Each subclass with a description gets two tests."""

    def __init_subclass__(cls) -> None:
        """Add the tests; a class without a description is a base of others."""
        super().__init_subclass__()
        if "fault_description" in cls.__dict__:
            cls.test_the_service_recovers = cls.check_recovery  # type: ignore[attr-defined]
            cls.test_a_shutdown_answers_all_requests = cls.check_shutdown  # type: ignore[attr-defined]

    def inject_and_check(self) -> str:
        """
        Inject the fault, check the expected behavior, and remove the fault.

        @return: what was observed.
        """
        raise NotImplementedError

    def inject_with_requests(self) -> list[HTTPConnection]:
        """Inject the fault; return connections with running requests."""
        raise NotImplementedError

    def check_recovery(self) -> None:
        """After the fault, the server is as before, including its memory."""
        observed = self.inject_and_check()
        memory = self.wait_until_restored()
        before = self.metrics_before
        for _ in range(_MAX_REPETITIONS):
            if self.memory <= before[MEMORY_METRIC] * _MAX_MEMORY_RATIO:
                break
            # The server may keep memory for reuse, but it must not grow each time.
            before[MEMORY_METRIC] = self.memory
            self.inject_and_check()
            memory += f", then {self.wait_until_restored()}"
        self.assertLessEqual(
            self.memory, before[MEMORY_METRIC] * _MAX_MEMORY_RATIO, memory
        )
        report(
            self.fault_description,
            self.expected_behavior,
            f"{observed}; memory {memory}",
        )

    def check_shutdown(self) -> None:
        """A shutdown during the fault sends a complete response to each request."""
        connections = self.inject_with_requests()
        self.server.send_signal(signal.SIGTERM)
        responses = [each.read_response() for each in connections]
        self.assertEqual(self.server.wait_for_exit(), -signal.SIGTERM)
        if not self.allows_forced_shutdown:
            forced = [x for x in self.server.lines if "Forcing the shutdown" in x]
            self.assertEqual(forced, [])
        report(
            f"{self.fault_description}, SIGTERM meanwhile",
            "a complete response to each request",
            count_statuses(responses),
        )
        for response in responses:
            if response.status != 200:
                self.check_error(response, 400, 403, 404, 500, 503, 504)


class Attack(Fault):
    """
    A fault that some clients cause while another client searches.

    @ivar attackers: the connections of the attacking clients.
    """

    allows_forced_shutdown = True

    def setUp(self) -> None:
        """Allow many connections."""
        allow_many_descriptors(self)
        self.unique_numbers = itertools.count(1000)
        self.attackers: list[HTTPConnection] = []
        super().setUp()

    def attack(self) -> None:
        raise NotImplementedError

    def connect_attacker(
        self, source_address: str | None = None, receive_buffer: int | None = None
    ) -> HTTPConnection:
        """Connect as one of the attacking clients."""
        client = self.server.connect(receive_buffer, source_address)
        self.attackers.append(client)
        return client

    def disconnect_attackers(self) -> None:
        """Close all connections of attacking clients."""
        for client in self.attackers:
            client.close()
        self.attackers.clear()

    def connect_bystander(self) -> HTTPConnection:
        """Connect as the other client."""
        return self.server.connect(source_address=BYSTANDER_ADDRESS)

    def measure_latency(self) -> float:
        """Return the median latency of the other client's searches, in seconds."""
        times = []
        for _ in range(_LATENCY_SAMPLES):
            query = {**OTHER_QUERY, "term": f"love {next(self.unique_numbers)}"}
            start = time.monotonic()
            with self.connect_bystander() as connection:
                response = connection.send_query(query).read_response()
            self.assertEqual(response.status, 200)
            times.append(time.monotonic() - start)
        return median(times)


class BackgroundClients:
    """
    Clients that search until a C{with} statement ends, and count their responses.

    @param query: the query that they repeat.
    @param count: the number of clients.
    @ivar codes: the number of responses with each status.
    @ivar results: the different results of responses with status 200.
    """

    def __init__(
        self, server: Server, query: Mapping[str, object], count: int = 2
    ) -> None:
        self.codes = Counter[int]()
        self.results: set[tuple[str, ...]] = set()
        self.errors: list[BaseException] = []
        self._server = server
        self._query = dict(query)
        self._stop_event = Event()
        self._threads = [Thread(target=self._run) for _ in range(count)]

    def _run(self) -> None:
        try:
            while not self._stop_event.is_set():
                response = self._server.post_query(self._query)
                self.codes[response.status] += 1
                if response.status == 200:
                    self.results.add(tuple(response.json()["results"]))
        except BaseException as error:
            self.errors.append(error)

    def wait_for_more(self, count: int = 10) -> None:
        """Wait for a number of further responses."""
        target = self.codes.total() + count
        wait_until(
            lambda: self.errors or self.codes.total() >= target, "more responses"
        )

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
