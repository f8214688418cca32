"""
Where in a quote stands what it was found by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from twisted_quotes.grep.matches import Matches, matches
from twisted_quotes.grep.runner import Greps
from twisted_quotes.library.indexes import InThread
from twisted_quotes.query.queries import Pattern
from twisted_quotes.text.normalization import fold, unfold
from twisted_quotes.text.quotes import Quote

from .cursor import folded

MOST_PLACES = 1000
"""How many places are told of one quote, at the most: the first ones."""


async def locate(
    greps: Greps, pattern: Pattern, quotes: Sequence[Quote], in_thread: InThread
) -> list[Quote]:
    """
    Have grep tell where in quotes it finds what it found them by.

    @param in_thread: runs what may take a while.
    @return: the quotes, with their places.
    """
    lines: list[bytes] = await in_thread(_lines, quotes)
    found = await matches(greps, folded(pattern), lines, MOST_PLACES, in_thread)
    located: list[Quote] = await in_thread(_with_places, quotes, lines, found)
    return located


def _lines(quotes: Sequence[Quote]) -> list[bytes]:
    """What the quotes are matched as."""
    return [fold(quote.text).encode() + b"\n" for quote in quotes]


def _with_places(
    quotes: Sequence[Quote], lines: Sequence[bytes], found: Sequence[Matches]
) -> list[Quote]:
    """Give quotes their places."""
    return [
        replace(
            quote,
            places=unfold(quote.text, _code_points(line, here.places)),
            places_truncated=here.is_truncated,
        )
        for quote, line, here in zip(quotes, lines, found, strict=True)
    ]


def _code_points(
    line: bytes, places: Sequence[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Count in code points what is counted in bytes of UTF-8."""
    counted, at, points = [], 0, 0
    for start, end in places:
        points += len(line[at:start].decode())
        length = len(line[start:end].decode())
        counted.append((points, points + length))
        at, points = end, points + length
    return counted
