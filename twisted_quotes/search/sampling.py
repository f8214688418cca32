"""
Drawing quotes by chance, each with the same chance, none twice.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import accumulate, groupby
from typing import NamedTuple

from twisted_quotes.concurrency.limiter import Claim
from twisted_quotes.grep.runner import Greps
from twisted_quotes.library.dictionary import State
from twisted_quotes.library.indexes import InThread
from twisted_quotes.query.queries import Selection
from twisted_quotes.text.permutation import Permutation
from twisted_quotes.text.quotes import Quote

from .cursor import MOST_NUMBERS
from .indexed_library import Volumes
from .match_positions import locate
from .results import PIECE, Results

_MOST_AT_ONCE = 1000
"""How many quotes are read at one time, at the most."""


class _Source(NamedTuple):
    """A dictionary to draw from, in one state, and the numbers of its quotes."""

    name: str
    state: State
    numbers: Sequence[int]


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
        results: Results,
        claim: Claim,
    ) -> None:
        """
        Draw quotes by chance, each with the same chance, none twice.

        @param seed: has the same quotes drawn again; L{None} for chance.
        @param offset: how many to pass over first, 0 or more.
        @param results: where they go, in the order of drawing. It is told the
            total first, and given an empty list where nothing is drawn.
        @param claim: whose place it takes.
        """

        async def find(greps: Greps, names: list[str]) -> None:
            sources = await self._sources(greps, names, selection)
            total = results.total = sum(len(source.numbers) for source in sources)
            greps.rest()
            order = Permutation(total, seed)
            end = min(offset + results.wanted, total)
            done = min(offset, end)
            pattern = selection.pattern if results.places_wanted else None
            while True:
                part = range(done, min(done + _MOST_AT_ONCE, end))
                positions = await self._in_thread(list, map(order.__getitem__, part))
                quotes = await self._read_some(sources, positions)
                if pattern is not None:
                    quotes = await locate(greps, pattern, quotes, self._in_thread)
                    greps.rest()
                done += len(quotes)
                await results.take(quotes)
                if results.full or done >= end:
                    return

        await self._volumes.search(asked, claim, find, results.begin_anew)

    async def _sources(
        self, greps: Greps, names: list[str], selection: Selection
    ) -> list[_Source]:
        """Find what may be drawn from dictionaries."""
        return [
            await self._source(greps, name, selection)
            async for name in self._volumes.each(names)
        ]

    async def _source(self, greps: Greps, name: str, selection: Selection) -> _Source:
        """Find what may be drawn from a dictionary."""
        with self._volumes.open(name) as volume:
            if selection == Selection():
                return _Source(name, volume.state, range(volume.count))
            numbers = array("I")
            cursor = await volume.open_cursor(greps, selection)
            while found := await cursor.take(MOST_NUMBERS):
                numbers.extend(found)
            return _Source(name, volume.state, numbers)

    async def _read_some(
        self, sources: Sequence[_Source], positions: Sequence[int]
    ) -> list[Quote]:
        """
        Read as many quotes as are read at one time, one at least.

        @param positions: where they stand among all there are to draw from.
        """
        sizes: dict[int, int] = {}
        async for source, here in self._volumes.each(_by_source(sources, positions)):
            with self._volumes.open(source.name, source.state) as volume:
                found = await volume.sizes(list(here.values()))
            sizes.update(zip(here, found, strict=True))
        positions = _as_many_as_fit(positions, sizes)
        quotes: dict[int, Quote] = {}
        async for source, here in self._volumes.each(_by_source(sources, positions)):
            with self._volumes.open(source.name, source.state) as volume:
                read = await volume.read_all(list(here.values()))
            quotes.update(zip(here, read, strict=True))
        return [quotes[each] for each in positions]


def _by_source(
    sources: Sequence[_Source], positions: Sequence[int]
) -> Iterator[tuple[_Source, dict[int, int]]]:
    """For each dictionary drawn from, the number of the quote at each position."""
    ends = list(accumulate(len(source.numbers) for source in sources))
    for index, here in groupby(sorted(positions), partial(bisect_right, ends)):
        source = sources[index]
        first = ends[index] - len(source.numbers)
        yield source, {each: source.numbers[each - first] for each in here}


def _as_many_as_fit(
    positions: Sequence[int], sizes: Mapping[int, int]
) -> Sequence[int]:
    """The first ones, one at least, that are read at one time."""
    passed = accumulate(sizes[each] for each in positions)
    return positions[: max(1, sum(size <= PIECE for size in passed))]
