"""
Where in a quote stands what it was found by.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from . import grep
from .cursor import folded
from .fold import fold, unfold
from .greps import Greps
from .query import Pattern
from .quotes import Quote


async def locate(
    greps: Greps, pattern: Pattern, quotes: Sequence[Quote]
) -> list[Quote]:
    """
    Have grep tell where in quotes it finds what it found them by.

    @return: the quotes, with their places.
    """
    pattern = folded(pattern)
    lines = [fold(quote.text).encode() for quote in quotes]
    with _memory_file(b"".join(line + b"\n" for line in lines)) as descriptor:
        outcome = await greps.run(
            grep.place_arguments(pattern),
            grep.environment(pattern),
            descriptor,
            pattern.regex,
        )
    places: list[list[tuple[int, int]]] = [[] for _ in quotes]
    for number, start, end in grep.read_places(outcome.output):
        places[number].append((start, end))
    located, passed = [], 0
    for quote, line, found in zip(quotes, lines, places, strict=True):
        points = _code_points(line, [(a - passed, b - passed) for a, b in found])
        located.append(replace(quote, places=unfold(quote.text, points)))
        passed += len(line) + 1
    return located


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


@contextmanager
def _memory_file(data: bytes) -> Iterator[int]:
    """A file in memory, at its start."""
    with open(os.memfd_create("quotes"), "wb", buffering=0) as file:
        file.write(data)
        file.seek(0)
        yield file.fileno()
