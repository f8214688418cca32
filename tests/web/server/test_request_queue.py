"""
Tests of the order in which requests begin.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.web.server.request_queue import TURN_TIME, RequestQueue

from ..clients import WebTestCase, get


class QueueTests(SynchronousTestCase):
    """Tests of L{RequestQueue}."""

    def setUp(self) -> None:
        """Have a queue."""
        self.clock = Clock()
        self.queue = RequestQueue(self.clock)
        self.begun: list[str] = []

    def request(self, name: str, seconds: float = TURN_TIME) -> Callable[[], object]:
        """A request that takes some time of the processor."""

        def start() -> None:
            self.begun.append(name)
            # No call is due meanwhile: the reactor does one thing at a time.
            self.clock.rightNow += seconds

        return start

    def begin(self, *names: str, seconds: float = TURN_TIME) -> None:
        """Have requests begin, each of the client that its name begins with."""
        for name in names:
            self.queue.begin(name[0], self.request(name, seconds))

    def test_a_request_begins_at_once(self) -> None:
        """And so do others that take little time; no call is due later."""
        self.begin(*(f"a{n}" for n in range(10)), seconds=TURN_TIME / 20)
        self.assertEqual(len(self.begun), 10)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_others_have_a_turn_when_the_time_is_used_up(self) -> None:
        """What is left begins in the next turns of the reactor."""
        self.begin("a1", "a2", "a3", "a4")
        self.assertEqual(self.begun, ["a1", "a2"])
        self.clock.advance(0)
        self.assertEqual(self.begun, ["a1", "a2", "a3", "a4"])

    def test_clients_take_turns(self) -> None:
        """However many requests of one are waiting, another waits for one of them."""
        self.begin(*(f"a{n}" for n in range(6)), seconds=2 * TURN_TIME)
        self.begin("b0", "c0", seconds=2 * TURN_TIME)
        while self.clock.getDelayedCalls():
            self.clock.advance(0)
        expected = ["a0", "a1", "b0", "c0", "a2", "a3", "a4", "a5"]
        self.assertEqual(self.begun, expected)

    def test_a_request_that_fails_holds_up_no_other(self) -> None:
        """What is wrong with it is not swallowed."""

        def fail() -> None:
            raise ValueError("a mistake")

        self.begin("a1", "a2", seconds=2 * TURN_TIME)
        self.queue.begin("a", fail)
        self.begin("a3", "a4")
        with self.assertRaises(ValueError):
            self.clock.advance(0)
        while self.clock.getDelayedCalls():
            self.clock.advance(0)
        self.assertEqual(self.begun, ["a1", "a2", "a3", "a4"])

    def test_after_a_rest_a_request_begins_at_once(self) -> None:
        """The time of the past is forgotten."""
        for number in range(5):
            self.begin(f"a{number}", seconds=2 * TURN_TIME)
            self.clock.advance(3 * TURN_TIME)
        self.assertEqual(len(self.begun), 5)


class LeavingTests(WebTestCase):
    """Tests of clients that leave before their request begins."""

    def test_a_request_whose_client_left_does_not_begin(self) -> None:
        """It costs nothing but to read it."""
        queue = self.web.site.request_queue
        begun: list[object] = []

        def busy() -> None:
            self.web.reactor.rightNow += 2 * TURN_TIME

        queue.begin(None, busy)
        queue.begin(None, busy)
        gone, client = self.web.connect(), self.web.connect()
        for each in (gone, client):
            each.protocol.dataReceived(get())
        render = self.web.resource.render

        def watched(request: Any) -> Any:
            begun.append(request)
            return render(request)

        self.patch(self.web.resource, "render", watched)
        gone.leave()
        self.web.reactor.advance(0)
        self.assertEqual(len(begun), 1)
