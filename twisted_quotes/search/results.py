"""
Results: what receives the entries or the quotes of a search, batch after batch.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import ClassVar, TypeAlias

from twisted_quotes.quotes.quote import Quote
from twisted_quotes.text.lines import Lines

MAX_ENTRY_BYTES = 16 * 1024 * 1024
"""The maximum size of an entry, in bytes."""

CHUNK_SIZE = 256 * 1024
"""The approximate size of a chunk of entries, in characters."""

_BYTES_PER_SPAN = 30

Entries: TypeAlias = Lines | list[str]


class TooLargeToBuffer(Exception):
    """There are too many entries for results that must be buffered."""


class Results:
    """
    What receives the results of a search.

    @ivar is_complete: whether no dictionary is left out for lack of an index.
    """

    is_complete = True

    def restart(self) -> bool:
        """Discard what was written; return whether this is still possible."""
        return True


class QuoteResults(Results, ABC):
    """
    What receives quotes.

    @param limit: the maximum number of quotes; L{None} for all.

    @cvar slow: whether L{write} may wait for a client.
    @cvar batch_bytes: the approximate size of the quotes to write at a time.
    @cvar texts_only: whether neither match spans nor the total are needed.
    @ivar total: the number of matches, as far as they are counted.
    @ivar returned: the number of quotes that were accepted.
    @ivar limit_reached: whether no more quotes are accepted, whatever the limit.
    """

    slow: ClassVar[bool] = False
    batch_bytes: ClassVar[int] = 128 * 1024
    texts_only: ClassVar[bool] = False

    def __init__(self, limit: int | None) -> None:
        self._limit = sys.maxsize if limit is None else limit
        self.total = self.returned = 0
        self.limit_reached = False

    @property
    def remaining(self) -> int:
        """The number of quotes that are still accepted."""
        return 0 if self.limit_reached else self._limit - self.returned

    def start(self, total: int) -> None:
        """Set the total, where it is known before the first quote."""
        self.total = total

    @abstractmethod
    async def write(self, quotes: list[Quote]) -> None:
        """
        Accept the next quotes, as many as fit, and wait until there may be more.

        @param quotes: the quotes. The list may be cleared.
        """


class EntryResults(Results, ABC):
    """
    What receives the entries of API v1, after their number.

    @ivar remaining: the number of entries that are still to be written.
    @ivar buffered: whether all entries must be written at once.
    @ivar is_large: whether the entries are known to be too many for that.
    """

    remaining = 0
    buffered = False
    is_large = False

    def start(self, count: int) -> None:
        """Set the number of entries. This may be repeated until the first L{write}."""
        self.remaining = count

    def start_page(self, total: int, offset: int, limit: int | None) -> None:
        """Set the number of entries to that of a page of all matches."""
        count = max(0, total - offset)
        self.start(count if limit is None else min(count, limit))

    @abstractmethod
    async def write(self, entries: Entries) -> None:
        """
        Accept the next entries, and wait until there may be more.

        @param entries: the entries. They may be cleared.
        @raise TooLargeToBuffer: if they must be all entries, and are not.
        """

    async def write_all(self, entries: Entries) -> None:
        """Accept all entries at once."""
        self.start(len(entries))
        await self.write(entries)


class QuoteEntriesAdapter(QuoteResults):
    """
    Writes the texts of quotes as entries. The total must be known at the start.

    @param offset: the number of matches that are skipped.
    """

    slow = True
    texts_only = True

    def __init__(self, limit: int | None, offset: int, entries: EntryResults) -> None:
        super().__init__(limit)
        self._offset = offset
        self._entries = entries

    def start(self, total: int) -> None:
        self._entries.start_page(total, self._offset, self._limit)

    async def write(self, quotes: list[Quote]) -> None:
        self.returned += len(quotes)
        texts = [quote.text for quote in quotes]
        quotes.clear()
        await self._entries.write(texts)

    def restart(self) -> bool:
        self.returned = 0
        return self._entries.restart()


class BufferedQuotes(QuoteResults):
    """Collects the texts of quotes, unless they are larger than a chunk."""

    slow = True
    texts_only = True

    def __init__(self, limit: int | None) -> None:
        super().__init__(limit)
        self.texts: list[str] = []
        self._remaining_characters = CHUNK_SIZE

    async def write(self, quotes: list[Quote]) -> None:
        for quote in quotes:
            self.texts.append(quote.text)
            self._remaining_characters -= len(quote.text) + 1
        self.returned = len(self.texts)
        self.limit_reached = self._remaining_characters < 0


class QuotePage(QuoteResults):
    """
    Collects quotes up to a maximum number and size.

    @param max_bytes: the approximate maximum size, in bytes.
    """

    def __init__(self, limit: int | None, max_bytes: int) -> None:
        super().__init__(limit)
        self._max_bytes = max_bytes
        self.restart()

    async def write(self, quotes: list[Quote]) -> None:
        """Collect the quotes that fit. The first quote always does."""
        for quote in quotes:
            # A response in JSON has most of each text twice.
            self._remaining_bytes -= 2 * len(quote.text.encode())
            self._remaining_bytes -= _BYTES_PER_SPAN * len(quote.match_spans)
            if self.quotes and self._remaining_bytes < 0:
                self.limit_reached = True
                break
            self.quotes.append(quote)
        self.returned = len(self.quotes)

    def restart(self) -> bool:
        """Discard the quotes, and return L{True}: nothing was sent yet."""
        self.quotes: list[Quote] = []
        self.total = self.returned = 0
        self.limit_reached = False
        self._remaining_bytes = self._max_bytes
        return True


def split_into_chunks(
    entries: Iterable[str], limit: int | None, size: int = CHUNK_SIZE
) -> Iterator[Entries]:
    """
    Split entries into chunks.

    @param limit: the maximum number of entries; L{None} for all.
    @param size: the number of characters after which a chunk ends. L{Lines} are
        one chunk, whatever their size.
    """
    if isinstance(entries, Lines):
        if lines := entries[:limit]:
            yield lines
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
