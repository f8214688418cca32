"""
Where answers go, piece after piece, as they are found.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import ClassVar

from twisted_quotes.text.lines import Lines
from twisted_quotes.text.quotes import Quote

MOST_BYTES = 16 * 1024 * 1024
"""The most bytes that one entry may have."""

PIECE = 256 * 1024
"""About how many characters the pieces of a longer one have."""


class Results(ABC):
    """
    Where quotes go as they are found.

    @param limit: how many are wanted; L{None} for all.

    @cvar slow: whether taking quotes may take a while.
    @cvar places_wanted: whether it matters where in a quote the term stands.
    @ivar total: how many match, as far as they have been counted.
    @ivar returned: how many were taken.
    @ivar full: whether there is no room for more.
    """

    slow: ClassVar[bool] = False
    places_wanted: ClassVar[bool] = True

    def __init__(self, limit: int | None) -> None:
        self._limit = sys.maxsize if limit is None else limit
        self.total = self.returned = 0
        self.full = False

    @property
    def wanted(self) -> int:
        """How many more may come."""
        return 0 if self.full else self._limit - self.returned

    @abstractmethod
    async def take(self, quotes: list[Quote]) -> None:
        """
        Take the next quotes, as far as there is room, and count them.

        The list may be cleared.
        """

    @abstractmethod
    def begin_anew(self) -> bool:
        """Forget what was taken, if that is still possible; say whether it is."""


class EntryResults(ABC):
    """
    Where the entries of API v1 go, when it is known how many there will be.

    @ivar wanted: how many are still to come.
    @ivar whole: whether they are of use only if they all come at once.
    @ivar long: whether they are known not to come at once.
    """

    wanted = 0
    whole = False
    long = False

    def begin(self, count: int) -> None:
        """Say how many entries will come. Before any was added, it may be said anew."""
        self.wanted = count

    def add(self, entries: Sequence[str]) -> None:
        """Take the next entries, and keep none of them."""
        self.wanted -= len(entries)

    @abstractmethod
    async def ready(self) -> None:
        """Wait until more may be added."""

    @abstractmethod
    def begin_anew(self) -> bool:
        """Forget what was added, if that is still possible; say whether it is."""


class QuotesAsEntries(Results):
    """
    Takes the texts of quotes as entries.

    The total must be known before the first quote comes.

    @param limit: how many are wanted; L{None} for all.
    @param offset: how many of the total were passed over.
    """

    slow = True
    places_wanted = False

    def __init__(self, limit: int | None, offset: int, entries: EntryResults) -> None:
        super().__init__(limit)
        self._offset = offset
        self._entries = entries

    async def take(self, quotes: list[Quote]) -> None:
        """Hand the texts on."""
        if not self.returned:
            self._entries.begin(min(self._limit, max(0, self.total - self._offset)))
        self.returned += len(quotes)
        self._entries.add([quote.text for quote in quotes])
        await self._entries.ready()

    def begin_anew(self) -> bool:
        """Forget what was taken, where the entries can be forgotten."""
        self.total = self.returned = 0
        return self._entries.begin_anew()


class Found(Exception):
    """A quote was found, and no more is to be known."""


class FirstQuote(Results):
    """Ends a search with L{Found} when there is a quote."""

    places_wanted = False

    def __init__(self) -> None:
        super().__init__(1)

    async def take(self, quotes: list[Quote]) -> None:
        """
        End the search.

        @raise Found: always.
        """
        raise Found()

    def begin_anew(self) -> bool:
        """Nothing was taken."""
        return True


class NotAtOnce(Exception):
    """The entries are too many to come at once, where that alone is of use."""


def pieces(
    entries: Iterable[str], most: int, size: int = PIECE
) -> Iterator[Lines | list[str]]:
    """
    Divide entries into pieces, which may be cleared before the next is made.

    @param most: how many entries are wanted.
    @param size: how many characters each piece may have, before its last entry.
        L{Lines} are a piece as they come.
    """
    if isinstance(entries, Lines):
        entries = entries[:most]
        if entries:
            yield entries
        return
    piece: list[str] = []
    room = size
    for entry in islice(entries, most):
        piece.append(entry)
        room -= len(entry) + 1
        if room <= 0:
            yield piece
            piece, room = [], size
    if piece:
        yield piece


def few(entries: Iterable[str], room: int) -> list[str] | None:
    """
    All entries, if they are few.

    @param room: how many characters they may have together.
    @return: L{None} if they have more.
    """
    held: list[str] = []
    for entry in entries:
        room -= len(entry) + 1
        if room < 0:
            return None
        held.append(entry)
    return held
