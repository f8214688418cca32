"""
A cache of responses, with request coalescing.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from msgspec import Struct, msgpack
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.python.failure import Failure

from twisted_quotes.monitoring.metrics import Metrics

_KEY_BYTES = 16
"""The size of a key: large enough that no two queries share one."""

_ENTRY_OVERHEAD = 100
"""The approximate size of an item of an OrderedDict, without key and value."""


class CachedResponse(Struct, frozen=True, gc=False):
    """
    A response that is ready to send.

    The garbage collector does not track it or its key: a pass over a hundred thousand
    of them would take a quarter of a second.

    @ivar count: the number of entries.
    @ivar body: the encoded body; L{None} if it is too large to be shared.
    @ivar cacheable: whether the response is valid for later requests, too.
    @ivar tag: the entity tag; empty if clients must not cache the response.
    @ivar next_offset: the offset of the next page; 0 if there is none.
    """

    count: int
    body: bytes | None
    cacheable: bool = True
    tag: str = ""
    next_offset: int = 0


def cache_key(query: object, versions: object) -> bytes:
    """
    Return the key of a response: a digest, which is short for any query.

    @param versions: the versions of all dictionaries that are searched.
    """
    digest = blake2b(msgpack.encode(query), digest_size=_KEY_BYTES)
    digest.update(msgpack.encode(versions))
    return digest.digest()


@dataclass
class _Search:
    """A search that runs, and the requests that wait for it."""

    result: Deferred[CachedResponse]
    waiters: list[Deferred[CachedResponse]]


class ResponseCache:
    """
    Shares each search among the equal requests of a client, and keeps the last
    responses for all clients.

    Errors are passed to all requests that wait, and are not cached.

    @param max_bytes: the size of the cache, 0 or more; 0 also disables coalescing.
    """

    def __init__(self, max_bytes: int, metrics: Metrics) -> None:
        self.is_enabled = max_bytes > 0
        self._free_bytes = self._max_bytes = max_bytes
        self._hits = metrics.cache_results.labels("hit")
        self._misses = metrics.cache_results.labels("miss")
        self._coalesced = metrics.cache_results.labels("shared")
        self._cached: OrderedDict[bytes, CachedResponse] = OrderedDict()
        self._searches: dict[bytes, dict[str | None, _Search]] = {}
        metrics.add_gauge(
            "cache_bytes",
            "Bytes of cached responses, with their keys.",
            lambda: self._max_bytes - self._free_bytes,
        )

    def get_cached(self, key: bytes) -> CachedResponse | None:
        """
        Return a cached response, or L{None}.

        A response without a body counts as a miss: it only says that the client needs
        a search of its own.
        """
        response = self._cached.get(key)
        if response is not None:
            self._cached.move_to_end(key)
            (self._hits if response.body is not None else self._misses).inc()
        return response

    def find_coalesced(
        self,
        key: bytes,
        start_search: Callable[
            [], Deferred[CachedResponse] | Coroutine[Any, Any, CachedResponse]
        ],
        client_key: str | None = None,
    ) -> Deferred[CachedResponse]:
        """
        Wait for a running search of the same client, or start one.

        Each client has its own search, so that no client waits for the turn of
        another one. The first search that succeeds ends the others.

        @param start_search: starts a search for the response.
        @return: fires with the response. Cancelling it also cancels the search if no
            other request waits for it.
        """
        waiter: Deferred[CachedResponse] = Deferred(
            lambda waiter: self._detach(waiter, key, client_key)
        )
        search = self._searches.get(key, {}).get(client_key)
        if search is not None:
            self._coalesced.inc()
            search.waiters.append(waiter)
            return waiter
        self._misses.inc()
        search = _Search(ensureDeferred(start_search()), [waiter])
        self._searches.setdefault(key, {})[client_key] = search
        search.result.addBoth(self._search_finished, key, client_key, search)
        return waiter

    def _detach(
        self, waiter: Deferred[CachedResponse], key: bytes, client_key: str | None
    ) -> None:
        """Remove a waiter, and cancel its search if it was the last one."""
        search = self._searches[key][client_key]
        search.waiters.remove(waiter)
        if not search.waiters:
            self._remove_search(key, client_key)
            search.result.cancel()

    def _remove_search(self, key: bytes, client_key: str | None) -> None:
        del self._searches[key][client_key]
        if not self._searches[key]:
            del self._searches[key]

    def _search_finished(
        self,
        result: CachedResponse | Failure,
        key: bytes,
        client_key: str | None,
        search: _Search,
    ) -> None:
        """Pass the result to all waiters, and cache it if possible."""
        if self._searches.get(key, {}).get(client_key) is not search:
            # The search was cancelled.
            return
        finished = [search]
        if isinstance(result, CachedResponse):
            finished = [*self._searches.pop(key).values()]
            if result.cacheable:
                self._store(key, result)
        else:
            self._remove_search(key, client_key)
        for other in finished:
            other.result.cancel()
        for waiter in [waiter for each in finished for waiter in each.waiters]:
            waiter.callback(result)

    def _store(self, key: bytes, response: CachedResponse) -> None:
        """Cache a response, and remove those that were used longest ago."""
        size = _entry_size(key, response)
        if size > self._max_bytes:
            return
        replaced = self._cached.pop(key, None)
        if replaced is not None:
            self._free_bytes += _entry_size(key, replaced)
        self._free_bytes -= size
        self._cached[key] = response
        while self._free_bytes < 0:
            self._free_bytes += _entry_size(*self._cached.popitem(last=False))


def _entry_size(key: bytes, response: CachedResponse) -> int:
    """Return the approximate number of bytes that an entry of the cache uses."""
    # All empty strings are one object.
    tag = (response.tag,) if response.tag else ()
    parts = (key, response, response.count, response.body or b"", *tag)
    return _ENTRY_OVERHEAD + sum(map(sys.getsizeof, parts))
