"""
Tests for L{twisted_quotes.web.server.request_queue}.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.web.server.request_queue import TIME_SLICE, RequestQueue

from ..clients import WebTestCase, get_request


class RequestQueueTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.queue = RequestQueue(self.clock)
        self.started: list[str] = []

    def make_request(
        self, name: str, seconds: float = TIME_SLICE
    ) -> Callable[[], object]:
        """Make a request that uses CPU time when it starts."""

        def start() -> None:
            self.started.append(name)
            # Clock.advance would run delayed calls.
            self.clock.rightNow += seconds

        return start

    def start_requests(self, *names: str, seconds: float = TIME_SLICE) -> None:
        """Start requests, each of the client that its name begins with."""
        for name in names:
            self.queue.submit(name[0], self.make_request(name, seconds))

    def test_requests_start_at_once(self) -> None:
        self.start_requests(*(f"a{n}" for n in range(10)), seconds=TIME_SLICE / 20)
        self.assertEqual(len(self.started), 10)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_requests_wait_when_the_time_slice_is_used_up(self) -> None:
        self.start_requests("a1", "a2", "a3", "a4")
        self.assertEqual(self.started, ["a1", "a2"])
        self.clock.advance(0)
        self.assertEqual(self.started, ["a1", "a2", "a3", "a4"])

    def test_clients_take_turns(self) -> None:
        self.start_requests(*(f"a{n}" for n in range(6)), seconds=2 * TIME_SLICE)
        self.start_requests("b0", "c0", seconds=2 * TIME_SLICE)
        while self.clock.getDelayedCalls():
            self.clock.advance(0)
        expected = ["a0", "a1", "b0", "c0", "a2", "a3", "a4", "a5"]
        self.assertEqual(self.started, expected)

    def test_after_a_failure_other_requests_start(self) -> None:
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

    def test_after_a_pause_a_request_starts_at_once(self) -> None:
        for number in range(5):
            self.start_requests(f"a{number}", seconds=2 * TIME_SLICE)
            self.clock.advance(3 * TIME_SLICE)
        self.assertEqual(len(self.started), 5)


class DisconnectTests(WebTestCase):
    def test_the_request_of_a_disconnected_client_does_not_start(self) -> None:
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
