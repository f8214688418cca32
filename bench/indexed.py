"""
Servers with an index of their whole library.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import BenchmarkError
from .servers import Server, running_server
from .subjects import Subject

_TIMEOUT, _POLL_INTERVAL = 600.0, 0.05
_QUERY = {"action": "list"}
_INDEXED = re.compile(rb"^quotes_index_ratio 1\.0$", re.MULTILINE)


@contextmanager
def running_indexed_server(
    subject: Subject, folder: Path, library: Path
) -> Iterator[Server]:
    """
    Run a server during a C{with} statement, after it has indexed its whole library.

    @param folder: the folder for its files.
    @raise BenchmarkError: it does not start, or the index takes too long.
    """
    with running_server(subject, folder, library, _QUERY) as server:
        deadline = time.monotonic() + _TIMEOUT
        while not has_index(server.get("/metrics")):
            if time.monotonic() > deadline:
                raise BenchmarkError(f"There is no index after {_TIMEOUT:g} s.")
            time.sleep(_POLL_INTERVAL)
        yield server


def has_index(metrics: bytes) -> bool:
    """Return whether the whole library has an index, according to the metrics."""
    return _INDEXED.search(metrics) is not None
