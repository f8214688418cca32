"""
Responses of API v2 that the service and its clients cache (contract, section 4).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, TypeAlias

import msgspec
from twisted.web.iweb import IRequest

from twisted_quotes.query.queries import DictionaryNames
from twisted_quotes.search.finder import Finder
from twisted_quotes.search.sources.searchable_library import Versions
from twisted_quotes.web.http import caching
from twisted_quotes.web.http.clients import client_key_for_request
from twisted_quotes.web.http.request_log import annotate
from twisted_quotes.web.http.responses import render_body

from .response_cache import CachedResponse, ResponseCache, cache_key
from .results import JSON


class Found(NamedTuple):
    """
    What a search has found.

    @ivar entry_count: the number of quotes or dictionaries, for the log.
    @ivar is_complete: whether no dictionary is left out because it has no index yet.
    """

    body: object
    entry_count: int
    is_complete: bool

    def encode(self, tag: str) -> CachedResponse:
        """Return the response. A client must not cache an incomplete one."""
        # In a shell, the prompt then starts on a line of its own.
        body = msgspec.json.encode(self.body) + b"\n"
        complete = self.is_complete
        return CachedResponse(self.entry_count, body, complete, tag if complete else "")


Find: TypeAlias = Callable[[str | None], Awaitable[Found]]
"""A search; it takes the key of the client."""


@dataclass
class CachingResponder:
    """Responds from a cache, or with what a search finds."""

    finder: Finder
    response_cache: ResponseCache

    async def respond(
        self,
        request: IRequest,
        requested: DictionaryNames,
        representation: tuple[object, ...],
        find: Find,
    ) -> bytes:
        """
        Respond from the cache, or search; with a 304 if the client has the response.

        @param representation: what the response depends on besides the dictionaries.
        @param find: searches if the response is not cached.
        """
        client_key = client_key_for_request(request)
        versions = response = None
        if self.response_cache.is_enabled:
            versions = await self.finder.read_versions(requested, True)
        if versions is not None:
            # JSON has integers of any size.
            key = cache_key(msgspec.json.encode(representation), versions)
            response = self.response_cache.get_cached(key)
        if response is None:
            tag = await self.entity_tag(requested, representation)
            caching.set_cache_headers(request, "no-cache", tag)
            if caching.check_not_modified(request, tag):
                return b""
            if versions is None:
                response = (await find(client_key)).encode(tag)
            else:
                search = partial(
                    self._search, requested, versions, tag, find, client_key
                )
                response = await self.response_cache.find_coalesced(
                    key, search, client_key
                )
        return send(request, response)

    async def _search(
        self,
        requested: DictionaryNames,
        versions: Versions,
        tag: str,
        find: Find,
        client_key: str | None,
    ) -> CachedResponse:
        """Search, and find out whether the response may be cached."""
        response = (await find(client_key)).encode(tag)
        # The dictionaries may have changed meanwhile.
        is_current = await self.finder.read_versions(requested, True) == versions
        return msgspec.structs.replace(
            response, cacheable=response.cacheable and is_current
        )

    async def entity_tag(
        self, requested: DictionaryNames, representation: tuple[object, ...]
    ) -> str:
        """Return the entity tag of a response; see L{caching.entity_tag}."""
        states = await self.finder.read_states(requested)
        return caching.entity_tag(msgspec.json.encode(representation).decode(), states)


def send(request: IRequest, response: CachedResponse) -> bytes:
    """Send a response, or a 304 if If-None-Match has its entity tag or C{*}."""
    annotate(request, entries=response.count)
    cache_control = "no-cache" if response.tag else "no-store"
    caching.set_cache_headers(request, cache_control, response.tag)
    if caching.check_if_none_match_any(request) or (
        response.tag and caching.check_not_modified(request, response.tag)
    ):
        return b""
    assert response.body is not None, "responses of API v2 have a maximum size"
    return render_body(request, JSON, response.body)
