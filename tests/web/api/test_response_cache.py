"""
Tests of the cache of responses.
"""

from __future__ import annotations

import gc
import os
import tracemalloc
from functools import partial

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.errors import TooManyRequests
from twisted_quotes.monitoring.metrics import Metrics
from twisted_quotes.web.api.response_cache import (
    CachedResponse,
    ResponseCache,
    cache_key,
)

from ...metrics import metric_values


class ResponseCacheTests(SynchronousTestCase):
    """Tests of caching and coalescing."""

    def setUp(self) -> None:
        """Make a cache for two responses of a thousand bytes."""
        self.metrics = Metrics()
        self.response_cache = ResponseCache(2600, self.metrics)
        self.searches: list[Deferred[CachedResponse]] = []

    def request(
        self, key: str = "love", client: str | None = None
    ) -> Deferred[CachedResponse]:
        """Get a response from the cache or a search."""

        def find() -> Deferred[CachedResponse]:
            self.searches.append(Deferred())
            return self.searches[-1]

        cached = self.response_cache.get_cached(key.encode())
        if cached is not None:
            return succeed(cached)
        return self.response_cache.find_coalesced(key.encode(), find, client)

    def fill_cache(self, key: str, size: int = 1000) -> CachedResponse:
        """Cache a response."""
        response = CachedResponse(1, b"x" * size)
        waiting = self.request(key)
        self.searches[-1].callback(response)
        self.assertIs(self.successResultOf(waiting), response)
        return response

    def is_cached(self, key: str) -> bool:
        """Return whether a response is cached."""
        before = len(self.searches)
        pending = self.request(key)
        cached = len(self.searches) == before
        if not cached:
            pending.cancel()
            self.failureResultOf(pending, CancelledError)
        return cached

    def assert_results(self, **counts: int) -> None:
        """Assert how many searches had each result."""
        values = metric_values(self.metrics)
        for result, count in counts.items():
            name = f'quotes_cache_total{{result="{result}"}}'
            self.assertEqual(values[name], count, result)

    def cached_bytes(self) -> float:
        """Return the metric of cached bytes."""
        return metric_values(self.metrics)["quotes_cache_bytes"]

    def test_equal_requests_share_a_running_search(self) -> None:
        waiting = [self.request(), self.request(), self.request("hate"), self.request()]
        self.assertEqual(len(self.searches), 2)
        response = CachedResponse(0, b"[]")
        self.searches[0].callback(response)
        for index in (0, 1, 3):
            self.assertIs(self.successResultOf(waiting[index]), response)
        self.assertNoResult(waiting[2])

    def test_a_later_request_gets_the_cached_response(self) -> None:
        response = self.fill_cache("love")
        self.assertIs(self.successResultOf(self.request()), response)
        self.assertEqual(len(self.searches), 1)

    def test_an_error_is_passed_to_all_waiters_and_not_cached(self) -> None:
        waiting = [self.request(), self.request()]
        self.searches[0].errback(ValueError())
        for each in waiting:
            self.failureResultOf(each, ValueError)
        self.fill_cache("love")

    def test_a_search_goes_on_while_a_request_waits_for_it(self) -> None:
        first, second = self.request(), self.request()
        first.cancel()
        self.failureResultOf(first, CancelledError)
        response = CachedResponse(0, b"[]")
        self.searches[0].callback(response)
        self.assertIs(self.successResultOf(second), response)

    def test_a_search_without_waiters_is_cancelled(self) -> None:
        """A later request starts a new search."""
        killed: list[bool] = []
        found: Deferred[CachedResponse] = Deferred(lambda _: killed.append(True))
        waiting = [
            self.response_cache.find_coalesced(b"love", lambda: found),
            self.request(),
        ]
        for each in waiting:
            each.cancel()
            self.failureResultOf(each, CancelledError)
        self.assertEqual(killed, [True])
        self.fill_cache("love")

    def test_each_client_has_its_own_search(self) -> None:
        """The first one that succeeds ends the others."""
        waiting = [self.request(client=client) for client in ("a", "b", "b", "c")]
        self.assertEqual(len(self.searches), 3)
        response = CachedResponse(0, b"[]")
        self.searches[1].callback(response)
        for each in waiting:
            self.assertIs(self.successResultOf(each), response)
        self.assertTrue(self.is_cached("love"))
        self.assertTrue(all(each.called for each in self.searches))

    def test_an_error_is_not_passed_to_other_clients(self) -> None:
        one, other = self.request(client="a"), self.request(client="b")
        self.searches[0].errback(TooManyRequests())
        self.failureResultOf(one, TooManyRequests)
        self.assertNoResult(other)
        other.cancel()
        self.failureResultOf(other, CancelledError)
        self.fill_cache("love")

    def test_the_least_recently_used_response_is_evicted(self) -> None:
        self.fill_cache("a")
        self.fill_cache("b")
        self.successResultOf(self.request("a"))
        self.fill_cache("c")
        self.assertEqual([self.is_cached(key) for key in "abc"], [True, False, True])
        self.assertLess(self.cached_bytes(), 2600)
        self.assertGreater(self.cached_bytes(), 2000)

    def test_a_response_larger_than_the_cache_is_not_cached(self) -> None:
        """It evicts no other response."""
        self.fill_cache("a")
        self.fill_cache("b", 5000)
        self.assertEqual([self.is_cached(key) for key in "ab"], [True, False])

    def test_cached_responses_are_not_tracked_by_the_garbage_collector(self) -> None:
        self.response_cache = ResponseCache(10**6, Metrics())
        gc.collect()
        before = len(gc.get_objects())
        for number in range(100):
            self.fill_cache(f"love {number}", 10)
        self.searches.clear()
        gc.collect()
        self.assertTrue(self.is_cached("love 0"))
        self.assertLess(len(gc.get_objects()) - before, 50)

    def test_hits_misses_and_coalesced_requests_are_counted(self) -> None:
        self.request("x")
        self.request("x")
        self.fill_cache("a")
        self.successResultOf(self.request("a"))
        self.assert_results(hit=1, shared=1, miss=2)

    def test_a_large_response_is_marked_as_such(self) -> None:
        """The mark keeps its size, and each use counts as a miss."""
        waiting = self.request("x")
        self.searches[-1].callback(CachedResponse(0, None))
        self.successResultOf(waiting)
        counted = self.cached_bytes()
        for _ in range(5):
            cached = self.response_cache.get_cached(b"x")
            assert cached is not None
            self.assertIsNone(cached.body)
        self.assertEqual(self.cached_bytes(), counted)
        self.assert_results(hit=0, miss=6)

    def test_a_response_replaces_the_one_with_the_same_key(self) -> None:
        self.fill_cache("a", 10)
        counted = self.cached_bytes()
        for size in (1000, 0, 500, 10):
            response = CachedResponse(1, b"x" * size)
            self.response_cache.find_coalesced(b"a", partial(succeed, response))
        self.assertEqual(self.cached_bytes(), counted)
        self.assertTrue(self.is_cached("a"))

    def test_the_counted_bytes_are_the_used_memory(self) -> None:
        for size in (0, 10, 100, 1000):
            self.metrics = Metrics()
            self.response_cache = ResponseCache(2**30, self.metrics)
            tracemalloc.start()
            try:
                before, _ = tracemalloc.get_traced_memory()
                for number in range(10_000):
                    response = CachedResponse(number, os.urandom(size))
                    key = cache_key(b"x" * 500 + b"%d" % number, [])
                    self.response_cache.find_coalesced(key, partial(succeed, response))
                after, _ = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            ratio = self.cached_bytes() / (after - before)
            self.assertGreater(ratio, 0.8, size)
            self.assertLess(ratio, 1.3, size)

    def test_a_cache_without_bytes_is_disabled(self) -> None:
        self.assertTrue(self.response_cache.is_enabled)
        self.assertFalse(ResponseCache(0, Metrics()).is_enabled)


class KeyTests(SynchronousTestCase):
    """Tests of the keys."""

    def test_all_keys_have_the_same_length(self) -> None:
        self.assertEqual(
            len(cache_key(b"x" * 5000, [*range(3000)])), len(cache_key(b"", []))
        )

    def test_each_query_and_each_version_has_its_own_key(self) -> None:
        keys = [(b"a", []), (b"a", [1]), (b"a", [1, 2]), (b"a", [12]), (b"a\x01", [])]
        self.assertEqual(len({cache_key(*each) for each in keys}), len(keys))
        self.assertEqual(cache_key(b"a", [1, 2]), cache_key(b"a", [1, 2]))
