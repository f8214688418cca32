"""
Where in a quote stands what it was found by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .cursor import folded
from .fold import fold, unfold
from .greps import Greps
from .indexes import InThread
from .matches import Places, matches
from .query import Pattern
from .quotes import Quote

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
    # One more tells whether there are more.
    limit = MOST_PLACES + 1
    found = await matches(greps, folded(pattern), lines, limit, in_thread)
    located: list[Quote] = await in_thread(_with_places, quotes, lines, found)
    return located


def _lines(quotes: Sequence[Quote]) -> list[bytes]:
    """What the quotes are matched as."""
    return [fold(quote.text).encode() + b"\n" for quote in quotes]


def _with_places(
    quotes: Sequence[Quote], lines: Sequence[bytes], found: Sequence[Places]
) -> list[Quote]:
    """Give quotes their places."""
    return [
        replace(
            quote,
            places=unfold(quote.text, _code_points(line, places[:MOST_PLACES])),
            places_truncated=len(places) > MOST_PLACES,
        )
        for quote, line, places in zip(quotes, lines, found, strict=True)
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
