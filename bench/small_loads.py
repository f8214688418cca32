"""
The loads on the small dictionary, where starting a grep takes longer than its search.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from .children import child, output_of
from .corpus import COPIES, LINE, SMALL
from .errors import RunFailed
from .floor import measure_floor
from .idle import idle_connections
from .ours import ALONE, OURS, TWO_WORKERS
from .peers.catalogue import CGI, FASTAPI, FASTAPI_UVLOOP, KLEIN, QUART, WEBHOOK
from .questions import ZIPF_TERMS, FreshTerms, body, everything, search, zipf
from .rounds import Load, Numbers
from .scale import Scale
from .servers import Server, check_same_answers, contestants
from .wrk import Wrk, write_bodies

_MOST_RATE = 15_000
"""No server is expected to be asked more distinct terms a second."""
_LEAST = COPIES * LINE
_CHECKED = 5
_PACE, _PACE_BESIDE, _PACED_CLIENTS = 200, 100, 8
WITHOUT, BESIDE = "nothing beside", f"{_PACE_BESIDE} distinct searches a second beside"
FLOORS = {
    f"grep alone, {loops} at a time, {cores} core{'s'[: cores - 1]}": (loops, cores)
    for cores in (1, 2)
    for loops in (1, 2)
}
ONE_GREP, _, _, TWO_GREPS = FLOORS

MOST = [each.name for each in (OURS, TWO_WORKERS, WEBHOOK, FASTAPI)]
ALL = [*MOST, QUART.name, CGI.name]
# Who is asked distinct terms, by the number of clients, if not all.
_WHO = {
    1: [*ALL, KLEIN.name],
    16: [*ALL, ALONE.name, FASTAPI_UVLOOP.name, KLEIN.name],
    256: MOST,
}
_FLOOR_BESIDE = {1: ONE_GREP, 64: TWO_GREPS}


def small_names(scale: Scale) -> list[str]:
    """The names of all loads here."""
    distinct = [f"distinct-{clients}" for clients in scale.clients]
    return [*distinct, "popular-64", "zipf-64", "all-60KB", "idle", "beside", "floor"]


def idle_name(connections: int) -> str:
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
        self._popular, self._fresh = terms[:ZIPF_TERMS], FreshTerms(terms[ZIPF_TERMS:])
        self._bodies, self._bodies_beside = folder / "bodies", folder / "bodies-beside"
        self._dictionary = library / SMALL
        self._scale = scale

    def loads(self) -> Iterator[Load]:
        """All of them, in the order in which they are measured."""
        for clients in self._scale.clients:
            yield self._distinct_load(clients)
        yield self._load(
            "popular-64", "One popular term, 64 clients", ALL, self._popular_term
        )
        title = f"A Zipf mix of {ZIPF_TERMS:,} terms, 64 clients"
        yield self._load("zipf-64", title, ALL, self._zipf)
        yield self._load("all-60KB", "All of 60 KB, 16 clients", ALL, self._all)
        if OURS.name in self._servers:
            yield from self._loads_of_ours(self._servers[OURS.name])
        floors = {name: partial(self._floor, name) for name in FLOORS}
        yield Load("floor", "Distinct terms, grep alone", floors)

    def check(self, texts: Sequence[str]) -> None:
        """
        Make sure that all give the same answers.

        @param texts: the lines of the dictionary.
        @raise BenchmarkError: one does not.
        """
        servers = list(self._servers.values())
        for term in self._popular[:_CHECKED]:
            found = [text for text in texts if term in text]
            check_same_answers(servers, search(term), found)
        check_same_answers(servers, everything(SMALL), texts)

    def warm_up(self, tell: Callable[[str], None]) -> None:
        """
        Have each server do something that is not counted.

        @param tell: is told of a server that fails even there.
        """
        for name, server in self._servers.items():
            try:
                self._distinct(server, 16, 1)
            except RunFailed as failure:
                tell(f"warming up {name}: failed: {failure}")

    def _load(
        self,
        name: str,
        title: str,
        servers: Sequence[str],
        measure: Callable[[Server, int], Numbers],
    ) -> Load:
        return Load(name, title, *contestants(servers, self._servers, measure))

    def _distinct_load(self, clients: int) -> Load:
        def measure(server: Server, number: int) -> Numbers:
            return self._distinct(server, clients, self._scale.seconds)

        names = _WHO.get(clients, ALL)
        entries, absent = contestants(names, self._servers, measure)
        if clients in _FLOOR_BESIDE:
            name = _FLOOR_BESIDE[clients]
            entries[name] = partial(self._floor, name)
        title = f"Distinct terms, {clients} client{'s' * (clients > 1)}"
        return Load(f"distinct-{clients}", title, entries, absent)

    def _loads_of_ours(self, server: Server) -> Iterator[Load]:
        yield Load(
            "idle",
            "Distinct terms, 16 clients, with idle connections",
            {
                idle_name(connections): partial(self._idle, server, connections)
                for connections in self._scale.idle
            },
        )
        yield Load(
            "beside",
            f"One popular term, {_PACE} times a second",
            {
                WITHOUT: partial(self._paced, server),
                BESIDE: partial(self._paced_beside, server),
            },
        )

    def _distinct(self, server: Server, clients: int, seconds: int) -> Numbers:
        name = server.subject.name
        terms = self._fresh.offer(name, _MOST_RATE * seconds)
        write_bodies(self._bodies, (body(search(term)) for term in terms))
        report = Wrk(server.url(), self._bodies, clients, seconds).run()
        self._fresh.use(name, report.asked)
        return report.numbers(_LEAST, len(terms))

    def _popular_term(self, server: Server, number: int) -> Numbers:
        return self._64_clients(server, [self._popular[0]])

    def _zipf(self, server: Server, number: int) -> Numbers:
        terms = zipf(self._popular, _MOST_RATE * self._scale.seconds, seed=number)
        return self._64_clients(server, terms)

    def _64_clients(self, server: Server, terms: Iterable[str]) -> Numbers:
        write_bodies(self._bodies, (body(search(term)) for term in terms))
        wrk = Wrk(server.url(), self._bodies, 64, self._scale.seconds)
        return wrk.run().numbers(_LEAST)

    def _all(self, server: Server, number: int) -> Numbers:
        write_bodies(self._bodies, [body(everything(SMALL))])
        wrk = Wrk(server.url("all"), self._bodies, 16, self._scale.seconds)
        return wrk.run().numbers(self._dictionary.stat().st_size)

    def _idle(self, server: Server, connections: int, number: int) -> Numbers:
        with idle_connections(server.site.port, connections):
            return self._distinct(server, 16, self._scale.seconds)

    def _paced(self, server: Server, number: int) -> Numbers:
        write_bodies(self._bodies, [body(search(self._popular[0]))])
        seconds = self._scale.paced_seconds
        wrk = Wrk(server.url(), self._bodies, _PACED_CLIENTS, seconds, _PACE)
        return wrk.run().numbers(_LEAST)

    def _paced_beside(self, server: Server, number: int) -> Numbers:
        # It begins a little earlier and ends a little later.
        seconds = self._scale.paced_seconds + 1
        name = server.subject.name
        terms = self._fresh.offer(name, 2 * _PACE_BESIDE * seconds)
        write_bodies(self._bodies_beside, (body(search(term)) for term in terms))
        beside = Wrk(
            *(server.url(), self._bodies_beside),
            *(_PACED_CLIENTS, seconds, _PACE_BESIDE),
        )
        with child(beside.command()) as process:
            numbers = self._paced(server, number)
            report = beside.report(output_of(process, seconds))
        self._fresh.use(name, report.asked)
        report.numbers(_LEAST, len(terms))
        return numbers

    def _floor(self, name: str, number: int) -> Numbers:
        loops, cores = FLOORS[name]
        terms = self._fresh.offer(name, _MOST_RATE * self._scale.seconds)
        self._bodies.write_text("".join(f"{term}\n" for term in terms))
        return measure_floor(
            self._bodies, self._dictionary, loops, cores, self._scale.seconds
        )
