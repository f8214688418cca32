"""
A page of quotes, which has a limit of bytes.
"""

from __future__ import annotations

from twisted_quotes.search.results import QuoteResults
from twisted_quotes.text.quotes import Quote

MAX_PAGE_BYTES = 8 * 1024 * 1024
"""About how many bytes a page may have."""

_BYTES_PER_SPAN = 30


class Page(QuoteResults):
    """Quotes that are collected, up to a number of bytes."""

    def __init__(self, limit: int | None) -> None:
        super().__init__(limit)
        self.quotes: list[Quote] = []
        self._remaining_bytes = MAX_PAGE_BYTES

    async def write(self, quotes: list[Quote]) -> None:
        """Collect the quotes that there is room for, the first one always."""
        for quote in quotes:
            self._remaining_bytes -= len(quote.text.encode()) + _BYTES_PER_SPAN * len(
                quote.match_spans
            )
            if self.quotes and self._remaining_bytes < 0:
                self.limit_reached = True
                break
            self.quotes.append(quote)
        self.returned = len(self.quotes)

    def restart(self) -> bool:
        """Forget all: nothing has been sent yet."""
        self.total = self.returned = 0
        self.limit_reached = False
        self.quotes.clear()
        self._remaining_bytes = MAX_PAGE_BYTES
        return True
