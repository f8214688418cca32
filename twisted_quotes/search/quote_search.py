"""
Finding whole quotes in the order in which they stand.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from twisted_quotes.concurrency.limiter import Claim
from twisted_quotes.errors import NotReadyNow, QuoteNotFound
from twisted_quotes.grep.runner import Greps
from twisted_quotes.library.dictionary import State
from twisted_quotes.library.indexes import InThread
from twisted_quotes.query.queries import (
    EVERY_DICTIONARY,
    All,
    Pattern,
    Search,
    Selection,
)
from twisted_quotes.text.quotes import Quote

from .cursor import Cursor
from .indexed_dictionary import READ_AT_ONCE, Volume
from .indexed_library import Volumes
from .match_positions import locate
from .results import PIECE, EntryResults, NotAtOnce, Results

SLOW_READ = 64 * 1024
"""About how many bytes of quotes are read for a client that may be slow."""

_BATCH = 1000
"""How many matches are looked for before the first of them is handed over."""


@dataclass(frozen=True)
class Facts:
    """
    What is known of a dictionary.

    @ivar count: how many quotes it has.
    """

    name: str
    state: State
    count: int


class QuoteFinder:
    """
    Finds whole quotes, in the order in which they stand.

    @param volumes: the dictionaries with their indexes.
    @param in_thread: runs what may take a while.
    """

    def __init__(self, volumes: Volumes, in_thread: InThread) -> None:
        self._volumes = volumes
        self._in_thread = in_thread

    async def entries(
        self, asked: str, query: Search | All, results: EntryResults, claim: Claim
    ) -> None:
        """
        Find entries that are whole quotes, with other quotes around them.

        @param asked: the name of a dictionary, or C{"*"} for every one.
        @param claim: whose place it takes.
        """

        async def find(greps: Greps, names: list[str]) -> None:
            long = results.long
            entries = None if long else await self._at_once(greps, names, query)
            if entries is not None:
                results.begin(len(entries))
                results.add(entries)
            elif results.whole:
                raise NotAtOnce()
            else:
                await self._piecemeal(greps, names, query, results)

        await self._volumes.search(asked, claim, find, results.begin_anew)

    async def _at_once(
        self, greps: Greps, names: list[str], query: Search | All
    ) -> list[str] | None:
        """Find all entries, unless they are many: then there are L{None}."""
        entries: list[str] = []
        room = PIECE

        async def hold(texts: list[str]) -> bool:
            nonlocal room
            room -= sum(map(len, texts)) + len(texts)
            entries.extend(texts)
            return room >= 0 and len(entries) != query.most

        await self._each(greps, [(name, None) for name in names], query, hold)
        return None if room < 0 else entries

    async def _piecemeal(
        self,
        greps: Greps,
        names: list[str],
        query: Search | All,
        results: EntryResults,
    ) -> None:
        """Count the entries, then find them as fast as they are taken."""
        counted: list[tuple[str, State]] = []
        found = -query.offset
        async for name in self._volumes.each(names):
            with self._volumes.open(name) as volume:
                cursor = await volume.open_cursor(greps, query.selection)
                found += await cursor.count()
                counted.append((name, volume.state))
        found = max(0, found)
        results.begin(found if query.most is None else min(found, query.most))

        async def hand_over(texts: list[str]) -> bool:
            results.add(texts)
            texts.clear()
            await results.ready()
            return results.wanted > 0

        await self._each(greps, counted, query, hand_over)

    async def _each(
        self,
        greps: Greps,
        dictionaries: Iterable[tuple[str, State | None]],
        query: Search | All,
        take: Callable[[list[str]], Awaitable[bool]],
    ) -> None:
        """
        Find entries, one dictionary after another.

        @param dictionaries: their names, each with the state it must be in.
        @param take: is given the next ones, and says whether to go on.
        """
        offset = query.offset
        left = sys.maxsize if query.most is None else query.most
        around = query.n_before, query.n_after
        async for name, state in self._volumes.each(dictionaries):
            with self._volumes.open(name, state) as volume:
                cursor = await volume.open_cursor(greps, query.selection)
                offset -= await cursor.skip(offset)
                while numbers := await cursor.take(min(left, _BATCH)):
                    left -= len(numbers)
                    greps.rest()
                    while numbers:
                        quotes = await volume.read(numbers, *around)
                        numbers = numbers[len(quotes) :]
                        if not await take([quote.text for quote in quotes]):
                            return

    async def find(
        self,
        asked: str,
        selection: Selection,
        offset: int,
        results: Results,
        claim: Claim,
    ) -> None:
        """
        Find quotes in order, and count all that match.

        @param asked: the name of a dictionary, or C{"*"} for every one.
        @param offset: how many to pass over first, 0 or more.
        @param results: where they go. What it has taken stays valid when this
            fails.
        @param claim: whose place it takes.
        """

        async def find(greps: Greps, names: list[str]) -> None:
            left = offset
            async for name in self._volumes.each(names):
                with self._volumes.open(name) as volume:
                    cursor = await volume.open_cursor(greps, selection)
                    skipped = await cursor.skip(left)
                    results.total += skipped
                    left -= skipped
                    await self._hand_over(
                        volume, cursor, greps, selection.pattern, results
                    )
                    results.total += await cursor.count()

        await self._volumes.search(asked, claim, find, results.begin_anew)

    async def _hand_over(
        self,
        volume: Volume,
        cursor: Cursor,
        greps: Greps,
        pattern: Pattern | None,
        results: Results,
    ) -> None:
        """Hand over what a cursor finds, until no more is wanted."""
        while wanted := min(results.wanted, _BATCH):
            numbers = await cursor.take(wanted)
            results.total += len(numbers)
            at_end = len(numbers) < wanted
            while numbers:
                if results.slow:
                    greps.rest()
                size = SLOW_READ if results.slow else READ_AT_ONCE
                quotes = await volume.read(numbers, size=size)
                if pattern is not None and results.places_wanted:
                    quotes = await locate(greps, pattern, quotes, self._in_thread)
                numbers = numbers[len(quotes) :]
                if results.slow:
                    greps.rest()
                await results.take(quotes)
                if results.full:
                    return
            if at_end:
                return

    async def quote(self, identity: str, claim: Claim) -> Quote:
        """
        Find a quote by its id, in the first dictionary that has it.

        @param claim: whose place it takes.
        @raise QuoteNotFound: none has.
        @raise NotReadyNow: none has of those that could be looked through.
        """
        left_out = self._volumes.left_out

        async def find(greps: Greps, names: list[str]) -> Quote:
            async for name in self._volumes.each(names):
                with self._volumes.open(name) as volume:
                    number = await volume.number_of(greps, identity)
                    if number is not None:
                        [quote] = await volume.read([number])
                        return quote
            if self._volumes.left_out != left_out:
                raise NotReadyNow("an index of every dictionary")
            raise QuoteNotFound()

        return await self._volumes.search(EVERY_DICTIONARY, claim, find)

    async def dictionaries(self, claim: Claim) -> list[Facts]:
        """What is known of every dictionary, in the order of their names."""

        async def find(_: Greps, names: list[str]) -> list[Facts]:
            facts = []
            async for name in self._volumes.each(names):
                with self._volumes.open(name) as volume:
                    facts.append(Facts(name, volume.state, volume.count))
            return facts

        return await self._volumes.search(EVERY_DICTIONARY, claim, find)
