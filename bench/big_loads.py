"""
The loads on the large dictionaries, where searching takes most of the time.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, partial
from http.client import HTTPException
from pathlib import Path

from .corpus import (
    COMMON_TERM,
    LARGE,
    LARGE_MEGABYTES,
    MEDIUM,
    MEDIUM_MEGABYTES,
    RARE_TERM,
)
from .errors import RunFailed
from .floor import run_grep
from .memory import PeakMemory, resident_megabytes
from .ours import OURS, UNBATCHED
from .peers.catalogue import CGI, FASTAPI, QUART, WEBHOOK
from .queries import Query, all_query, quotes_path, search_query
from .rounds import Load, Numbers
from .servers import Server, check_same_results, select_contestants
from .subjects import parse_text_lines

GREP_NAME = "grep alone"
COUNTED, COUNTED_EXACTLY = "ours, quotes", "ours, quotes, ignore_case=false"
BIG_LOADS = (RARE_LOAD, FIRST_LOAD, ALL_LOAD, COUNT_LOAD) = (
    *("rare-500MB", "first-500MB", "all-50MB", "count-500MB"),
)

_FIRST_COUNT = 10
_INDEX_TIMEOUT = 600.0
_SEARCH_SERVERS = [UNBATCHED.name, WEBHOOK.name, FASTAPI.name]
_ALL_SERVERS = [each.name for each in (OURS, WEBHOOK, FASTAPI, QUART, CGI)]
BIG_SERVERS = {*_SEARCH_SERVERS, *_ALL_SERVERS}
_ALL_QUERY = all_query(MEDIUM)
# The name and the title, the servers, the query, and the arguments of grep.
_SEARCHES = (
    (
        RARE_LOAD,
        f"A rare term in {LARGE_MEGABYTES} MB, 1 client",
        _SEARCH_SERVERS,
        search_query(RARE_TERM, LARGE),
        ["-e", RARE_TERM],
    ),
    (
        FIRST_LOAD,
        f"The first {_FIRST_COUNT} lines with a common term in {LARGE_MEGABYTES} MB",
        [UNBATCHED.name],
        search_query(COMMON_TERM, LARGE, nresults=_FIRST_COUNT),
        ["-m", str(_FIRST_COUNT), "-e", COMMON_TERM],
    ),
)


class BigLoads:
    """
    The loads on the large dictionaries.

    @param servers: the servers by name, just started.
    @param library: the folder of the dictionaries.
    """

    def __init__(self, servers: Mapping[str, Server], library: Path) -> None:
        self._servers = servers
        self._large, self._medium = str(library / LARGE), library / MEDIUM
        # Measured now: later, servers may keep memory that a response needed.
        self._idle_megabytes = {
            name: resident_megabytes(server.pids()) for name, server in servers.items()
        }

    def loads(self) -> Iterator[Load]:
        """Return all loads, in the order in which they are measured."""
        for name, title, servers, query, arguments in _SEARCHES:
            entries, absent = select_contestants(
                servers, self._servers, partial(self._measure_duration, query)
            )
            entries[GREP_NAME] = partial(self._measure_grep, arguments)
            yield Load(name, title, entries, absent)
        title = f"All of {MEDIUM_MEGABYTES} MB, 1 client"
        entries, absent = select_contestants(
            _ALL_SERVERS, self._servers, self._measure_throughput
        )
        yield Load(ALL_LOAD, title, entries, absent)
        if OURS.name in self._servers:
            yield self._make_count_load(self._servers[OURS.name])

    def check_responses(self) -> None:
        """
        Check that all servers give the same results.

        @raise BenchmarkError: a server gives different results.
        """
        for _, _, names, query, arguments in _SEARCHES:
            printed = run_grep(arguments, self._large)
            self._check_servers(names, query, parse_text_lines(printed))
        lines = parse_text_lines(self._medium.read_bytes())
        self._check_servers(_ALL_SERVERS, _ALL_QUERY, lines)

    def _check_servers(
        self, names: Sequence[str], query: Query, lines: Sequence[str]
    ) -> None:
        servers = [self._servers[name] for name in names if name in self._servers]
        check_same_results(servers, query, lines)

    def _measure_duration(self, query: Query, server: Server, number: int) -> Numbers:
        return {"ms": 1000 * _time_query(server, query)[0]}

    def _measure_grep(self, arguments: Sequence[str], number: int) -> Numbers:
        start = time.monotonic()
        run_grep(arguments, self._large)
        return {"ms": 1000 * (time.monotonic() - start)}

    def _make_count_load(self, server: Server) -> Load:
        title = f"The number of quotes with a common term in {LARGE_MEGABYTES} MB"
        return Load(
            COUNT_LOAD,
            title,
            {
                COUNTED: partial(self._measure_count, server, "auto"),
                COUNTED_EXACTLY: partial(self._measure_count, server, "false"),
                GREP_NAME: partial(self._measure_grep, ["-c", "-e", COMMON_TERM]),
            },
        )

    def _measure_count(self, server: Server, ignore_case: str, number: int) -> Numbers:
        self._wait_for_index(server)
        # The limit is another one in each round, so that no cache can help.
        path = quotes_path(
            COMMON_TERM, dictionary=LARGE, ignore_case=ignore_case, limit=number + 1
        )
        start = time.monotonic()
        body = server.get(path)
        numbers = {"ms": 1000 * (time.monotonic() - start)}
        if json.loads(body)["total"] != self._common_count:
            raise RunFailed("the number of quotes is wrong")
        return numbers

    @cached_property
    def _common_count(self) -> int:
        return int(run_grep(["-c", "-e", COMMON_TERM], self._large))

    def _wait_for_index(self, server: Server) -> None:
        """Have the large dictionary indexed, unless it is."""
        deadline = time.monotonic() + _INDEX_TIMEOUT
        while True:
            try:
                server.get(quotes_path(RARE_TERM, dictionary=LARGE))
                return
            except RunFailed:
                if time.monotonic() > deadline:
                    raise

    def _measure_throughput(self, server: Server, number: int) -> Numbers:
        with PeakMemory(server.pids()) as memory:
            seconds, body = _time_query(server, _ALL_QUERY)
        size = self._medium.stat().st_size
        if len(body) < size:
            raise RunFailed("the response is too short")
        return {
            "MB/s": size / 1e6 / seconds,
            "peak MB": memory.peak,
            "more MB": memory.peak - self._idle_megabytes[server.subject.name],
        }


def _time_query(server: Server, query: Query) -> tuple[float, bytes]:
    start = time.monotonic()
    try:
        body = server.post_query(query)
    except (OSError, HTTPException) as error:
        raise RunFailed(f"no response: {error}") from error
    return time.monotonic() - start, body
