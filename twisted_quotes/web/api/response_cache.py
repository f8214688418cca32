"""
Answers found once: for all who ask the same at the same time, and for those who
ask it later.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import blake2b

from msgspec import Struct, msgpack
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from twisted_quotes.monitoring.metrics import Metrics

_KEY_BYTES = 16
"""How many bytes a key has: no two questions that are asked have the same."""

_ENTRY_OVERHEAD = 100
"""About how many bytes an OrderedDict takes for an item, besides the item's own."""


class CachedResponse(Struct, frozen=True, gc=False):
    """
    An answer, ready to send.

    There may be a hundred thousand of them. Neither they nor their keys are
    anything that the garbage collector has to look at, which would take it a
    quarter of a second each time.

    @ivar count: how many entries it has.
    @ivar body: it, encoded; L{None} where it is too long to be shared.
    @ivar cacheable: whether it will do for those who ask later, too.
    """

    count: int
    body: bytes | None
    cacheable: bool = True


def cache_key(query: object, versions: Iterable[object]) -> bytes:
    """
    Make the key of an answer: a digest, so that it is short whatever is asked.

    @param query: what is asked.
    @param versions: the versions of all that it asks about, in order.
    """
    digest = blake2b(msgpack.encode(query), digest_size=_KEY_BYTES)
    for version in versions:
        digest.update(msgpack.encode(version))
    return digest.digest()


@dataclass
class _Search:
    """An answer that is being found, and who waits for it."""

    result: Deferred[CachedResponse]
    waiters: list[Deferred[CachedResponse]] = field(default_factory=list)


class ResponseCache:
    """
    Has each answer found once, and keeps the last ones that were asked for.

    Errors are told to all who wait, and are not kept.

    @param max_bytes: how many bytes may be kept, 0 or more; with 0, nothing is
        shared either.
    @param metrics: has what is shared and kept counted.
    """

    def __init__(self, max_bytes: int, metrics: Metrics) -> None:
        self._free_bytes = self._max_bytes = max_bytes
        self._hits = metrics.cache_results.labels("hit")
        self._misses = metrics.cache_results.labels("miss")
        self._coalesced = metrics.cache_results.labels("shared")
        self._cached: OrderedDict[bytes, CachedResponse] = OrderedDict()
        self._searches: dict[bytes, dict[str | None, _Search]] = {}
        metrics.add_gauge(
            "cache_bytes",
            "Bytes of answers that are kept, with their keys.",
            lambda: self._max_bytes - self._free_bytes,
        )

    @property
    def is_disabled(self) -> bool:
        """Whether each question is to be answered by itself."""
        return not self._max_bytes

    def get_cached(self, key: bytes) -> CachedResponse | None:
        """
        Get an answer that was kept.

        @param key: tells the question, and the state of all that it asks about.
        @return: one without a body is too long to be shared, and counts as a miss:
            the caller has to search for it.
        """
        response = self._cached.get(key)
        if response is not None:
            self._cached.move_to_end(key)
            (self._hits if response.body is not None else self._misses).inc()
        return response

    def find_coalesced(
        self,
        key: bytes,
        start_search: Callable[[], Deferred[CachedResponse]],
        client_key: str | None = None,
    ) -> Deferred[CachedResponse]:
        """
        Get an answer that was not kept: one that is being found, or a new one.

        Each client has a search of its own, so that none waits for the turn of
        another client. The first one that finds the answer ends the others.

        @param key: tells the question, and the state of all that it asks about.
        @param start_search: begins to find the answer.
        @param client_key: tells one client from another.
        @return: fires with the answer. Cancelling it gives up the wait, and the
            search where nobody else waits for it.
        """
        search = self._searches.get(key, {}).get(client_key)
        (self._coalesced if search else self._misses).inc()
        waiter: Deferred[CachedResponse] = Deferred(
            lambda cancelled: self._detach(key, client_key, cancelled)
        )
        if search is not None:
            search.waiters.append(waiter)
            return waiter
        search = _Search(start_search(), [waiter])
        self._searches.setdefault(key, {})[client_key] = search
        search.result.addBoth(self._search_finished, key, client_key, search)
        return waiter

    def _detach(
        self, key: bytes, client_key: str | None, cancelled: Deferred[CachedResponse]
    ) -> None:
        """Wait no longer, and have nobody look for what nobody waits for."""
        search = self._searches[key][client_key]
        search.waiters.remove(cancelled)
        if not search.waiters:
            # Who asks from now on has it looked for anew.
            self._remove_search(key, client_key)
            search.result.cancel()

    def _remove_search(self, key: bytes, client_key: str | None) -> None:
        searches = self._searches[key]
        del searches[client_key]
        if not searches:
            del self._searches[key]

    def _search_finished(
        self,
        result: CachedResponse | Failure,
        key: bytes,
        client_key: str | None,
        search: _Search,
    ) -> None:
        """Tell all who wait, and keep the answer if there is room for it."""
        if self._searches.get(key, {}).get(client_key) is search:
            self._remove_search(key, client_key)
        finished = [search]
        if isinstance(result, CachedResponse) and search.waiters:
            finished += self._searches.pop(key, {}).values()
            if result.cacheable:
                self._store(key, result)
        waiters = [each for one in finished for each in one.waiters]
        for one in finished:
            one.waiters = []
            one.result.cancel()
        for each in waiters:
            each.callback(result)

    def _store(self, key: bytes, response: CachedResponse) -> None:
        """Keep an answer, in the place of those that were asked for longest ago."""
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
    """How many bytes it takes to keep an answer."""
    parts = (key, response, response.count, response.body or b"")
    return _ENTRY_OVERHEAD + sum(map(sys.getsizeof, parts))
