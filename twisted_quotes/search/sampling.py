"""
Random samples of quotes, without replacement. A text that stands in several places is
one quote.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import accumulate, filterfalse, groupby, repeat
from typing import NamedTuple, TypeAlias, TypeVar

from msgspec import UNSET
from twisted.internet.defer import DeferredLock

from twisted_quotes.grep.runner import GrepSession
from twisted_quotes.library.packs.columns import ID_SIZE
from twisted_quotes.library.packs.parts import PackPart
from twisted_quotes.query.queries import Random
from twisted_quotes.query.quote_queries import SampleQuotes
from twisted_quotes.query.selection import Selection
from twisted_quotes.quotes.quote import Quote
from twisted_quotes.quotes.repeats import find_repeats
from twisted_quotes.text.permutation import RandomPermutation

from .match_positions import locate_matches
from .results import CHUNK_SIZE, QuoteResults
from .sources.quote_source import QuoteSource
from .sources.searchable_library import SearchableLibrary

T = TypeVar("T")

# This takes some milliseconds, without a turn for the reactor.
_MAX_FETCHED = 30_000

_MAX_BATCH_SIZE = 1000
"""The maximum number of quotes to read at a time."""


_MAX_CACHED = 4
"""The maximum number of sets of parts whose repeated quotes are kept."""

_Parts: TypeAlias = tuple[PackPart, ...]


class _Source(NamedTuple):
    """A part of a pack, and the positions of its quotes to sample from."""

    part: PackPart
    positions: Sequence[int]

    def without(self, repeats: frozenset[int]) -> _Source:
        """Remove some positions."""
        if not repeats:
            return self
        others = array("I", filterfalse(repeats.__contains__, self.positions))
        return self._replace(positions=others)


class _DistinctQuotes(NamedTuple):
    """The quotes of parts whose texts do not stand before, and the others."""

    sources: list[_Source]
    repeats: list[frozenset[int]]


class RandomSampler:
    """Samples quotes at random, each equally probable, without replacement."""

    def __init__(self, library: SearchableLibrary) -> None:
        self.library = library
        self._lock = DeferredLock()
        # Those of the parts that were last sampled from.
        self._distinct_quotes: dict[_Parts, _DistinctQuotes] = {}

    async def write_quotes(
        self,
        grep_session: GrepSession,
        parts: Sequence[PackPart],
        query: Random | SampleQuotes,
        results: QuoteResults,
    ) -> None:
        """
        Sample quotes until the results accept no more.

        The same seed gives the same quotes in the same order.

        @param results: what receives them, or an empty list if there are none.
        """
        found = [
            await self._find_source(grep_session, part, query.selection)
            async for part in self.library.iterate(parts)
        ]
        grep_session.release_slot()
        sources = await self._remove_repeats(found, query.selection)
        total = sum(len(source.positions) for source in sources)
        results.start(total)
        seed = None if query.seed is UNSET else query.seed
        permutation = RandomPermutation(total, seed)
        patterns = () if results.texts_only else query.selection.text_patterns
        in_thread = self.library.in_thread
        remaining = range(query.offset, min(query.offset + results.remaining, total))
        while True:
            indexes = await in_thread(
                list, map(permutation.__getitem__, remaining[:_MAX_BATCH_SIZE])
            )
            quotes = await self._read_batch(sources, indexes)
            if patterns:
                quotes = await locate_matches(grep_session, patterns, quotes, in_thread)
                grep_session.release_slot()
            remaining = remaining[len(quotes) :]
            await results.write(quotes)
            if results.limit_reached or not remaining:
                return

    async def _find_source(
        self, grep_session: GrepSession, part: PackPart, selection: Selection
    ) -> _Source:
        """Find the quotes of a part to sample from."""
        if selection == Selection():
            return _Source(part, part.quotes)
        with self.library.open_quotes(part) as opened:
            positions = array("I")
            cursor = await opened.open_cursor(grep_session, selection)
            async for _ in self.library.iterate(repeat(None)):
                fetched = await cursor.fetch(_MAX_FETCHED)
                positions.extend(fetched)
                if not fetched:
                    break
            return _Source(part, positions)

    async def _remove_repeats(
        self, found: Sequence[_Source], selection: Selection
    ) -> list[_Source]:
        """Remove the quotes whose texts stand before."""
        if selection.depends_on_dictionary:
            return await self._remove_repeats_of_selected(found)
        parts: _Parts = tuple(source.part for source in found)
        async with self._lock:
            cache = self._distinct_quotes
            if parts not in cache:
                distinct_quotes = await self._find_distinct_quotes(parts)
                if len(cache) == _MAX_CACHED:
                    del cache[next(iter(cache))]
                cache[parts] = distinct_quotes
        sources, repeats = cache[parts]
        if selection == Selection():
            return sources
        filtered: list[_Source] = await self.library.in_thread(
            lambda: list(map(_Source.without, found, repeats))
        )
        return filtered

    async def _remove_repeats_of_selected(
        self, found: Sequence[_Source]
    ) -> list[_Source]:
        """Remove the quotes whose texts stand before among those that were found."""
        in_thread = self.library.in_thread
        columns = []
        async for source in self.library.iterate(found):
            with self.library.open_quotes(source.part) as opened:
                column = await in_thread(opened.read_ids)
            columns.append(await in_thread(_select_ids, column, source))
        repeats: list[list[int]] = await in_thread(
            lambda: list(map(list, find_repeats(columns)))
        )
        return [
            source.without(frozenset(source.positions[index] for index in indexes))
            for source, indexes in zip(found, repeats, strict=True)
        ]

    async def _find_distinct_quotes(self, parts: _Parts) -> _DistinctQuotes:
        in_thread = self.library.in_thread
        sources = [_Source(part, part.quotes) for part in parts]
        columns = []
        async for part in self.library.iterate(parts):
            with self.library.open_quotes(part) as opened:
                columns.append(await in_thread(opened.read_ids))

        def find() -> _DistinctQuotes:
            repeats = [
                frozenset(source.positions[index] for index in indexes)
                for source, indexes in zip(sources, find_repeats(columns), strict=True)
            ]
            return _DistinctQuotes(
                list(map(_Source.without, sources, repeats)), repeats
            )

        distinct_quotes: _DistinctQuotes = await in_thread(find)
        return distinct_quotes

    async def _read_batch(
        self, sources: Sequence[_Source], indexes: Sequence[int]
    ) -> list[Quote]:
        """
        Read the first of some quotes, as many as make a chunk, at least one.

        @param indexes: their indexes among all quotes to sample from.
        """
        sizes = await self._read_each(sources, indexes, QuoteSource.read_sizes)
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
        read: Callable[[QuoteSource, list[int]], Awaitable[list[T]]],
    ) -> dict[int, T]:
        """Read something about quotes, one part after another."""
        values: dict[int, T] = {}
        groups = _group_by_source(sources, indexes)
        async for source, positions in self.library.iterate(groups):
            with self.library.open_quotes(source.part) as opened:
                found = await read(opened, list(positions.values()))
            values.update(zip(positions, found, strict=True))
        return values


def _select_ids(column: bytes, source: _Source) -> bytes:
    """Return the ids of the quotes to sample from."""
    numbers = (each - source.part.quotes.start for each in source.positions)
    return b"".join(column[ID_SIZE * n : ID_SIZE * (n + 1)] for n in numbers)


def _group_by_source(
    sources: Sequence[_Source], indexes: Sequence[int]
) -> Iterator[tuple[_Source, dict[int, int]]]:
    """Return each part with the positions of its quotes, by their indexes."""
    ends = list(accumulate(len(source.positions) for source in sources))
    for number, group in groupby(sorted(indexes), partial(bisect_right, ends)):
        source = sources[number]
        first = ends[number] - len(source.positions)
        yield source, {index: source.positions[index - first] for index in group}


def _fitting_prefix(indexes: Sequence[int], sizes: Mapping[int, int]) -> Sequence[int]:
    """Return the first quotes that fit in a chunk, at least one."""
    ends = accumulate(sizes[index] for index in indexes)
    return indexes[: max(1, sum(end <= CHUNK_SIZE for end in ends))]
