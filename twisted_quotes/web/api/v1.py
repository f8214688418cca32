"""
API v1: a question in JSON, its answer in JSON (contract, section 1).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from klein._app import KleinRenderable
from msgspec import UNSET
from twisted.internet.defer import Deferred
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
from .streaming import BufferedEntries, StreamedEntries


class QuotesV1:
    """
    The routes of API v1.

    @param finder: answers the queries.
    @param response_cache: has answers shared, and keeps them.
    """

    _log = Logger()

    def __init__(self, finder: Finder, response_cache: ResponseCache) -> None:
        self._finder = finder
        self._response_cache = response_cache
        self._regex_hint_logged = False

    def find(self, request: IRequest) -> KleinRenderable:
        """Answer the query in the body, whatever its Content-Type."""
        if request.requestHeaders.hasHeader(b"content-encoding"):
            _check_encoding(header(request, b"content-encoding"))
        query = parse_query(request.content.read())
        action = action_name(query)
        if isinstance(query, List):
            annotate(request, action=action)
            return self._stream(request, query)
        dictionary_name = self._finder.resolve_dictionary_name(query.dictionary)
        annotate(request, action=action, dictionary=dictionary_name)
        if query.selection.pattern is not None:
            annotate_term(request, query.selection.pattern.term)
        if self._response_cache.is_disabled or not _is_deterministic(query):
            return self._stream(request, query)
        if dictionary_name == ALL_DICTIONARIES:
            return self._respond_from_all(request, query, dictionary_name)
        return self._respond(
            request, query, dictionary_name, self._finder.versions(dictionary_name)
        )

    async def _respond_from_all(
        self, request: IRequest, query: Query, dictionary_name: str
    ) -> bytes:
        """Answer when all dictionaries have been looked at, which takes a while."""
        versions = await self._finder.read_all_versions()
        response = self._respond(request, query, dictionary_name, versions)
        return response if isinstance(response, bytes) else await response

    def _respond(
        self,
        request: IRequest,
        query: Query,
        dictionary_name: str,
        versions: Sequence[PathState] | None,
    ) -> bytes | Coroutine[Deferred[Any], Any, bytes]:
        """
        Answer a query.

        @param versions: those of what is asked; L{None} where it could change unseen.
        """
        if versions is None:
            return self._stream(request, query)
        key = cache_key((query, dictionary_name), versions)
        cached = self._response_cache.get_cached(key)
        if cached is None:
            client_key = client_key_for_request(request)
            start_search = partial(
                self._find_entries, query, dictionary_name, versions, client_key
            )
            return self._respond_coalesced(
                request, query, key, start_search, client_key
            )
        if cached.body is None:
            return self._stream(request, query, is_large=True)
        return self._send(request, query, cached, cached.body)

    async def _respond_coalesced(
        self,
        request: IRequest,
        query: Query,
        key: bytes,
        start_search: Callable[[], Coroutine[Deferred[Any], Any, CachedResponse]],
        client_key: str | None,
    ) -> bytes:
        """Answer with what is found for all who ask the same meanwhile."""
        response = await self._response_cache.find_coalesced(
            key, lambda: Deferred.fromCoroutine(start_search()), client_key
        )
        if response.body is None:
            return await self._stream(request, query, is_large=True)
        return self._send(request, query, response, response.body)

    async def _find_entries(
        self,
        query: Query,
        dictionary_name: str,
        versions: Sequence[PathState],
        client_key: str | None,
    ) -> CachedResponse:
        entries = BufferedEntries()
        try:
            await self._finder.find_entries(query, entries, client_key)
        except TooLargeToBuffer:
            return CachedResponse(0, None)
        # Waiting for its turn, it may have been found in something newer.
        if dictionary_name == ALL_DICTIONARIES:
            latest = await self._finder.read_all_versions()
        else:
            latest = self._finder.versions(dictionary_name)
        cacheable = entries.is_complete and latest == versions
        return CachedResponse(entries.count, entries.finish_body(), cacheable)

    async def _stream(
        self, request: IRequest, query: Query, is_large: bool = False
    ) -> bytes:
        """Answer by itself, with what is found as it is found if that is much."""
        entries = StreamedEntries(request, is_large)
        try:
            await self._finder.find_entries(
                query, entries, client_key_for_request(request)
            )
            self._annotate_entry_count(request, query, entries.count)
            return entries.finish_response()
        except Exception:
            await entries.abort(Failure())
            raise

    def _send(
        self, request: IRequest, query: Query, response: CachedResponse, body: bytes
    ) -> bytes:
        self._annotate_entry_count(request, query, response.count)
        return render_body(request, b"application/json", body)

    def _annotate_entry_count(
        self, request: IRequest, query: Query, count: int
    ) -> None:
        """Note for the log how many entries were found, and once a likely mistake."""
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


def _check_encoding(encoding: str) -> None:
    """
    Check the Content-Encoding of a body.

    @raise UnsupportedContentEncoding: it is not readable as it stands.
    """
    if encoding.lower() not in ("", "identity"):
        raise UnsupportedContentEncoding(
            "The body has a Content-Encoding, and none is understood here. "
            "Send it as it is, without that header."
        )


def _is_deterministic(query: Query) -> bool:
    """Whether a query is answered alike each time."""
    return not (isinstance(query, Random) and query.seed is UNSET)
