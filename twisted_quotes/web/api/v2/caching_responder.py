"""
Responses of API v2 that the service and its clients cache (contract, section 4).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, TypeAlias

import msgspec
from msgspec import Struct
from twisted.web.iweb import IRequest

from twisted_quotes.query.queries import DictionaryNames
from twisted_quotes.search.finder import Finder
from twisted_quotes.search.sources.searchable_library import Versions
from twisted_quotes.web.http import caching
from twisted_quotes.web.http.clients import client_key_for_request
from twisted_quotes.web.http.request_log import annotate
from twisted_quotes.web.http.responses import render_body
from twisted_quotes.web.http.urls import base_url, next_page_url

from ..response_cache import CachedResponse, ResponseCache, cache_key
from .representations import CONTENT_TYPES, JSON, encode_body


class Found(NamedTuple):
    """
    What a search has found.

    @ivar entry_count: the number of quotes, authors or dictionaries, for the log.
    @ivar is_complete: whether no dictionary is left out because it has no index yet.
    @ivar next_offset: the offset of the next page; 0 if there is none.
    """

    body: Struct | Sequence[Struct] | dict[str, object]
    entry_count: int
    is_complete: bool
    next_offset: int = 0

    def encode(self, tag: str, media_type: str) -> CachedResponse:
        """Return the response. A client must not cache an incomplete one."""
        return CachedResponse(
            self.entry_count,
            encode_body(self.body, media_type),
            self.is_complete,
            tag if self.is_complete else "",
            self.next_offset,
        )


class Representation(NamedTuple):
    """
    What a response depends on besides the dictionaries, and how it is sent.

    @ivar content: the query, and what else determines the content.
    @ivar cache_control: the Cache-Control header of a complete response.
    """

    content: tuple[object, ...]
    media_type: str = JSON
    cache_control: str = "no-cache"


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
        representation: Representation,
        find: Find,
    ) -> bytes:
        """
        Respond from the cache, or search; with a 304 if the client has the response.

        @param find: searches if the response is not cached.
        """
        _, media_type, cache_control = representation
        # The response has URLs of the service.
        identity = msgspec.json.encode(
            (representation.content, media_type, base_url(request))
        )
        client_key = client_key_for_request(request)
        versions = response = None
        if self.response_cache.is_enabled:
            versions = await self.finder.read_versions(requested, True)
        if versions is not None:
            # JSON has integers of any size.
            key = cache_key(identity, versions)
            response = self.response_cache.get_cached(key)
        if response is None:
            tag = await self.entity_tag(requested, identity)
            caching.set_cache_headers(request, cache_control, tag)
            if caching.check_not_modified(request, tag):
                return b""
            if versions is None:
                response = (await find(client_key)).encode(tag, media_type)
            else:
                search = partial(
                    self._search, requested, versions, tag, media_type, find, client_key
                )
                response = await self.response_cache.find_coalesced(
                    key, search, client_key
                )
        return send(request, response, media_type, cache_control)

    async def _search(
        self,
        requested: DictionaryNames,
        versions: Versions,
        tag: str,
        media_type: str,
        find: Find,
        client_key: str | None,
    ) -> CachedResponse:
        """Search, and find out whether the response may be cached."""
        response = (await find(client_key)).encode(tag, media_type)
        # The dictionaries may have changed meanwhile.
        is_current = await self.finder.read_versions(requested, True) == versions
        return msgspec.structs.replace(
            response, cacheable=response.cacheable and is_current
        )

    async def entity_tag(self, requested: DictionaryNames, identity: bytes) -> str:
        """
        Return the entity tag of a response; see L{caching.entity_tag}.

        @param identity: what the response depends on besides the dictionaries.
        """
        states = await self.finder.read_states(requested)
        return caching.entity_tag(identity.decode(), states)


def send(
    request: IRequest,
    response: CachedResponse,
    media_type: str,
    cache_control: str = "no-cache",
) -> bytes:
    """Send a response, or a 304 if If-None-Match has its entity tag or C{*}."""
    annotate(request, entries=response.count)
    cache_control = cache_control if response.tag else "no-store"
    caching.set_cache_headers(request, cache_control, response.tag)
    if response.next_offset:
        url = next_page_url(request, response.next_offset)
        request.setHeader("link", f'<{url}>; rel="next"')
    if caching.check_if_none_match_any(request) or (
        response.tag and caching.check_not_modified(request, response.tag)
    ):
        return b""
    assert response.body is not None, "responses of API v2 have a maximum size"
    return render_body(request, CONTENT_TYPES[media_type], response.body)
