"""
API v1: a query in JSON, entries in JSON (contract, section 1).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias, TypeVar

from klein._app import KleinRenderable
from msgspec import UNSET
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest

from twisted_quotes.errors import UnsupportedContentEncoding
from twisted_quotes.library.dictionary import PathState
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
from twisted_quotes.web.http.clients import client_key_for_request
from twisted_quotes.web.http.request_log import (
    IRequestLogEntry,
    annotate,
    annotate_term,
    header,
)
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
        if request.requestHeaders.hasHeader(b"content-encoding"):
            encoding = header(request, b"content-encoding").lower()
            if encoding not in ("", "identity"):
                raise UnsupportedContentEncoding(
                    "The body has a Content-Encoding, which is not supported. "
                    "Send it without that header."
                )
        query = parse_query(request.content.read())
        if isinstance(query, List):
            annotate(request, action="list")
            return self._stream(request, query)
        dictionary_name = self.finder.resolve_dictionary_name(query.dictionary)
        annotate(request, action=action_name(query), dictionary=dictionary_name)
        if query.selection.pattern is not None:
            annotate_term(request, query.selection.pattern.term)
        is_random = isinstance(query, Random) and query.seed is UNSET
        if is_random or not self.response_cache.is_enabled:
            return self._stream(request, query)
        respond = partial(self._respond, request, query, dictionary_name)
        if dictionary_name == ALL_DICTIONARIES:
            return _await_then(self.finder.read_all_versions(), respond)
        return respond(self.finder.versions(dictionary_name))

    def _respond(
        self,
        request: IRequest,
        query: Query,
        dictionary_name: str,
        versions: Sequence[PathState] | None,
    ) -> _Response:
        """
        Respond from the cache, or search.

        @param versions: the versions of the dictionaries; L{None} if the dictionaries
            could change without a new version.
        """
        if versions is None:
            return self._stream(request, query)
        key = cache_key((query, dictionary_name), versions)
        cached = self.response_cache.get_cached(key)
        if cached is not None:
            return self._send(request, query, cached)
        client_key = client_key_for_request(request)
        response = self.response_cache.find_coalesced(
            key,
            partial(self._search, query, dictionary_name, versions, client_key),
            client_key,
        )
        return _await_then(response, partial(self._send, request, query))

    async def _search(
        self,
        query: Query,
        dictionary_name: str,
        versions: Sequence[PathState],
        client_key: str | None,
    ) -> CachedResponse:
        """Find all entries, unless they are too large to buffer."""
        entries = JSONEntries()
        try:
            await self.finder.find_entries(query, entries, client_key)
        except TooLargeToBuffer:
            return CachedResponse(0, None)
        # The dictionaries may have changed while the search waited for a slot.
        if dictionary_name == ALL_DICTIONARIES:
            latest = await self.finder.read_all_versions()
        else:
            latest = self.finder.versions(dictionary_name)
        is_cacheable = entries.is_complete and latest == versions
        return CachedResponse(entries.count, entries.finish(), is_cacheable)

    def _send(
        self, request: IRequest, query: Query, response: CachedResponse
    ) -> _Response:
        if response.body is None:
            return self._stream(request, query, is_large=True)
        self._log_entry_count(request, query, response.count)
        return render_body(request, JSON, response.body)

    async def _stream(
        self, request: IRequest, query: Query, is_large: bool = False
    ) -> bytes:
        """Search for this request alone, and stream the entries if they are many."""
        entries = JSONEntries(request, is_large)
        try:
            client_key = client_key_for_request(request)
            await self.finder.find_entries(query, entries, client_key)
            self._log_entry_count(request, query, entries.count)
            return entries.finish()
        except Exception:
            await entries.abort(Failure())
            raise

    def _log_entry_count(self, request: IRequest, query: Query, count: int) -> None:
        """Log the number of entries, and once that a term looks like a regex."""
        annotate(request, entries=count)
        if count or self._regex_hint_logged or isinstance(query, List) or query.offset:
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
                id=IRequestLogEntry(request).id,
                sign=sign,
            )


async def _await_then(
    pending: Awaitable[T], respond: Callable[[T], _Response]
) -> bytes:
    """Wait for a value, then respond with it."""
    response = respond(await pending)
    return response if isinstance(response, bytes) else await response
