"""
Tests of searches while other requests block.
"""

from __future__ import annotations

import time

from twisted.trial.unittest import SynchronousTestCase

from .cases import LOVE_QUERY
from .http_connection import HTTPConnection
from .server import running_server

BLOCKING, ROUNDS, SEARCHES = 200, 20, 10


def measure_searches(connection: HTTPConnection) -> float:
    """Return the duration of some searches, one after another."""
    start = time.perf_counter()
    for _ in range(SEARCHES):
        connection.send_query(LOVE_QUERY)
        assert connection.read_response().status == 200
    return time.perf_counter() - start


class FairnessTests(SynchronousTestCase):
    """Tests of the latency of searches."""

    def test_200_blocking_requests_do_not_slow_searches_down(self) -> None:
        """The duration is about the same as without them."""
        with running_server() as quiet, running_server() as busy:
            for _ in range(BLOCKING):
                busy.connect().send_get("/wait?seconds=60")
            busy.wait_for_search_pids(BLOCKING)
            connections = quiet.connect(), busy.connect()
            # Alternate, so that other load on the machine slows both down.
            times = [
                [measure_searches(connection) for connection in connections]
                for _ in range(ROUNDS)
            ]
            # Not the median: other tests delay single rounds of either server.
            before, after = map(min, zip(*times, strict=True))
            self.assertLess(after / before, 2, times)
            self.assertEqual(len(busy.search_pids()), BLOCKING)
