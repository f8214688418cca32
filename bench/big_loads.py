"""
The loads on the big dictionaries, where the search and its answer take the time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from http.client import HTTPException
from pathlib import Path

from .corpus import COMMON, LARGE, LARGE_MEGABYTES, MEDIUM, MEDIUM_MEGABYTES, RARE
from .errors import RunFailed
from .floor import find_grep, run_grep
from .memory import PeakMemory, resident_megabytes
from .ours import ALONE, OURS
from .peers.catalogue import CGI, FASTAPI, QUART, WEBHOOK
from .questions import Question, everything, search
from .rounds import Load, Numbers
from .servers import Contestants, Server, check_same_answers, contestants
from .subjects import text_lines

GREP = "grep alone"
BIG_LOADS = RARE_LOAD, FIRST_LOAD, ALL_LOAD = "rare-500MB", "first-500MB", "all-50MB"
FIRST = 10

SEARCHERS = [ALONE.name, WEBHOOK.name, FASTAPI.name]
ALL = [each.name for each in (OURS, WEBHOOK, FASTAPI, QUART, CGI)]
BIG_SERVERS = {*SEARCHERS, *ALL}
_RARE_ARGUMENTS = ["-e", RARE]
_FIRST_ARGUMENTS = ["-m", str(FIRST), "-e", COMMON]
_RARE_QUESTION = search(RARE, LARGE)
_FIRST_QUESTION = search(COMMON, LARGE, nresults=FIRST)
_ALL_QUESTION = everything(MEDIUM)


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
        self._idle = {
            name: resident_megabytes(server.pids()) for name, server in servers.items()
        }

    def loads(self) -> Iterator[Load]:
        """All of them, in the order in which they are measured."""
        rare, absent = self._timed(SEARCHERS, _RARE_QUESTION)
        rare[GREP] = partial(self._grep, _RARE_ARGUMENTS)
        title = f"A rare term in {LARGE_MEGABYTES} MB, 1 client"
        yield Load(RARE_LOAD, title, rare, absent)
        first, absent = self._timed([ALONE.name], _FIRST_QUESTION)
        first[GREP] = partial(self._grep, _FIRST_ARGUMENTS)
        title = f"{FIRST} lines with a common term in {LARGE_MEGABYTES} MB, 1 client"
        yield Load(FIRST_LOAD, title, first, absent)
        entries, absent = contestants(ALL, self._servers, self._throughput)
        yield Load(ALL_LOAD, f"All of {MEDIUM_MEGABYTES} MB, 1 client", entries, absent)

    def check(self) -> None:
        """
        Make sure that all give the same answers.

        @raise BenchmarkError: one does not.
        """
        text = self._medium.read_text("utf-8")
        for names, question, lines in (
            (SEARCHERS, _RARE_QUESTION, self._lines(_RARE_ARGUMENTS)),
            ([ALONE.name], _FIRST_QUESTION, self._lines(_FIRST_ARGUMENTS)),
            (ALL, _ALL_QUESTION, text.removesuffix("\n").split("\n")),
        ):
            servers = [self._servers[each] for each in names if each in self._servers]
            check_same_answers(servers, question, lines)

    def _timed(self, names: Sequence[str], question: Question) -> Contestants:
        return contestants(names, self._servers, partial(self._duration, question))

    def _lines(self, arguments: Sequence[str]) -> list[str]:
        return text_lines(run_grep(find_grep(), arguments, self._large))

    def _duration(self, question: Question, server: Server, number: int) -> Numbers:
        return {"ms": 1000 * self._asked(server, question)[0]}

    def _grep(self, arguments: Sequence[str], number: int) -> Numbers:
        grep = find_grep()
        began = time.monotonic()
        run_grep(grep, arguments, self._large)
        return {"ms": 1000 * (time.monotonic() - began)}

    def _throughput(self, server: Server, number: int) -> Numbers:
        with PeakMemory(server.pids()) as memory:
            seconds, answer = self._asked(server, _ALL_QUESTION)
        size = self._medium.stat().st_size
        if len(answer) < size:
            raise RunFailed("the answer is too short")
        return {
            "MB/s": size / 1e6 / seconds,
            "peak MB": memory.peak,
            "more MB": memory.peak - self._idle[server.subject.name],
        }

    def _asked(self, server: Server, question: Question) -> tuple[float, bytes]:
        began = time.monotonic()
        try:
            answer = server.ask(question)
        except (OSError, HTTPException) as error:
            raise RunFailed(f"no answer: {error}") from error
        return time.monotonic() - began, answer
