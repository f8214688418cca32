"""
The loads on a library like the fortunes of Debian: 43 files of about 70 KB.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from .corpus import COMMON_TERM
from .library_corpus import FORTUNE_FILES, distinct_quote_terms, fortune_quotes
from .queries import ALL_DICTIONARIES, encode_query, quotes_path, search_query
from .rounds import Load, Numbers
from .scale import Scale
from .servers import Server
from .wrk import run_wrk, write_bodies

FORTUNES, ONE_FILE = f"{FORTUNE_FILES} files", "one file"
KEPT_V1, KEPT_V2 = "API v1", "API v2"
FORTUNE_LOADS = DISTINCT_LOAD, PAGE_LOAD = "fortunes-16", "page-64"

_PAGE_SIZE = 20
_MAX_RATE = 8000
"""The maximum rate of distinct terms, in requests per second."""
_MIN_RESPONSE_SIZE = 200


@dataclass(frozen=True)
class FortuneLoads:
    """
    The loads on 43 files.

    @ivar folder: the folder for the files of the runs.
    @ivar fortunes: the server of the files.
    @ivar joined: the server of one file with the same text.
    """

    folder: Path
    scale: Scale
    fortunes: Server
    joined: Server

    def loads(self) -> Iterator[Load]:
        """Return all loads, in the order of L{FORTUNE_LOADS}."""
        servers = {FORTUNES: self.fortunes, ONE_FILE: self.joined}
        yield Load(
            DISTINCT_LOAD,
            f"Quotes with distinct terms in {FORTUNES} of 70 KB, 16 clients",
            {
                name: partial(self._measure_distinct, server)
                for name, server in servers.items()
            },
        )
        query = search_query(
            COMMON_TERM, ALL_DICTIONARIES, unit="quote", nresults=_PAGE_SIZE
        )
        requests = {
            KEPT_V1: encode_query(query),
            KEPT_V2: quotes_path(COMMON_TERM, limit=_PAGE_SIZE),
        }
        yield Load(
            PAGE_LOAD,
            f"One popular page of {_PAGE_SIZE} quotes, 64 clients",
            {
                name: partial(self._measure_page, request)
                for name, request in requests.items()
            },
        )

    def _measure_distinct(self, server: Server, number: int) -> Numbers:
        """Search with terms that are new in each round, so that no cache can help."""
        count = _MAX_RATE * self.scale.seconds
        all_terms = distinct_quote_terms(fortune_quotes())
        terms = islice(all_terms, number * count, (number + 1) * count)
        return self._run_wrk(server, [quotes_path(each) for each in terms], 16, count)

    def _measure_page(self, request: str, number: int) -> Numbers:
        return self._run_wrk(self.fortunes, [request], 64)

    def _run_wrk(
        self,
        server: Server,
        requests: Sequence[str],
        clients: int,
        distinct: int | None = None,
    ) -> Numbers:
        path = self.folder / "requests"
        write_bodies(path, requests)
        report = run_wrk(server.url(), path, clients, self.scale.seconds)
        return report.checked_numbers(_MIN_RESPONSE_SIZE, distinct)
