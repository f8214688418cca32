"""
Searches while others block.
"""

from __future__ import annotations

import time
from statistics import median

from twisted.trial.unittest import SynchronousTestCase

from .http_connection import HTTPConnection
from .server import running_server

BLOCKING, ROUNDS, SEARCHES = 200, 5, 30


def measure_searches(connection: HTTPConnection) -> float:
    """How long some searches take, one after the other."""
    began = time.perf_counter()
    for _ in range(SEARCHES):
        connection.send_query({"action": "search", "term": "love"})
        assert connection.read_response().status == 200
    return time.perf_counter() - began


class FairnessTests(SynchronousTestCase):
    """One who blocks does not make others wait."""

    def test_searches_are_as_quick_while_200_wait(self) -> None:
        """Beside 200 blocking requests a search takes about as long as with none."""
        with running_server() as quiet, running_server() as busy:
            for _ in range(BLOCKING):
                busy.connect().send_get("/wait?seconds=60")
            busy.wait_for_search_pids(BLOCKING)
            connections = quiet.connect(), busy.connect()
            # Taken in turns, so that a noisy machine slows both alike.
            times = [
                [measure_searches(connection) for connection in connections]
                for _ in range(ROUNDS)
            ]
            ratio = median(after / before for before, after in times)
            self.assertLess(ratio, 2, times)
            self.assertEqual(len(busy.search_pids()), BLOCKING)
