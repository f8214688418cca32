"""
The loads on the big dictionaries, where the search and its answer take the time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
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
from .floor import find_grep, run_grep
from .memory import PeakMemory, resident_megabytes
from .ours import OURS, UNBATCHED
from .peers.catalogue import CGI, FASTAPI, QUART, WEBHOOK
from .queries import Query, all_query, search_query
from .rounds import Load, Numbers
from .servers import Contestants, Server, check_same_results, select_contestants
from .subjects import parse_text_lines

GREP_NAME = "grep alone"
BIG_LOADS = RARE_LOAD, FIRST_LOAD, ALL_LOAD = "rare-500MB", "first-500MB", "all-50MB"
FIRST_COUNT = 10

SEARCH_SERVERS = [UNBATCHED.name, WEBHOOK.name, FASTAPI.name]
ALL_SERVERS = [each.name for each in (OURS, WEBHOOK, FASTAPI, QUART, CGI)]
BIG_SERVERS = {*SEARCH_SERVERS, *ALL_SERVERS}
_RARE_ARGUMENTS = ["-e", RARE_TERM]
_FIRST_ARGUMENTS = ["-m", str(FIRST_COUNT), "-e", COMMON_TERM]
_RARE_QUERY = search_query(RARE_TERM, LARGE)
_FIRST_QUERY = search_query(COMMON_TERM, LARGE, nresults=FIRST_COUNT)
_ALL_QUERY = all_query(MEDIUM)


class BigLoads:
    """
    The loads.

    @param servers: the servers that run, by name, and have answered little so far.
    @param library: the folder of the dictionaries.
    """

    def __init__(self, servers: Mapping[str, Server], library: Path) -> None:
        self._servers = servers
        self._large, self._medium = str(library / LARGE), library / MEDIUM
        # Later they may keep what an answer took, and take no more for the next.
        self._idle_megabytes = {
            name: resident_megabytes(server.pids()) for name, server in servers.items()
        }

    def loads(self) -> Iterator[Load]:
        """All of them, in the order in which they are measured."""
        rare, absent = self._timed_contestants(SEARCH_SERVERS, _RARE_QUERY)
        rare[GREP_NAME] = partial(self._measure_grep, _RARE_ARGUMENTS)
        title = f"A rare term in {LARGE_MEGABYTES} MB, 1 client"
        yield Load(RARE_LOAD, title, rare, absent)
        first, absent = self._timed_contestants([UNBATCHED.name], _FIRST_QUERY)
        first[GREP_NAME] = partial(self._measure_grep, _FIRST_ARGUMENTS)
        title = (
            f"{FIRST_COUNT} lines with a common term in {LARGE_MEGABYTES} MB, 1 client"
        )
        yield Load(FIRST_LOAD, title, first, absent)
        entries, absent = select_contestants(
            ALL_SERVERS, self._servers, self._measure_throughput
        )
        yield Load(ALL_LOAD, f"All of {MEDIUM_MEGABYTES} MB, 1 client", entries, absent)

    def check_responses(self) -> None:
        """
        Make sure that all give the same answers.

        @raise BenchmarkError: one does not.
        """
        text = self._medium.read_text("utf-8")
        for names, question, lines in (
            (SEARCH_SERVERS, _RARE_QUERY, self._grep_lines(_RARE_ARGUMENTS)),
            ([UNBATCHED.name], _FIRST_QUERY, self._grep_lines(_FIRST_ARGUMENTS)),
            (ALL_SERVERS, _ALL_QUERY, text.removesuffix("\n").split("\n")),
        ):
            servers = [self._servers[each] for each in names if each in self._servers]
            check_same_results(servers, question, lines)

    def _timed_contestants(self, names: Sequence[str], query: Query) -> Contestants:
        return select_contestants(
            names, self._servers, partial(self._measure_duration, query)
        )

    def _grep_lines(self, arguments: Sequence[str]) -> list[str]:
        return parse_text_lines(run_grep(find_grep(), arguments, self._large))

    def _measure_duration(self, query: Query, server: Server, number: int) -> Numbers:
        return {"ms": 1000 * self._time_query(server, query)[0]}

    def _measure_grep(self, arguments: Sequence[str], number: int) -> Numbers:
        grep = find_grep()
        began = time.monotonic()
        run_grep(grep, arguments, self._large)
        return {"ms": 1000 * (time.monotonic() - began)}

    def _measure_throughput(self, server: Server, number: int) -> Numbers:
        with PeakMemory(server.pids()) as memory:
            seconds, answer = self._time_query(server, _ALL_QUERY)
        size = self._medium.stat().st_size
        if len(answer) < size:
            raise RunFailed("the answer is too short")
        return {
            "MB/s": size / 1e6 / seconds,
            "peak MB": memory.peak,
            "more MB": memory.peak - self._idle_megabytes[server.subject.name],
        }

    def _time_query(self, server: Server, query: Query) -> tuple[float, bytes]:
        began = time.monotonic()
        try:
            answer = server.post_query(query)
        except (OSError, HTTPException) as error:
            raise RunFailed(f"no answer: {error}") from error
        return time.monotonic() - began, answer
