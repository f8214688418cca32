"""
Where in a quote stands what it was found by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from twisted_quotes.concurrency.threads import DeferToThread
from twisted_quotes.grep.matches import Matches, find_matches
from twisted_quotes.grep.runner import GrepSession
from twisted_quotes.query.queries import Pattern
from twisted_quotes.text.normalization import normalize_for_search, original_spans
from twisted_quotes.text.quotes import Quote

from .cursor import normalize_pattern

MAX_SPANS = 1000
"""How many places are told of one quote, at the most: the first ones."""


async def locate_matches(
    grep_session: GrepSession,
    pattern: Pattern,
    quotes: Sequence[Quote],
    in_thread: DeferToThread,
) -> list[Quote]:
    """
    Have grep tell where in quotes it finds what it found them by.

    @param in_thread: runs what may take a while.
    @return: the quotes, with their places.
    """
    lines: list[bytes] = await in_thread(_searchable_lines, quotes)
    found = await find_matches(
        grep_session, normalize_pattern(pattern), lines, MAX_SPANS, in_thread
    )
    located: list[Quote] = await in_thread(_add_spans, quotes, lines, found)
    return located


def _searchable_lines(quotes: Sequence[Quote]) -> list[bytes]:
    """What the quotes are matched as."""
    return [normalize_for_search(quote.text).encode() + b"\n" for quote in quotes]


def _add_spans(
    quotes: Sequence[Quote], lines: Sequence[bytes], found: Sequence[Matches]
) -> list[Quote]:
    """Give quotes their places."""
    return [
        replace(
            quote,
            match_spans=original_spans(quote.text, _to_code_points(line, match.spans)),
            match_spans_truncated=match.is_truncated,
        )
        for quote, line, match in zip(quotes, lines, found, strict=True)
    ]


def _to_code_points(
    line: bytes, spans: Sequence[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Count in code points what is counted in bytes of UTF-8."""
    converted, offset, points = [], 0, 0
    for start, end in spans:
        points += len(line[offset:start].decode())
        length = len(line[start:end].decode())
        converted.append((points, points + length))
        offset, points = end, points + length
    return converted
