"""
API v1: a query in JSON, entries in JSON (contract, section 1).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias, TypeVar

from klein._app import KleinRenderable
from msgspec import UNSET
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest

from twisted_quotes.errors import UnsupportedContentEncoding
from twisted_quotes.query.parsing import parse_query
from twisted_quotes.query.queries import (
    ALL_DICTIONARIES,
    List,
    Query,
    Random,
    action_name,
)
from twisted_quotes.query.regex_dialect import find_regex_syntax
from twisted_quotes.search.finder import Finder
from twisted_quotes.search.results import TooLargeToBuffer
from twisted_quotes.search.sources.searchable_library import Versions
from twisted_quotes.web.http.clients import client_key_for_request
from twisted_quotes.web.http.request_log import header, log_entry
from twisted_quotes.web.http.responses import render_body

from .response_cache import CachedResponse, ResponseCache, cache_key
from .results import JSON, JSONEntries

T = TypeVar("T")

_Response: TypeAlias = bytes | Awaitable[bytes]


@dataclass
class QuotesV1:
    """The routes of API v1."""

    finder: Finder
    response_cache: ResponseCache

    _log = Logger()
    _regex_hint_logged = False

    def find(self, request: IRequest) -> KleinRenderable:
        """
        Respond to the query in the body, whatever its Content-Type.

        Most responses are cached. They are returned without a coroutine.
        """
        encoding = header(request, b"content-encoding").lower()
        if encoding not in ("", "identity"):
            raise UnsupportedContentEncoding(
                "The body has a Content-Encoding, which is not supported. "
                "Send it without that header."
            )
        query = parse_query(request.content.read())
        return _QueryRequest(self, query, request).respond()

    def log_regex_hint(self, query: Query, request_id: str) -> None:
        """Log once that a term without results looks like a regular expression."""
        if self._regex_hint_logged or isinstance(query, List) or query.offset:
            return
        pattern = query.selection.pattern
        if pattern is None or pattern.regex:
            return
        if sign := find_regex_syntax(pattern.term):
            self._regex_hint_logged = True
            self._log.info(
                "Request {id} found nothing with a term that has {sign}: without "
                '"regex" a term is a fixed string. Further such requests are not '
                "logged.",
                id=request_id,
                sign=sign,
            )


class _QueryRequest:
    """Responds to one request with a query."""

    def __init__(self, api: QuotesV1, query: Query, request: IRequest) -> None:
        self._api = api
        self._finder = api.finder
        self._query = query
        self._request = request
        self._of_quotes = getattr(query, "unit", "line") == "quote"
        self._client_key = client_key_for_request(request)
        self._log_entry = log_entry(request)

    def respond(self) -> _Response:
        """Respond from the cache, or search."""
        query = self._query
        self._log_entry.fields["action"] = action_name(query)
        if isinstance(query, List):
            return self._stream()
        name = self._finder.resolve_dictionary_name(query.dictionary)
        self._log_entry.fields["dictionary"] = self._dictionary_name = name
        if query.selection.pattern is not None:
            self._log_entry.term = query.selection.pattern.term
        is_random = isinstance(query, Random) and query.seed is UNSET
        if is_random or not self._api.response_cache.is_enabled:
            return self._stream()
        of_quotes = self._of_quotes
        if name == ALL_DICTIONARIES:
            return _await_then(
                self._finder.read_versions((name,), of_quotes),
                self._respond_for_versions,
            )
        return self._respond_for_versions(self._finder.versions((name,), of_quotes))

    def _respond_for_versions(self, versions: Versions) -> _Response:
        """
        Respond from the cache, or search.

        @param versions: the versions of the dictionaries; L{None} if the dictionaries
            could change without a new version.
        """
        if versions is None:
            return self._stream()
        key = cache_key((self._query, self._dictionary_name), versions)
        cached = self._api.response_cache.get_cached(key)
        if cached is not None:
            return self._send(cached)
        response = self._api.response_cache.find_coalesced(
            key, partial(self._search, versions), self._client_key
        )
        return _await_then(response, self._send)

    async def _search(self, versions: Versions) -> CachedResponse:
        """Find all entries, unless they are too large to buffer."""
        entries = JSONEntries()
        try:
            await self._finder.find_entries(self._query, entries, self._client_key)
        except TooLargeToBuffer:
            return CachedResponse(0, None)
        # The dictionaries may have changed while the search waited for a slot.
        names = (self._dictionary_name,)
        if self._dictionary_name == ALL_DICTIONARIES:
            latest = await self._finder.read_versions(names, self._of_quotes)
        else:
            latest = self._finder.versions(names, self._of_quotes)
        is_cacheable = entries.is_complete and latest == versions
        return CachedResponse(entries.count, entries.finish(), is_cacheable)

    def _send(self, response: CachedResponse) -> _Response:
        if response.body is None:
            return self._stream(is_large=True)
        self._log_entry_count(response.count)
        return render_body(self._request, JSON, response.body)

    async def _stream(self, is_large: bool = False) -> bytes:
        """Search for this request alone, and stream the entries if they are many."""
        entries = JSONEntries(self._request, is_large)
        try:
            await self._finder.find_entries(self._query, entries, self._client_key)
            self._log_entry_count(entries.count)
            return entries.finish()
        except Exception:
            await entries.abort(Failure())
            raise

    def _log_entry_count(self, count: int) -> None:
        self._log_entry.fields["entries"] = count
        if not count:
            self._api.log_regex_hint(self._query, self._log_entry.id)


async def _await_then(
    pending: Awaitable[T], respond: Callable[[T], _Response]
) -> bytes:
    """Wait for a value, then respond with it."""
    response = respond(await pending)
    return response if isinstance(response, bytes) else await response
