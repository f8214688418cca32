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

from twisted_quotes.concurrency.limiter import SlotRequest
from twisted_quotes.concurrency.threads import DeferToThread
from twisted_quotes.grep.runner import GrepSession
from twisted_quotes.library.dictionary import FileState
from twisted_quotes.query.queries import Selection
from twisted_quotes.text.permutation import RandomPermutation
from twisted_quotes.text.quotes import Quote

from .cursor import MAX_POSITIONS
from .indexed_library import IndexedLibrary
from .match_positions import locate_matches
from .results import CHUNK_SIZE, QuoteResults

_MAX_BATCH_SIZE = 1000
"""How many quotes are read at one time, at the most."""


class _Source(NamedTuple):
    """A dictionary to draw from, in one state, and the numbers of its quotes."""

    name: str
    state: FileState
    positions: Sequence[int]


class RandomSampler:
    """
    Draws quotes by chance.

    @param indexed_library: the dictionaries with their indexes.
    @param in_thread: runs what may take a while.
    """

    def __init__(
        self, indexed_library: IndexedLibrary, in_thread: DeferToThread
    ) -> None:
        self._indexed_library = indexed_library
        self._in_thread = in_thread

    async def sample(
        self,
        dictionary_name: str,
        selection: Selection,
        seed: int | None,
        offset: int,
        results: QuoteResults,
        slot_request: SlotRequest,
    ) -> None:
        """
        Draw quotes by chance, each with the same chance, none twice.

        @param seed: has the same quotes drawn again; L{None} for chance.
        @param offset: how many to pass over first, 0 or more.
        @param results: where they go, in the order of drawing. It is told the
            total first, and given an empty list where nothing is drawn.
        @param slot_request: whose place it takes.
        """

        async def search_dictionaries(
            grep_session: GrepSession, names: list[str], is_complete: bool
        ) -> None:
            results.is_complete = is_complete
            sources = await self._find_sources(grep_session, names, selection)
            total = results.total = sum(len(source.positions) for source in sources)
            grep_session.release_slot()
            permutation = RandomPermutation(total, seed)
            end = min(offset + results.remaining, total)
            next_index = min(offset, end)
            pattern = selection.pattern if results.spans_needed else None
            while True:
                batch = range(next_index, min(next_index + _MAX_BATCH_SIZE, end))
                population_indexes = await self._in_thread(
                    list, map(permutation.__getitem__, batch)
                )
                quotes = await self._read_batch(sources, population_indexes)
                if pattern is not None:
                    quotes = await locate_matches(
                        grep_session, pattern, quotes, self._in_thread
                    )
                    grep_session.release_slot()
                next_index += len(quotes)
                await results.write(quotes)
                if results.limit_reached or next_index >= end:
                    return

        await self._indexed_library.search(
            dictionary_name, slot_request, search_dictionaries, results.restart
        )

    async def _find_sources(
        self, grep_session: GrepSession, names: list[str], selection: Selection
    ) -> list[_Source]:
        """Find what may be drawn from dictionaries."""
        return [
            await self._find_source(grep_session, name, selection)
            async for name in self._indexed_library.iterate_cooperatively(names)
        ]

    async def _find_source(
        self, grep_session: GrepSession, name: str, selection: Selection
    ) -> _Source:
        """Find what may be drawn from a dictionary."""
        with self._indexed_library.open(name) as dictionary:
            if selection == Selection():
                return _Source(name, dictionary.state, range(dictionary.quote_count))
            positions = array("I")
            cursor = await dictionary.open_cursor(grep_session, selection)
            while found := await cursor.fetch(MAX_POSITIONS):
                positions.extend(found)
            return _Source(name, dictionary.state, positions)

    async def _read_batch(
        self, sources: Sequence[_Source], population_indexes: Sequence[int]
    ) -> list[Quote]:
        """
        Read as many quotes as are read at one time, one at least.

        @param population_indexes: where they stand among all there are to draw from.
        """
        sizes: dict[int, int] = {}
        async for source, positions in self._indexed_library.iterate_cooperatively(
            _group_by_source(sources, population_indexes)
        ):
            with self._indexed_library.open(source.name, source.state) as dictionary:
                found = await dictionary.read_sizes(list(positions.values()))
            sizes.update(zip(positions, found, strict=True))
        population_indexes = _fitting_prefix(population_indexes, sizes)
        quotes: dict[int, Quote] = {}
        async for source, positions in self._indexed_library.iterate_cooperatively(
            _group_by_source(sources, population_indexes)
        ):
            with self._indexed_library.open(source.name, source.state) as dictionary:
                read = await dictionary.read_all(list(positions.values()))
            quotes.update(zip(positions, read, strict=True))
        return [quotes[each] for each in population_indexes]


def _group_by_source(
    sources: Sequence[_Source], population_indexes: Sequence[int]
) -> Iterator[tuple[_Source, dict[int, int]]]:
    """For each dictionary drawn from, the number of the quote at each position."""
    ends = list(accumulate(len(source.positions) for source in sources))
    for source_index, group in groupby(
        sorted(population_indexes), partial(bisect_right, ends)
    ):
        source = sources[source_index]
        first = ends[source_index] - len(source.positions)
        yield source, {each: source.positions[each - first] for each in group}


def _fitting_prefix(
    population_indexes: Sequence[int], sizes: Mapping[int, int]
) -> Sequence[int]:
    """The first ones, one at least, that are read at one time."""
    cumulative_sizes = accumulate(sizes[each] for each in population_indexes)
    return population_indexes[
        : max(1, sum(size <= CHUNK_SIZE for size in cumulative_sizes))
    ]
