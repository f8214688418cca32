"""
The loads on the small dictionary, where starting grep takes longer than its search.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from logging import getLogger
from pathlib import Path

from .corpus import COPIES_PER_SENTENCE, LINE_LENGTH, SMALL
from .errors import RunFailed
from .floor import measure_floor
from .idle import idle_connections
from .ours import OURS, TWO_WORKERS, UNBATCHED
from .peers.catalogue import CGI, FASTAPI, FASTAPI_UVLOOP, KLEIN, QUART, WEBHOOK
from .queries import (
    ZIPF_TERMS,
    all_query,
    encode_query,
    search_query,
    zipf_terms,
)
from .rounds import Load, Numbers
from .scale import Scale
from .servers import Server, check_same_results, select_contestants
from .wrk import run_wrk, write_bodies

_log = getLogger(__name__)

_MAX_RATE = 15_000
"""The maximum rate of distinct terms, in requests per second, of any server."""
_MIN_RESPONSE_SIZE = COPIES_PER_SENTENCE * LINE_LENGTH
_CHECKED_TERMS = 5
_PACED_RATE, _BACKGROUND_RATE, _PACED_CLIENTS = 200, 100, 8
# Keys of the results in performance.json, as are the names of the loads.
WITHOUT_BACKGROUND = "nothing beside"
WITH_BACKGROUND = f"{_BACKGROUND_RATE} distinct searches a second beside"
FLOORS = {
    f"grep alone, {loops} at a time, {cores} core{'s'[: cores - 1]}": (loops, cores)
    for cores in (1, 2)
    for loops in (1, 2)
}
ONE_GREP, _, _, TWO_GREPS = FLOORS

_MAIN_SERVERS = [each.name for each in (OURS, TWO_WORKERS, WEBHOOK, FASTAPI)]
_ALL_SERVERS = [*_MAIN_SERVERS, QUART.name, CGI.name]
# The servers that search for distinct terms, by the number of clients; the default
# is _ALL_SERVERS.
_SERVERS_BY_CLIENTS = {
    1: [*_ALL_SERVERS, KLEIN.name],
    16: [*_ALL_SERVERS, UNBATCHED.name, FASTAPI_UVLOOP.name, KLEIN.name],
    256: _MAIN_SERVERS,
}
_FLOORS_BY_CLIENTS = {1: ONE_GREP, 64: TWO_GREPS}


def small_load_names(scale: Scale) -> list[str]:
    """Return the names of all loads on the small dictionary."""
    distinct = [f"distinct-{clients}" for clients in scale.clients]
    return [*distinct, "popular-64", "zipf-64", "all-60KB", "idle", "beside", "floor"]


def idle_run_name(connections: int) -> str:
    """Return the name of the run with a number of idle connections."""
    return f"{connections:,} idle connections"


class SmallLoads:
    """
    The loads on the small dictionary.

    @param servers: the running servers by name.
    @param terms: terms that all have the same number of matches.
    @param folder: the folder for the files of the runs.
    @param library: the folder of the dictionaries.
    """

    def __init__(
        self,
        servers: Mapping[str, Server],
        terms: Sequence[str],
        folder: Path,
        library: Path,
        scale: Scale,
    ) -> None:
        self._servers = servers
        self._popular_terms = terms[:ZIPF_TERMS]
        self._distinct_terms = terms[ZIPF_TERMS:]
        self._used_terms: Counter[str] = Counter()
        self._bodies = folder / "bodies"
        self._background_bodies = folder / "background-bodies"
        self._dictionary = library / SMALL
        self._scale = scale

    def loads(self) -> Iterator[Load]:
        """Return all loads, in the order in which they are measured."""
        for clients in self._scale.clients:
            yield self._make_distinct_load(clients)
        zipf_title = f"A Zipf mix of {ZIPF_TERMS:,} terms, 64 clients"
        measures: list[tuple[str, str, Callable[[Server, int], Numbers]]] = [
            ("popular-64", "One popular term, 64 clients", self._measure_popular),
            ("zipf-64", zipf_title, self._measure_zipf),
            ("all-60KB", "All of 60 KB, 16 clients", self._measure_all),
        ]
        for name, title, measure in measures:
            entries, absent = select_contestants(_ALL_SERVERS, self._servers, measure)
            yield Load(name, title, entries, absent)
        if OURS.name in self._servers:
            yield from self._make_own_loads(self._servers[OURS.name])
        floors = {name: partial(self._measure_floor, name) for name in FLOORS}
        yield Load("floor", "Distinct terms, grep alone", floors)

    def check_responses(self, lines: Sequence[str]) -> None:
        """
        Check that all servers give the same results.

        @param lines: the lines of the dictionary.
        @raise BenchmarkError: a server gives different results.
        """
        servers = list(self._servers.values())
        for term in self._popular_terms[:_CHECKED_TERMS]:
            matches = [line for line in lines if term in line]
            check_same_results(servers, search_query(term), matches)
        check_same_results(servers, all_query(SMALL), lines)

    def warm_up(self) -> None:
        """Send requests to each server that are not counted."""
        for name, server in self._servers.items():
            try:
                self._measure_distinct(16, 1, server)
            except RunFailed as failure:
                _log.warning("warming up %s: failed: %s", name, failure)

    def _make_distinct_load(self, clients: int) -> Load:
        names = _SERVERS_BY_CLIENTS.get(clients, _ALL_SERVERS)
        measure = partial(self._measure_distinct, clients, self._scale.seconds)
        entries, absent = select_contestants(names, self._servers, measure)
        if clients in _FLOORS_BY_CLIENTS:
            name = _FLOORS_BY_CLIENTS[clients]
            entries[name] = partial(self._measure_floor, name)
        title = f"Distinct terms, {clients} client{'s' * (clients > 1)}"
        return Load(f"distinct-{clients}", title, entries, absent)

    def _make_own_loads(self, server: Server) -> Iterator[Load]:
        yield Load(
            "idle",
            "Distinct terms, 16 clients, with idle connections",
            {
                idle_run_name(count): partial(self._measure_idle, server, count)
                for count in self._scale.idle
            },
        )
        yield Load(
            "beside",
            f"One popular term, {_PACED_RATE} requests/s",
            {
                WITHOUT_BACKGROUND: partial(self._measure_paced, server),
                WITH_BACKGROUND: partial(self._measure_paced_with_background, server),
            },
        )

    def _write_searches(self, path: Path, terms: Sequence[str]) -> None:
        write_bodies(path, (encode_query(search_query(term)) for term in terms))

    def _next_terms(self, name: str, count: int) -> Sequence[str]:
        """Return terms that are new to a server, so that no cache can help it."""
        used = self._used_terms[name]
        return self._distinct_terms[used : used + count]

    def _measure_distinct(
        self, clients: int, seconds: int, server: Server, number: int = 0
    ) -> Numbers:
        name = server.subject.name
        terms = self._next_terms(name, _MAX_RATE * seconds)
        self._write_searches(self._bodies, terms)
        report = run_wrk(server.url(), self._bodies, clients, seconds)
        self._used_terms[name] += report.bodies_used
        return report.checked_numbers(_MIN_RESPONSE_SIZE, len(terms))

    def _measure_popular(self, server: Server, number: int) -> Numbers:
        return self._measure_64_clients(server, self._popular_terms[:1])

    def _measure_zipf(self, server: Server, number: int) -> Numbers:
        count = _MAX_RATE * self._scale.seconds
        terms = zipf_terms(self._popular_terms, count, seed=number)
        return self._measure_64_clients(server, terms)

    def _measure_64_clients(self, server: Server, terms: Sequence[str]) -> Numbers:
        self._write_searches(self._bodies, terms)
        report = run_wrk(server.url(), self._bodies, 64, self._scale.seconds)
        return report.checked_numbers(_MIN_RESPONSE_SIZE)

    def _measure_all(self, server: Server, number: int) -> Numbers:
        write_bodies(self._bodies, [encode_query(all_query(SMALL))])
        report = run_wrk(server.url("all"), self._bodies, 16, self._scale.seconds)
        return report.checked_numbers(self._dictionary.stat().st_size)

    def _measure_idle(self, server: Server, connections: int, number: int) -> Numbers:
        with idle_connections(server.configuration.port, connections):
            return self._measure_distinct(16, self._scale.seconds, server)

    def _measure_paced(self, server: Server, number: int) -> Numbers:
        self._write_searches(self._bodies, self._popular_terms[:1])
        seconds = self._scale.paced_seconds
        report = run_wrk(
            server.url(), self._bodies, _PACED_CLIENTS, seconds, _PACED_RATE
        )
        return report.checked_numbers(_MIN_RESPONSE_SIZE)

    def _measure_paced_with_background(self, server: Server, number: int) -> Numbers:
        # The background load starts first and ends last.
        seconds = self._scale.paced_seconds + 1
        name = server.subject.name
        terms = self._next_terms(name, 2 * _BACKGROUND_RATE * seconds)
        self._write_searches(self._background_bodies, terms)
        with ThreadPoolExecutor() as pool:
            background = pool.submit(
                run_wrk,
                server.url(),
                self._background_bodies,
                *(_PACED_CLIENTS, seconds, _BACKGROUND_RATE),
            )
            numbers = self._measure_paced(server, number)
            report = background.result()
        self._used_terms[name] += report.bodies_used
        report.checked_numbers(_MIN_RESPONSE_SIZE, len(terms))
        return numbers

    def _measure_floor(self, name: str, number: int) -> Numbers:
        loops, cores = FLOORS[name]
        seconds = self._scale.seconds
        terms = self._next_terms(name, _MAX_RATE * seconds)
        return measure_floor(terms, self._dictionary, loops, cores, seconds)
