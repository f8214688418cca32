"""
Drawing quotes by chance, each with the same chance, none twice.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, groupby, islice
from random import Random
from typing import NamedTuple

from .dictionary import State
from .greps import Greps
from .indexes import InThread
from .locate import locate
from .query import Selection
from .quotes import Quote
from .volumes import Volumes


def permutation(count: int, random: Random) -> Iterator[int]:
    """
    Draw from C{range(count)}, each with the same chance, none twice.

    The first ones drawn do not depend on how many are drawn. This is the
    shuffle of Fisher and Yates, which keeps only what it has moved.

    @return: all of the range, in the order of drawing.
    """
    moved: dict[int, int] = {}
    for index in range(count):
        drawn = random.randrange(index, count)
        yield moved.get(drawn, drawn)
        moved[drawn] = moved.pop(index, index)


class QuoteDrawer:
    """
    Draws quotes by chance.

    @param volumes: the dictionaries with their indexes.
    @param in_thread: runs what may take a while.
    """

    def __init__(self, volumes: Volumes, in_thread: InThread) -> None:
        self._volumes = volumes
        self._in_thread = in_thread

    async def draw(
        self,
        asked: str,
        selection: Selection,
        seed: int | None,
        offset: int,
        most: int | None,
        most_bytes: int | None = None,
    ) -> tuple[list[Quote], int]:
        """
        Draw quotes by chance, each with the same chance, none twice.

        @param seed: has the same quotes drawn again; L{None} for chance.
        @param offset: how many to pass over first, 0 or more.
        @param most: how many to draw, 1 or more; L{None} for all.
        @param most_bytes: about how many bytes they may have together; L{None}
            for any number. One is drawn in any case.
        @return: the quotes, in the order of drawing, and how many there were to
            draw from.
        """

        async def find(greps: Greps, names: list[str]) -> tuple[list[Quote], int]:
            counted: list[tuple[str, State, int]] = []
            for name in names:
                with self._volumes.open(name) as volume:
                    cursor = await volume.open_cursor(greps, selection)
                    counted.append((name, volume.state, await cursor.count()))
            total = sum(count for _, _, count in counted)
            end = total if most is None else min(offset + most, total)
            drawn = await self._in_thread(_positions, total, seed, offset, end)
            places = await self._places(greps, selection, counted, sorted(drawn))
            drawn = _as_many_as_fit(drawn, places, most_bytes)
            quotes = await self._read(greps, selection, drawn, places)
            return [quotes[each] for each in drawn], total

        return await self._volumes.search(asked, find)

    async def _places(
        self,
        greps: Greps,
        selection: Selection,
        counted: Sequence[tuple[str, State, int]],
        positions: Sequence[int],
    ) -> dict[int, _Place]:
        """
        Find what stands at certain positions among all that match.

        @param counted: the dictionaries in which they were counted, each with
            its state and how many there are.
        @param positions: in ascending order.
        """
        places: dict[int, _Place] = {}
        first = 0
        for name, state, count in counted:
            here = positions[
                bisect_left(positions, first) : bisect_left(positions, first + count)
            ]
            if here:
                with self._volumes.open(name, state) as volume:
                    cursor = await volume.open_cursor(greps, selection)
                    numbers = await cursor.pick([each - first for each in here])
                    sizes = await volume.sizes(numbers)
                for position, number, size in zip(here, numbers, sizes, strict=True):
                    places[position] = _Place(name, state, number, size)
            first += count
        return places

    async def _read(
        self,
        greps: Greps,
        selection: Selection,
        drawn: Sequence[int],
        places: Mapping[int, _Place],
    ) -> dict[int, Quote]:
        """Read what was drawn, one dictionary after another."""
        quotes: dict[int, Quote] = {}
        for (name, state), here in groupby(
            sorted(drawn), lambda each: (places[each].name, places[each].state)
        ):
            positions = list(here)
            with self._volumes.open(name, state) as volume:
                read = await volume.read_all(
                    [places[each].number for each in positions]
                )
            if selection.pattern is not None:
                read = await locate(greps, selection.pattern, read, self._in_thread)
            quotes.update(zip(positions, read, strict=True))
        return quotes


class _Place(NamedTuple):
    """Where something stands that was drawn, and how many bytes it has."""

    name: str
    state: State
    number: int
    size: int


def _positions(count: int, seed: int | None, start: int, end: int) -> list[int]:
    """Some of C{range(count)}, in the order of drawing."""
    return list(islice(permutation(count, Random(seed)), min(start, end), end))


def _as_many_as_fit(
    drawn: list[int], places: Mapping[int, _Place], most_bytes: int | None
) -> list[int]:
    """The first ones drawn, as long as they have no more bytes than they may."""
    if most_bytes is None:
        return drawn
    sizes = accumulate(places[each].size for each in drawn)
    return drawn[: max(1, sum(size <= most_bytes for size in sizes))]
