"""
Tests of the order in which requests begin.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.web.server.request_queue import TIME_SLICE, RequestQueue

from ..clients import WebTestCase, get_request


class RequestQueueTests(SynchronousTestCase):
    """Tests of L{RequestQueue}."""

    def setUp(self) -> None:
        """Have a queue."""
        self.clock = Clock()
        self.queue = RequestQueue(self.clock)
        self.started: list[str] = []

    def make_request(
        self, name: str, seconds: float = TIME_SLICE
    ) -> Callable[[], object]:
        """A request that takes some time of the processor."""

        def start() -> None:
            self.started.append(name)
            # No call is due meanwhile: the reactor does one thing at a time.
            self.clock.rightNow += seconds

        return start

    def start_requests(self, *names: str, seconds: float = TIME_SLICE) -> None:
        """Have requests begin, each of the client that its name begins with."""
        for name in names:
            self.queue.submit(name[0], self.make_request(name, seconds))

    def test_a_request_begins_at_once(self) -> None:
        """And so do others that take little time; no call is due later."""
        self.start_requests(*(f"a{n}" for n in range(10)), seconds=TIME_SLICE / 20)
        self.assertEqual(len(self.started), 10)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_others_have_a_turn_when_the_time_is_used_up(self) -> None:
        """What is left begins in the next turns of the reactor."""
        self.start_requests("a1", "a2", "a3", "a4")
        self.assertEqual(self.started, ["a1", "a2"])
        self.clock.advance(0)
        self.assertEqual(self.started, ["a1", "a2", "a3", "a4"])

    def test_clients_take_turns(self) -> None:
        """However many requests of one are waiting, another waits for one of them."""
        self.start_requests(*(f"a{n}" for n in range(6)), seconds=2 * TIME_SLICE)
        self.start_requests("b0", "c0", seconds=2 * TIME_SLICE)
        while self.clock.getDelayedCalls():
            self.clock.advance(0)
        expected = ["a0", "a1", "b0", "c0", "a2", "a3", "a4", "a5"]
        self.assertEqual(self.started, expected)

    def test_a_request_that_fails_holds_up_no_other(self) -> None:
        """What is wrong with it is not swallowed."""

        def fail() -> None:
            raise ValueError("a mistake")

        self.start_requests("a1", "a2", seconds=2 * TIME_SLICE)
        self.queue.submit("a", fail)
        self.start_requests("a3", "a4")
        with self.assertRaises(ValueError):
            self.clock.advance(0)
        while self.clock.getDelayedCalls():
            self.clock.advance(0)
        self.assertEqual(self.started, ["a1", "a2", "a3", "a4"])

    def test_after_a_rest_a_request_begins_at_once(self) -> None:
        """The time of the past is forgotten."""
        for number in range(5):
            self.start_requests(f"a{number}", seconds=2 * TIME_SLICE)
            self.clock.advance(3 * TIME_SLICE)
        self.assertEqual(len(self.started), 5)


class DisconnectTests(WebTestCase):
    """Tests of clients that leave before their request begins."""

    def test_a_request_whose_client_left_does_not_begin(self) -> None:
        """It costs nothing but to read it."""
        queue = self.web.site.request_queue
        started: list[object] = []

        def busy() -> None:
            self.web.reactor.rightNow += 2 * TIME_SLICE

        queue.submit(None, busy)
        queue.submit(None, busy)
        gone, client = self.web.connect(), self.web.connect()
        for each in (gone, client):
            each.protocol.dataReceived(get_request())
        render = self.web.resource.render

        def watched(request: Any) -> Any:
            started.append(request)
            return render(request)

        self.patch(self.web.resource, "render", watched)
        gone.disconnect()
        self.web.reactor.advance(0)
        self.assertEqual(len(started), 1)
