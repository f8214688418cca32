"""
Random samples of quotes, without replacement.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, groupby
from typing import NamedTuple, TypeVar

from msgspec import UNSET

from twisted_quotes.grep.runner import GrepSession
from twisted_quotes.library.dictionary import FileState
from twisted_quotes.query.queries import Random, SampleQuotes, Selection
from twisted_quotes.quotes.quote import Quote
from twisted_quotes.text.permutation import RandomPermutation

from .cursor import MAX_POSITIONS
from .indexed_dictionary import IndexedDictionary
from .indexed_library import IndexedLibrary
from .match_positions import locate_matches
from .results import CHUNK_SIZE, QuoteResults

T = TypeVar("T")

_MAX_BATCH_SIZE = 1000
"""The maximum number of quotes to read at a time."""


class _Source(NamedTuple):
    """A dictionary in one state, and the positions of its quotes to sample from."""

    name: str
    state: FileState
    positions: Sequence[int]


@dataclass(frozen=True)
class RandomSampler:
    """Samples quotes at random, each equally probable, without replacement."""

    indexed_library: IndexedLibrary

    async def write_quotes(
        self,
        grep_session: GrepSession,
        names: list[str],
        query: Random | SampleQuotes,
        results: QuoteResults,
    ) -> None:
        """
        Sample quotes until the results accept no more.

        The same seed gives the same quotes in the same order.

        @param results: what receives them, or an empty list if there are none.
        """
        sources = [
            await self._find_source(grep_session, name, query.selection)
            async for name in self.indexed_library.iterate(names)
        ]
        grep_session.release_slot()
        total = sum(len(source.positions) for source in sources)
        results.start(total)
        seed = None if query.seed is UNSET else query.seed
        permutation = RandomPermutation(total, seed)
        pattern = None if results.texts_only else query.selection.pattern
        in_thread = self.indexed_library.in_thread
        remaining = range(query.offset, min(query.offset + results.remaining, total))
        while True:
            indexes = await in_thread(
                list, map(permutation.__getitem__, remaining[:_MAX_BATCH_SIZE])
            )
            quotes = await self._read_batch(sources, indexes)
            if pattern is not None:
                quotes = await locate_matches(grep_session, pattern, quotes, in_thread)
                grep_session.release_slot()
            remaining = remaining[len(quotes) :]
            await results.write(quotes)
            if results.limit_reached or not remaining:
                return

    async def _find_source(
        self, grep_session: GrepSession, name: str, selection: Selection
    ) -> _Source:
        """Find the quotes of a dictionary to sample from."""
        with self.indexed_library.open(name) as opened:
            state = opened.dictionary.state
            if selection == Selection():
                return _Source(name, state, range(opened.index.count))
            positions = array("I")
            cursor = await opened.open_cursor(grep_session, selection)
            while fetched := await cursor.fetch(MAX_POSITIONS):
                positions.extend(fetched)
            return _Source(name, state, positions)

    async def _read_batch(
        self, sources: Sequence[_Source], indexes: Sequence[int]
    ) -> list[Quote]:
        """
        Read the first of some quotes, as many as make a chunk, at least one.

        @param indexes: their indexes among all quotes to sample from.
        """
        sizes = await self._read_each(sources, indexes, IndexedDictionary.read_sizes)
        indexes = _fitting_prefix(indexes, sizes)
        quotes = await self._read_each(
            sources,
            indexes,
            lambda opened, positions: opened.read(positions, CHUNK_SIZE),
        )
        return [quotes[index] for index in indexes]

    async def _read_each(
        self,
        sources: Sequence[_Source],
        indexes: Sequence[int],
        read: Callable[[IndexedDictionary, list[int]], Awaitable[list[T]]],
    ) -> dict[int, T]:
        """Read something about quotes, one dictionary after another."""
        values: dict[int, T] = {}
        groups = _group_by_source(sources, indexes)
        async for source, positions in self.indexed_library.iterate(groups):
            with self.indexed_library.open(source.name, source.state) as opened:
                found = await read(opened, list(positions.values()))
            values.update(zip(positions, found, strict=True))
        return values


def _group_by_source(
    sources: Sequence[_Source], indexes: Sequence[int]
) -> Iterator[tuple[_Source, dict[int, int]]]:
    """Return each dictionary with the positions of its quotes, by their indexes."""
    ends = list(accumulate(len(source.positions) for source in sources))
    for number, group in groupby(sorted(indexes), partial(bisect_right, ends)):
        source = sources[number]
        first = ends[number] - len(source.positions)
        yield source, {index: source.positions[index - first] for index in group}


def _fitting_prefix(indexes: Sequence[int], sizes: Mapping[int, int]) -> Sequence[int]:
    """Return the first quotes that fit in a chunk, at least one."""
    ends = accumulate(sizes[index] for index in indexes)
    return indexes[: max(1, sum(end <= CHUNK_SIZE for end in ends))]
