"""
Finding whole quotes in the order in which they stand.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from .cursor import Cursor
from .dictionary import State
from .errors import QuoteNotFound
from .greps import Greps
from .indexes import InThread
from .locate import locate
from .query import EVERY_DICTIONARY, All, Pattern, Search, Selection
from .quotes import Quote
from .volume import Volume
from .volumes import Volumes

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


class Results(ABC):
    """
    Where quotes go as they are found.

    @param limit: how many are wanted; L{None} for all.

    @cvar slow: whether taking quotes may take a while.
    @ivar total: how many match, as far as they have been counted.
    @ivar returned: how many were taken.
    @ivar full: whether there is no room for more.
    """

    slow: ClassVar[bool] = False

    def __init__(self, limit: int | None) -> None:
        self._limit = sys.maxsize if limit is None else limit
        self.total = self.returned = 0
        self.full = False

    @property
    def wanted(self) -> int:
        """How many more may come."""
        return 0 if self.full else self._limit - self.returned

    @abstractmethod
    async def take(self, quotes: Sequence[Quote]) -> None:
        """Take the next quotes, as far as there is room, and count them."""

    @abstractmethod
    def begin_anew(self) -> bool:
        """Forget what was taken, if that is still possible; say whether it is."""


class QuoteFinder:
    """
    Finds whole quotes, in the order in which they stand.

    @param volumes: the dictionaries with their indexes.
    @param in_thread: runs what may take a while.
    """

    def __init__(self, volumes: Volumes, in_thread: InThread) -> None:
        self._volumes = volumes
        self._in_thread = in_thread

    async def entries(self, asked: str, query: Search | All) -> list[str]:
        """
        Find entries that are whole quotes, with other quotes around them.

        @param asked: the name of a dictionary, or C{"*"} for every one.
        """

        async def find(greps: Greps, names: list[str]) -> list[str]:
            entries: list[str] = []
            offset = query.offset
            most = sys.maxsize if query.most is None else query.most
            for name in names:
                with self._volumes.open(name) as volume:
                    cursor = await volume.open_cursor(greps, query.selection)
                    offset -= await cursor.skip(offset)
                    numbers = await cursor.take(most - len(entries))
                    around = query.n_before, query.n_after
                    quotes = await volume.read_all(numbers, *around)
                    entries += [quote.text for quote in quotes]
                if len(entries) >= most:
                    break
            return entries

        return await self._volumes.search(asked, find)

    async def find(
        self, asked: str, selection: Selection, offset: int, results: Results
    ) -> None:
        """
        Find quotes in order, and count all that match.

        @param asked: the name of a dictionary, or C{"*"} for every one.
        @param offset: how many to pass over first, 0 or more.
        @param results: where they go. What it has taken stays valid when this
            fails.
        """

        async def find(greps: Greps, names: list[str]) -> None:
            left = offset
            for name in names:
                with self._volumes.open(name) as volume:
                    cursor = await volume.open_cursor(greps, selection)
                    skipped = await cursor.skip(left)
                    results.total += skipped
                    left -= skipped
                    await self._hand_over(
                        volume, cursor, greps, selection.pattern, results
                    )
                    results.total += await cursor.count()

        await self._volumes.search(asked, find, results.begin_anew)

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
                quotes = await volume.read(numbers)
                if pattern is not None:
                    quotes = await locate(greps, pattern, quotes, self._in_thread)
                numbers = numbers[len(quotes) :]
                if results.slow:
                    greps.rest()
                await results.take(quotes)
                if results.full:
                    return
            if at_end:
                return

    async def quote(self, identity: str) -> Quote:
        """
        Find a quote by its id, in the first dictionary that has it.

        @raise QuoteNotFound: none has.
        """

        async def find(greps: Greps, names: list[str]) -> Quote:
            for name in names:
                with self._volumes.open(name) as volume:
                    number = await volume.number_of(greps, identity)
                    if number is not None:
                        [quote] = await volume.read([number])
                        return quote
            raise QuoteNotFound()

        return await self._volumes.search(EVERY_DICTIONARY, find)

    async def dictionaries(self) -> list[Facts]:
        """What is known of every dictionary, in the order of their names."""

        async def find(_: Greps, names: list[str]) -> list[Facts]:
            facts = []
            for name in names:
                with self._volumes.open(name) as volume:
                    facts.append(Facts(name, volume.state, volume.count))
            return facts

        return await self._volumes.search(EVERY_DICTIONARY, find)
