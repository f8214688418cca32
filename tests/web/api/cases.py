"""
What the tests of both APIs share.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from twisted.internet.defer import Deferred, fail

from twisted_quotes.errors import ServiceNotReady
from twisted_quotes.library.dictionary import Dictionary
from twisted_quotes.library.indexes.format import Index
from twisted_quotes.library.indexes.provider import IndexProvider

from ..clients import ClientResponse, WebTestCase


class SearchTestCase(WebTestCase):
    """Ends the processes of searches one at a time."""

    def end_grep(
        self,
        output: bytes = b"",
        status: int = 0,
        errors: bytes = b"",
        signal: int | None = None,
    ) -> None:
        """Let the only process that runs print something and end."""
        [process] = self.web.running_processes()
        process.print(output, errors)
        process.end(status, signal)
        self.web.flush_responses()

    def finish(
        self, pending: Deferred[ClientResponse], *output: bytes, **ending: Any
    ) -> ClientResponse:
        """Let processes print their output and end, and return the response."""
        for part in output or [b""]:
            [process] = self.web.running_processes()
            process.print(part)
            self.web.flush_responses()
            self.assertNoResult(pending)
            self.end_grep(**ending)
        return self.successResultOf(pending)


@contextmanager
def index_missing(path: Path) -> Iterator[None]:
    """Let a dictionary have no index in time."""
    get = IndexProvider.get

    def get_others(
        indexes: IndexProvider, dictionary: Dictionary, *arguments: Any
    ) -> Deferred[Index]:
        if dictionary.path == str(path):
            return fail(ServiceNotReady("an index"))
        return get(indexes, dictionary, *arguments)

    with patch.object(IndexProvider, "get", get_others):
        yield
