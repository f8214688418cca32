"""
Drawing quotes by chance, each with the same chance, none twice.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import islice
from random import Random

from .dictionary import State
from .greps import Greps
from .indexes import InThread
from .locate import locate
from .query import Selection
from .quotes import Quote
from .volume import NotReady, Volume, Volumes


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
    ) -> tuple[list[Quote], int]:
        """
        Draw quotes by chance, each with the same chance, none twice.

        @param seed: has the same quotes drawn again; L{None} for chance.
        @param offset: how many to pass over first, 0 or more.
        @param most: how many to draw, 1 or more; L{None} for all.
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
            quotes = await self._read(greps, selection, counted, sorted(drawn))
            return [quotes[each] for each in drawn], total

        return await self._volumes.search(asked, find)

    async def _read(
        self,
        greps: Greps,
        selection: Selection,
        counted: Sequence[tuple[str, State, int]],
        positions: Sequence[int],
    ) -> dict[int, Quote]:
        """
        Read the quotes at certain positions among all that match.

        @param counted: the dictionaries in which they were counted, each with
            its state and how many there are.
        @param positions: in ascending order.
        """
        quotes: dict[int, Quote] = {}
        first = 0
        for name, state, count in counted:
            here = positions[
                bisect_left(positions, first) : bisect_left(positions, first + count)
            ]
            if here:
                with self._volumes.open(name) as volume:
                    if volume.state != state:
                        raise NotReady()
                    cursor = await volume.open_cursor(greps, selection)
                    numbers = await cursor.pick([each - first for each in here])
                    found = await self._read_all(greps, selection, volume, numbers)
                quotes.update(zip(here, found, strict=True))
            first += count
        return quotes

    async def _read_all(
        self, greps: Greps, selection: Selection, volume: Volume, numbers: list[int]
    ) -> list[Quote]:
        quotes: list[Quote] = []
        while numbers:
            read = await volume.read(numbers)
            numbers = numbers[len(read) :]
            if selection.pattern is not None:
                read = await locate(greps, selection.pattern, read)
            quotes += read
        return quotes


def _positions(count: int, seed: int | None, start: int, end: int) -> list[int]:
    """Some of C{range(count)}, in the order of drawing."""
    return list(islice(permutation(count, Random(seed)), min(start, end), end))
