"""
A page of quotes, which has a limit of bytes.
"""

from __future__ import annotations

from twisted_quotes.search.results import Results
from twisted_quotes.text.quotes import Quote

MOST_BYTES = 8 * 1024 * 1024
"""About how many bytes a page may have."""

_PLACE_BYTES = 30


class Page(Results):
    """Quotes that are collected, up to a number of bytes."""

    def __init__(self, limit: int | None) -> None:
        super().__init__(limit)
        self.quotes: list[Quote] = []
        self._room = MOST_BYTES

    async def take(self, quotes: list[Quote]) -> None:
        """Collect the quotes that there is room for, the first one always."""
        for quote in quotes:
            self._room -= len(quote.text.encode()) + _PLACE_BYTES * len(quote.places)
            if self.quotes and self._room < 0:
                self.full = True
                break
            self.quotes.append(quote)
        self.returned = len(self.quotes)

    def begin_anew(self) -> bool:
        """Forget all: nothing has been sent yet."""
        self.total = self.returned = 0
        self.full = False
        self.quotes.clear()
        self._room = MOST_BYTES
        return True
