"""
Searches while others block.
"""

from __future__ import annotations

import time
from statistics import median

from twisted.trial.unittest import SynchronousTestCase

from .conversation import Conversation
from .server import running

BLOCKING, ROUNDS, SEARCHES = 200, 5, 30


def seconds_of_searches(connection: Conversation) -> float:
    """How long some searches take, one after the other."""
    began = time.perf_counter()
    for _ in range(SEARCHES):
        connection.ask({"action": "search", "term": "love"})
        assert connection.response().status == 200
    return time.perf_counter() - began


class FairnessTests(SynchronousTestCase):
    """One who blocks does not make others wait."""

    def test_searches_are_as_quick_while_200_wait(self) -> None:
        """Beside 200 blocking requests a search takes about as long as with none."""
        with running() as quiet, running() as busy:
            for _ in range(BLOCKING):
                busy.connect().get("/wait?seconds=60")
            busy.wait_for_children(BLOCKING)
            connections = quiet.connect(), busy.connect()
            # Taken in turns, so that a noisy machine slows both alike.
            times = [
                [seconds_of_searches(connection) for connection in connections]
                for _ in range(ROUNDS)
            ]
            ratio = median(after / before for before, after in times)
            self.assertLess(ratio, 2, times)
            self.assertEqual(len(busy.children()), BLOCKING)
