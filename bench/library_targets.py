"""
The performance targets for a library of any size.
"""

from __future__ import annotations

from .big_loads import COUNT_LOAD, COUNTED, GREP_NAME
from .fortune_loads import (
    DISTINCT_LOAD,
    FORTUNES,
    KEPT_V1,
    KEPT_V2,
    ONE_FILE,
    PAGE_LOAD,
)
from .library_loads import (
    CHANGED_LINES,
    CHANGED_QUOTES,
    EXACT,
    FEW,
    FOUND,
    GREP,
    INDEXER,
    JOINED,
    LINES,
    MANY,
)
from .targets import Target

LIBRARY_TARGETS = (
    Target(
        "all files, lines, rare term: duration compared with grep -rF",
        *("many-rare", LINES, GREP, "ms", 1, False),
    ),
    Target(
        "all files, quotes, rare term: duration compared with grep -rF",
        *("many-rare", FOUND, GREP, "ms", 1, False),
    ),
    Target(
        "the same with `ignore_case=false`",
        *("many-rare", EXACT, GREP, "ms", 1, False),
    ),
    Target(
        "all files, quotes, common term: first page and total compared with grep -rF",
        *("many-common", FOUND, GREP, "ms", 2, False),
    ),
    Target(
        "permalink: duration compared with 3 files",
        *("many-permalink", MANY, FEW, "ms", 1.5, False),
    ),
    Target(
        "random quote: duration compared with 3 files",
        *("many-random", MANY, FEW, "ms", 1.5, False),
    ),
    Target(
        "quotes in one dictionary: duration compared with 3 files",
        *("many-named", MANY, FEW, "ms", 1.5, False),
    ),
    Target(
        "index of all files: megabytes per second",
        *("many-index", MANY, None, "MB/s", 10),
    ),
    Target(
        "index of all files: megabytes per second compared with one file",
        *("many-index", MANY, JOINED, "MB/s", 0.5),
    ),
    Target(
        "start to the first response from all files, compared with 3 files",
        *("many-start", MANY, FEW, "ms", 1000, False, True),
    ),
    Target(
        "memory after the same searches, compared with 3 files",
        *("many-memory", MANY, FEW, "MB", 30, False, True),
    ),
    Target(
        "the same in the process that made the index",
        *("many-memory", INDEXER, FEW, "MB", 30, False, True),
    ),
    Target(
        "lines of all files after one was replaced, compared with a usual search",
        *("many-change", CHANGED_LINES, LINES, "ms", 300, False, True),
    ),
    Target(
        "quotes of all files after one was replaced, compared with a usual search",
        *("many-change", CHANGED_QUOTES, FOUND, "ms", 300, False, True),
    ),
    Target(
        "quotes with distinct terms in 43 files, 16 clients: compared with one file",
        *(DISTINCT_LOAD, FORTUNES, ONE_FILE, "rate", 0.5),
    ),
    Target(
        "one popular page of quotes, 64 clients: API v2 compared with API v1",
        *(PAGE_LOAD, KEPT_V2, KEPT_V1, "rate", 0.8),
    ),
    Target(
        "quotes counted in 500 MB, common term: duration compared with grep -c",
        *(COUNT_LOAD, COUNTED, GREP_NAME, "ms", 0.65, False),
    ),
)
