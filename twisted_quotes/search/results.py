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

MAX_ENTRY_BYTES = 16 * 1024 * 1024
"""The most bytes that one entry may have."""

CHUNK_SIZE = 256 * 1024
"""About how many characters the pieces of a longer one have."""


class QuoteResults(ABC):
    """
    Where quotes go as they are found.

    @param limit: how many are wanted; L{None} for all.

    @cvar slow: whether taking quotes may take a while.
    @cvar spans_needed: whether it matters where in a quote the term stands.
    @ivar total: how many match, as far as they have been counted.
    @ivar returned: how many were taken.
    @ivar limit_reached: whether there is no room for more.
    @ivar is_complete: whether no dictionary is left out for lack of an index.
    """

    is_complete = True

    slow: ClassVar[bool] = False
    spans_needed: ClassVar[bool] = True

    def __init__(self, limit: int | None) -> None:
        self._limit = sys.maxsize if limit is None else limit
        self.total = self.returned = 0
        self.limit_reached = False

    @property
    def remaining(self) -> int:
        """How many more may come."""
        return 0 if self.limit_reached else self._limit - self.returned

    @abstractmethod
    async def write(self, quotes: list[Quote]) -> None:
        """
        Take the next quotes, as far as there is room, and count them.

        The list may be cleared.
        """

    @abstractmethod
    def restart(self) -> bool:
        """Forget what was taken, if that is still possible; say whether it is."""


class EntryResults(ABC):
    """
    Where the entries of API v1 go, when it is known how many there will be.

    @ivar remaining: how many are still to come.
    @ivar buffered: whether they are of use only if they all come at once.
    @ivar is_large: whether they are known not to come at once.
    @ivar is_complete: whether no dictionary is left out for lack of an index.
    """

    is_complete = True

    remaining = 0
    buffered = False
    is_large = False

    def start(self, count: int) -> None:
        """Say how many entries will come. Before any was added, it may be said anew."""
        self.remaining = count

    def write(self, entries: Sequence[str]) -> None:
        """Take the next entries, and keep none of them."""
        self.remaining -= len(entries)

    @abstractmethod
    async def wait_until_ready(self) -> None:
        """Wait until more may be added."""

    @abstractmethod
    def restart(self) -> bool:
        """Forget what was added, if that is still possible; say whether it is."""


class QuoteEntriesAdapter(QuoteResults):
    """
    Takes the texts of quotes as entries.

    The total must be known before the first quote comes.

    @param limit: how many are wanted; L{None} for all.
    @param offset: how many of the total were passed over.
    """

    slow = True
    spans_needed = False

    def __init__(
        self, limit: int | None, offset: int, entry_results: EntryResults
    ) -> None:
        super().__init__(limit)
        self._offset = offset
        self._entry_results = entry_results

    async def write(self, quotes: list[Quote]) -> None:
        """Hand the texts on."""
        if not self.returned:
            self._entry_results.start(
                min(self._limit, max(0, self.total - self._offset))
            )
        self.returned += len(quotes)
        self._entry_results.write([quote.text for quote in quotes])
        await self._entry_results.wait_until_ready()

    def restart(self) -> bool:
        """Forget what was taken, where the entries can be forgotten."""
        self.total = self.returned = 0
        return self._entry_results.restart()


class QuoteFound(Exception):
    """A quote was found, and no more is to be known."""


class StopAtFirstQuote(QuoteResults):
    """Ends a search with L{QuoteFound} when there is a quote."""

    spans_needed = False

    def __init__(self) -> None:
        super().__init__(1)

    async def write(self, quotes: list[Quote]) -> None:
        """
        End the search.

        @raise Found: always.
        """
        raise QuoteFound()

    def restart(self) -> bool:
        """Nothing was taken."""
        return True


class TooLargeToBuffer(Exception):
    """The entries are too many to come at once, where that alone is of use."""


def split_into_chunks(
    entries: Iterable[str], limit: int, size: int = CHUNK_SIZE
) -> Iterator[Lines | list[str]]:
    """
    Divide entries into pieces, which may be cleared before the next is made.

    @param limit: how many entries are wanted.
    @param size: how many characters each piece may have, before its last entry.
        L{Lines} are a piece as they come.
    """
    if isinstance(entries, Lines):
        entries = entries[:limit]
        if entries:
            yield entries
        return
    chunk: list[str] = []
    remaining = size
    for entry in islice(entries, limit):
        chunk.append(entry)
        remaining -= len(entry) + 1
        if remaining <= 0:
            yield chunk
            chunk, remaining = [], size
    if chunk:
        yield chunk


def collect_if_small(entries: Iterable[str], remaining: int) -> list[str] | None:
    """
    All entries, if they are few.

    @param remaining: how many characters they may have together.
    @return: L{None} if they have more.
    """
    collected: list[str] = []
    for entry in entries:
        remaining -= len(entry) + 1
        if remaining < 0:
            return None
        collected.append(entry)
    return collected
