"""
The loads on the small dictionary, where starting a grep takes longer than its search.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from .children import read_output, running_child
from .corpus import COPIES_PER_SENTENCE, LINE_LENGTH, SMALL
from .errors import RunFailed
from .floor import measure_floor
from .idle import idle_connections
from .ours import OURS, TWO_WORKERS, UNBATCHED
from .peers.catalogue import CGI, FASTAPI, FASTAPI_UVLOOP, KLEIN, QUART, WEBHOOK
from .queries import (
    ZIPF_TERMS,
    UnusedTerms,
    all_query,
    encode_query,
    search_query,
    zipf_terms,
)
from .rounds import Load, Numbers
from .scale import Scale
from .servers import Server, check_same_results, select_contestants
from .wrk import WrkRun, write_bodies

_MAX_RATE = 15_000
"""No server is expected to be asked more distinct terms a second."""
_MIN_RESPONSE_SIZE = COPIES_PER_SENTENCE * LINE_LENGTH
_CHECKED_TERMS = 5
_PACED_RATE, _BACKGROUND_RATE, _PACED_CLIENTS = 200, 100, 8
WITHOUT_BACKGROUND, WITH_BACKGROUND = (
    "nothing beside",
    f"{_BACKGROUND_RATE} distinct searches a second beside",
)
FLOORS = {
    f"grep alone, {loops} at a time, {cores} core{'s'[: cores - 1]}": (loops, cores)
    for cores in (1, 2)
    for loops in (1, 2)
}
ONE_GREP, _, _, TWO_GREPS = FLOORS

MAIN_SERVERS = [each.name for each in (OURS, TWO_WORKERS, WEBHOOK, FASTAPI)]
ALL_SERVERS = [*MAIN_SERVERS, QUART.name, CGI.name]
# Who is asked distinct terms, by the number of clients, if not all.
_SERVERS_BY_CLIENTS = {
    1: [*ALL_SERVERS, KLEIN.name],
    16: [*ALL_SERVERS, UNBATCHED.name, FASTAPI_UVLOOP.name, KLEIN.name],
    256: MAIN_SERVERS,
}
_FLOORS_BY_CLIENTS = {1: ONE_GREP, 64: TWO_GREPS}


def small_load_names(scale: Scale) -> list[str]:
    """The names of all loads here."""
    distinct = [f"distinct-{clients}" for clients in scale.clients]
    return [*distinct, "popular-64", "zipf-64", "all-60KB", "idle", "beside", "floor"]


def idle_run_name(connections: int) -> str:
    """What the run with so many idle connections is called."""
    return f"{connections:,} idle connections"


class SmallLoads:
    """
    The loads.

    @param servers: the servers that run, by name.
    @param terms: terms that are found in equally many lines.
    @param folder: for the files of the runs.
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
        self._popular_terms, self._unused_terms = (
            terms[:ZIPF_TERMS],
            UnusedTerms(terms[ZIPF_TERMS:]),
        )
        self._bodies, self._background_bodies = (
            folder / "bodies",
            folder / "bodies-beside",
        )
        self._dictionary = library / SMALL
        self._scale = scale

    def loads(self) -> Iterator[Load]:
        """All of them, in the order in which they are measured."""
        for clients in self._scale.clients:
            yield self._make_distinct_load(clients)
        yield self._make_load(
            "popular-64",
            "One popular term, 64 clients",
            ALL_SERVERS,
            self._measure_popular,
        )
        title = f"A Zipf mix of {ZIPF_TERMS:,} terms, 64 clients"
        yield self._make_load("zipf-64", title, ALL_SERVERS, self._measure_zipf)
        yield self._make_load(
            "all-60KB", "All of 60 KB, 16 clients", ALL_SERVERS, self._measure_all
        )
        if OURS.name in self._servers:
            yield from self._own_loads(self._servers[OURS.name])
        floors = {name: partial(self._measure_floor, name) for name in FLOORS}
        yield Load("floor", "Distinct terms, grep alone", floors)

    def check_responses(self, texts: Sequence[str]) -> None:
        """
        Make sure that all give the same answers.

        @param texts: the lines of the dictionary.
        @raise BenchmarkError: one does not.
        """
        servers = list(self._servers.values())
        for term in self._popular_terms[:_CHECKED_TERMS]:
            found = [text for text in texts if term in text]
            check_same_results(servers, search_query(term), found)
        check_same_results(servers, all_query(SMALL), texts)

    def warm_up(self, report_progress: Callable[[str], None]) -> None:
        """
        Have each server do something that is not counted.

        @param report_progress: is told of a server that fails even there.
        """
        for name, server in self._servers.items():
            try:
                self._measure_distinct(server, 16, 1)
            except RunFailed as failure:
                report_progress(f"warming up {name}: failed: {failure}")

    def _make_load(
        self,
        name: str,
        title: str,
        servers: Sequence[str],
        measure: Callable[[Server, int], Numbers],
    ) -> Load:
        return Load(name, title, *select_contestants(servers, self._servers, measure))

    def _make_distinct_load(self, clients: int) -> Load:
        def measure(server: Server, number: int) -> Numbers:
            return self._measure_distinct(server, clients, self._scale.seconds)

        names = _SERVERS_BY_CLIENTS.get(clients, ALL_SERVERS)
        entries, absent = select_contestants(names, self._servers, measure)
        if clients in _FLOORS_BY_CLIENTS:
            name = _FLOORS_BY_CLIENTS[clients]
            entries[name] = partial(self._measure_floor, name)
        title = f"Distinct terms, {clients} client{'s' * (clients > 1)}"
        return Load(f"distinct-{clients}", title, entries, absent)

    def _own_loads(self, server: Server) -> Iterator[Load]:
        yield Load(
            "idle",
            "Distinct terms, 16 clients, with idle connections",
            {
                idle_run_name(connections): partial(
                    self._measure_idle, server, connections
                )
                for connections in self._scale.idle
            },
        )
        yield Load(
            "beside",
            f"One popular term, {_PACED_RATE} times a second",
            {
                WITHOUT_BACKGROUND: partial(self._measure_paced, server),
                WITH_BACKGROUND: partial(self._measure_paced_with_background, server),
            },
        )

    def _measure_distinct(self, server: Server, clients: int, seconds: int) -> Numbers:
        name = server.subject.name
        terms = self._unused_terms.next_terms(name, _MAX_RATE * seconds)
        write_bodies(self._bodies, (encode_query(search_query(term)) for term in terms))
        report = WrkRun(server.url(), self._bodies, clients, seconds).run()
        self._unused_terms.mark_used(name, report.bodies_used)
        return report.checked_numbers(_MIN_RESPONSE_SIZE, len(terms))

    def _measure_popular(self, server: Server, number: int) -> Numbers:
        return self._measure_64_clients(server, [self._popular_terms[0]])

    def _measure_zipf(self, server: Server, number: int) -> Numbers:
        terms = zipf_terms(
            self._popular_terms, _MAX_RATE * self._scale.seconds, seed=number
        )
        return self._measure_64_clients(server, terms)

    def _measure_64_clients(self, server: Server, terms: Iterable[str]) -> Numbers:
        write_bodies(self._bodies, (encode_query(search_query(term)) for term in terms))
        wrk = WrkRun(server.url(), self._bodies, 64, self._scale.seconds)
        return wrk.run().checked_numbers(_MIN_RESPONSE_SIZE)

    def _measure_all(self, server: Server, number: int) -> Numbers:
        write_bodies(self._bodies, [encode_query(all_query(SMALL))])
        wrk = WrkRun(server.url("all"), self._bodies, 16, self._scale.seconds)
        return wrk.run().checked_numbers(self._dictionary.stat().st_size)

    def _measure_idle(self, server: Server, connections: int, number: int) -> Numbers:
        with idle_connections(server.configuration.port, connections):
            return self._measure_distinct(server, 16, self._scale.seconds)

    def _measure_paced(self, server: Server, number: int) -> Numbers:
        write_bodies(self._bodies, [encode_query(search_query(self._popular_terms[0]))])
        seconds = self._scale.paced_seconds
        wrk = WrkRun(server.url(), self._bodies, _PACED_CLIENTS, seconds, _PACED_RATE)
        return wrk.run().checked_numbers(_MIN_RESPONSE_SIZE)

    def _measure_paced_with_background(self, server: Server, number: int) -> Numbers:
        # It begins a little earlier and ends a little later.
        seconds = self._scale.paced_seconds + 1
        name = server.subject.name
        terms = self._unused_terms.next_terms(name, 2 * _BACKGROUND_RATE * seconds)
        write_bodies(
            self._background_bodies,
            (encode_query(search_query(term)) for term in terms),
        )
        background = WrkRun(
            *(server.url(), self._background_bodies),
            *(_PACED_CLIENTS, seconds, _BACKGROUND_RATE),
        )
        with running_child(background.command()) as process:
            numbers = self._measure_paced(server, number)
            report = background.parse_output(read_output(process, seconds))
        self._unused_terms.mark_used(name, report.bodies_used)
        report.checked_numbers(_MIN_RESPONSE_SIZE, len(terms))
        return numbers

    def _measure_floor(self, name: str, number: int) -> Numbers:
        loops, cores = FLOORS[name]
        terms = self._unused_terms.next_terms(name, _MAX_RATE * self._scale.seconds)
        self._bodies.write_text("".join(f"{term}\n" for term in terms))
        return measure_floor(
            self._bodies, self._dictionary, loops, cores, self._scale.seconds
        )
