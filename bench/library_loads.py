"""
The loads on a library of many dictionaries, compared with one of few, and with grep
and ripgrep.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from http.client import HTTPException
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from .corpus import COMMON_TERM, RARE_TERM
from .errors import BenchmarkError, RunFailed
from .floor import run_command, run_grep
from .indexed import running_indexed_server
from .library_corpus import (
    QUOTES_PER_COMMON_TERM,
    QUOTES_PER_FILE,
    Libraries,
    distinct_quote_terms,
    file_name,
    fortune_quotes,
)
from .memory import resident_megabytes
from .ours import UNCACHED
from .queries import ALL_DICTIONARIES, QUOTES, quotes_path, search_query
from .rounds import Load, Numbers
from .scale import Scale
from .servers import Server, running_server
from .subjects import find_program

LINES, FOUND, EXACT = "ours, lines", "ours, quotes", "ours, quotes, ignore_case=false"
GREP, RIPGREP = "grep -rF", "rg -F"
MANY, FEW, JOINED = "many files", "3 files", "one file"
INDEXER = "many files, after the first index"
CHANGED_LINES, CHANGED_QUOTES = f"{LINES}, after a change", f"{FOUND}, after a change"
LIBRARY_LOADS = (
    *("many-rare", "many-common", "many-permalink", "many-random", "many-named"),
    *("many-index", "many-start", "many-memory", "many-change"),
)

_SEARCHES, _SMALL_REQUESTS = 5, 50
"""How often each is sent in a round."""
_RIPGREP_OPTIONS = ("--no-config", "--text", "--fixed-strings")


def time_median(functions: Sequence[Callable[[], object]]) -> Numbers:
    """
    Call functions one after another, and return the median of their durations.

    @raise RunFailed: a function gets no response.
    """
    durations = []
    for function in functions:
        start = time.monotonic()
        try:
            function()
        except (OSError, HTTPException) as error:
            raise RunFailed(f"no response: {error}") from error
        durations.append(time.monotonic() - start)
    return {"ms": 1000 * median(durations)}


@dataclass(frozen=True)
class LibraryLoads:
    """
    The loads on a library of many dictionaries.

    @ivar folder: the folder for the files of the runs.
    @ivar many: the server of many files, without a cache of responses.
    @ivar few: the server of three of these files, without one.
    """

    folder: Path
    libraries: Libraries
    scale: Scale
    many: Server
    few: Server

    def loads(self) -> Iterator[Load]:
        """Return all loads, in the order of L{LIBRARY_LOADS}."""
        many = f"{self.scale.files:,} files"
        for kind, term in (("rare", RARE_TERM), ("common", COMMON_TERM)):
            yield self._make_search_load(f"many-{kind}", f"a {kind} term", term)
        for name, title, measure in (
            ("permalink", f"Permalinks of quotes in {many}", self._measure_permalink),
            ("random", f"A random quote from {many}", self._measure_random),
            ("named", f"Quotes in one of {many}", self._measure_named),
        ):
            yield self._compare_with_few(f"many-{name}", title, measure)
        paths = {MANY: self.libraries.many, JOINED: self.libraries.joined}
        entries = {x: partial(self._measure_index, path) for x, path in paths.items()}
        yield Load("many-index", f"The first index of {many}", entries)
        title = f"From the start to the first response, {many} with an index"
        yield self._compare_with_few("many-start", title, self._measure_start)
        title = f"Memory with {many} after the same searches"
        load = self._compare_with_few("many-memory", title, self._measure_memory)
        indexer = partial(self._measure_memory_of, self.many)
        yield replace(load, entries={**load.entries, INDEXER: indexer})
        yield Load(
            "many-change", f"One of {many} is replaced", self._make_change_entries()
        )

    def check_responses(self) -> None:
        """
        Check that the service and grep find the same.

        @raise BenchmarkError: they do not.
        """
        count = self.scale.files * QUOTES_PER_FILE // QUOTES_PER_COMMON_TERM
        for term, expected in ((RARE_TERM, 1), (COMMON_TERM, count)):
            found = {
                LINES: len(self.many.query_lines(search_query(term, ALL_DICTIONARIES))),
                FOUND: json.loads(self._find_quotes(term))["total"],
                GREP: self._grep(term).count(b"\n"),
            }
            if {*found.values()} != {expected}:
                raise BenchmarkError(f"{found} for {term}, not {expected}.")

    def _find_lines(self, term: str) -> bytes:
        return self.many.post_query(search_query(term, ALL_DICTIONARIES))

    def _find_quotes(self, term: str, **parameters: str) -> bytes:
        return self.many.get(quotes_path(term, **parameters))

    def _grep(self, term: str) -> bytes:
        return run_grep(["-r", "-e", term, "--", str(self.libraries.many)])

    def _make_search_load(self, name: str, what: str, term: str) -> Load:
        functions: dict[str, Callable[[str], bytes]] = {
            LINES: self._find_lines,
            FOUND: self._find_quotes,
            EXACT: partial(self._find_quotes, ignore_case="false"),
            GREP: self._grep,
        }
        if term == COMMON_TERM:
            # Their response would have all lines, not a page.
            del functions[LINES]
        if ripgrep := find_program("rg"):
            functions[RIPGREP] = lambda term: run_command(
                [ripgrep, *_RIPGREP_OPTIONS, "-e", term, str(self.libraries.many)]
            )
        return Load(
            name,
            f"All of {self.scale.files:,} files, {what}, 1 client",
            {
                each: partial(self._measure_search, function, term)
                for each, function in functions.items()
            },
            [] if ripgrep else [RIPGREP],
        )

    def _measure_search(
        self, function: Callable[[str], bytes], term: str, number: int
    ) -> Numbers:
        return time_median([partial(function, term)] * _SEARCHES)

    def _compare_with_few(
        self, name: str, title: str, measure: Callable[[Server, int], Numbers]
    ) -> Load:
        servers = {MANY: self.many, FEW: self.few}
        entries = {x: partial(measure, server) for x, server in servers.items()}
        return Load(name, title, entries)

    def _measure_permalink(self, server: Server, number: int) -> Numbers:
        sample = server.get(f"{QUOTES}/random?limit={_SMALL_REQUESTS}&seed={number}")
        paths = [f"{QUOTES}/{each['id']}" for each in json.loads(sample)["quotes"]]
        return time_median([partial(server.get, path) for path in paths])

    def _measure_random(self, server: Server, number: int) -> Numbers:
        get = partial(server.get, f"{QUOTES}/random")
        return time_median([get] * _SMALL_REQUESTS)

    def _measure_named(self, server: Server, number: int) -> Numbers:
        path = quotes_path(COMMON_TERM, dictionary=file_name(0))
        return time_median([partial(server.get, path)] * _SMALL_REQUESTS)

    def _measure_index(self, library: Path, number: int) -> Numbers:
        size = sum(path.stat().st_size for path in library.iterdir())
        with TemporaryDirectory(dir=self.folder) as folder:
            start = time.monotonic()
            with running_indexed_server(UNCACHED, Path(folder), library):
                seconds = time.monotonic() - start
        return {"MB/s": size / 1e6 / seconds}

    def _measure_start(self, server: Server, number: int) -> Numbers:
        start = time.monotonic()
        with _running_again(server):
            return {"ms": 1000 * (time.monotonic() - start)}

    def _make_change_entries(self) -> Mapping[str, Callable[[int], Numbers]]:
        lines, quotes = self._find_lines, self._find_quotes
        return {
            LINES: partial(self._measure_search, lines, RARE_TERM),
            CHANGED_LINES: partial(self._measure_change, lines),
            FOUND: partial(self._measure_search, quotes, RARE_TERM),
            CHANGED_QUOTES: partial(self._measure_change, quotes),
        }

    def _measure_change(self, find: Callable[[str], bytes], number: int) -> Numbers:
        """Replace a dictionary by one with another quote, and find that at once."""
        path = self.libraries.many / file_name(self.scale.files // 3)
        term = f"replacement {number} for {find.__name__}"
        replacement = self.folder / "replacement"
        replacement.write_text(f"{term}\n\n{path.read_text('utf-8')}", "utf-8")
        os.replace(replacement, path)
        found: list[bytes] = []
        numbers = time_median([lambda: found.append(find(term))])
        if term.encode() not in found[0]:
            raise RunFailed("the change was not found")
        return numbers

    def _measure_memory(self, server: Server, number: int) -> Numbers:
        with _running_again(server) as other:
            return self._measure_memory_of(other, number)

    def _measure_memory_of(self, server: Server, number: int) -> Numbers:
        for term in islice(distinct_quote_terms(fortune_quotes()), _SEARCHES):
            server.post_query(search_query(term, ALL_DICTIONARIES))
            server.get(quotes_path(term))
        return {"MB": resident_megabytes(server.pids())}


def _running_again(server: Server) -> AbstractContextManager[Server]:
    """Run another process with the indexes of a server."""
    where, query = server.configuration, search_query(RARE_TERM, ALL_DICTIONARIES)
    return running_server(server.subject, where.folder, where.library, query)
