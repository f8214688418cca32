"""
Where in a quote stands what it was found by.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby

from . import grep, grep_output
from .cursor import folded
from .fold import fold, unfold
from .greps import Greps
from .indexes import InThread
from .query import Pattern
from .quotes import Quote

MOST_PLACES = 1000
"""How many places are told of one quote, at the most: the first ones."""

_MOST_OUTPUT = 2 * 1024 * 1024


async def locate(
    greps: Greps, pattern: Pattern, quotes: Sequence[Quote], in_thread: InThread
) -> list[Quote]:
    """
    Have grep tell where in quotes it finds what it found them by.

    @param in_thread: runs what may take a while.
    @return: the quotes, with their places.
    """
    pattern = folded(pattern)
    lines: list[bytes] = await in_thread(_lines, quotes)
    located: list[Quote] = []
    while len(located) < len(quotes):
        done = len(located)
        with _memory_file(b"".join(lines[done:])) as descriptor:
            outcome = await greps.run(
                grep.place_arguments(pattern),
                grep.environment(pattern),
                descriptor,
                pattern.regex,
                _MOST_OUTPUT,
            )
        located += await in_thread(
            _with_places, quotes[done:], lines[done:], outcome.output, outcome.is_whole
        )
    return located


def _lines(quotes: Sequence[Quote]) -> list[bytes]:
    """What the quotes are matched as."""
    return [fold(quote.text).encode() + b"\n" for quote in quotes]


def _with_places(
    quotes: Sequence[Quote], lines: Sequence[bytes], output: bytes, is_whole: bool
) -> list[Quote]:
    """
    Give quotes their places, as far as grep has told all that is wanted of them.

    @param is_whole: whether this is all that grep had to say.
    """
    found: dict[int, list[tuple[int, int]]] = {}
    for number, places in groupby(
        grep_output.read_places(output), lambda place: place[0]
    ):
        found[number] = [(start, end) for _, start, end in places][:MOST_PLACES]
    told = len(quotes)
    if not is_whole:
        # The last one it told of may not be complete, unless it has enough.
        last = max(found, default=0)
        told = last + (last == 0 or len(found[last]) == MOST_PLACES)
    located, passed = [], 0
    for number, (quote, line) in enumerate(zip(quotes[:told], lines, strict=False)):
        here = [(a - passed, b - passed) for a, b in found.get(number, ())]
        points = _code_points(line, here)
        located.append(replace(quote, places=unfold(quote.text, points)))
        passed += len(line)
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
