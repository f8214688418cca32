"""
Tests for L{twisted_quotes.web.http.output_limiter}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.errors import TooBusy, TooManyRequests
from twisted_quotes.web.http.output_limiter import (
    SMALL_RESPONSE,
    OutputLimiter,
    OutputQuota,
)

from ..clients import FakeSocket, WebTestCase, get_request, query_request

PAGE = 8 * SMALL_RESPONSE


class OutputLimiterTests(SynchronousTestCase):
    def test_a_small_response_is_always_sent(self) -> None:
        limits = OutputLimiter(PAGE, 4)
        limits.unsent_bytes.add("a", PAGE)
        OutputQuota(limits, "a").check_size(SMALL_RESPONSE)
        with self.assertRaises(TooBusy):
            OutputQuota(limits, "b").check_size(SMALL_RESPONSE + 1)

    def test_a_client_may_use_three_quarters(self) -> None:
        limits = OutputLimiter(4 * PAGE, 4)
        limits.unsent_bytes.add("a", 3 * PAGE)
        with self.assertRaises(TooManyRequests):
            OutputQuota(limits, "a").check_size(PAGE)
        OutputQuota(limits, "b").check_size(PAGE)
        limits.unsent_bytes.add("b", PAGE)
        with self.assertRaises(TooBusy):
            OutputQuota(limits, "b").check_size(PAGE)

    def test_clients_that_cannot_be_told_apart_may_use_all(self) -> None:
        limits = OutputLimiter(4 * PAGE, 4)
        limits.unsent_bytes.add(None, 3 * PAGE)
        OutputQuota(limits, None).check_size(PAGE)

    def test_a_single_response_may_exceed_the_limit(self) -> None:
        """It could never be sent otherwise."""
        limits = OutputLimiter(PAGE, 4)
        OutputQuota(limits, "a").check_size(2 * PAGE)
        limits.unsent_bytes.add("b", 1)
        with self.assertRaises(TooManyRequests):
            OutputQuota(limits, "a").check_size(2 * PAGE)

    def test_bytes_that_were_read_do_not_count(self) -> None:
        limits = OutputLimiter(PAGE, 4)
        limits.unsent_bytes.add(None, PAGE)
        limits.unsent_bytes.add(None, -PAGE)
        OutputQuota(limits, None).check_size(PAGE)
        self.assertEqual(limits.unsent_bytes.total, 0)

    def test_a_reserved_response_counts_until_it_is_sent(self) -> None:
        limits = OutputLimiter(PAGE, 4)
        with self.assertRaises(ZeroDivisionError), OutputQuota(limits, "a").reserve(9):
            self.assertEqual(limits.unsent_bytes.total, 9)
            raise ZeroDivisionError()
        self.assertEqual(limits.unsent_bytes.total, 0)

    def test_streams_are_counted(self) -> None:
        limits = OutputLimiter(PAGE, 4)
        streams = [OutputQuota(limits, "a") for _ in range(4)]
        for each in streams[:3]:
            each.start_stream()
        with self.assertRaises(TooManyRequests):
            streams[3].start_stream()
        other = OutputQuota(limits, None)
        other.start_stream()
        with self.assertRaises(TooBusy):
            OutputQuota(limits, "b").start_stream()
        for each in [*streams, *streams, other]:
            each.end_stream()
        self.assertEqual(limits.streams.total, 0)


class SlowClientTests(WebTestCase):
    """Tests of clients that do not read, with the whole service."""

    def setUp(self) -> None:
        super().setUp()
        (self.folder / "long").write_text("love\n" * 20_000)
        (self.folder / "longer").write_text("love\n" * 1_000_000)
        self.web = self.make_web(max_unsent=1_000_000)

    def connect_stalled(self, host: str, request: bytes) -> FakeSocket:
        """Connect a client that sends a request and does not read."""
        client = self.web.connect(host)
        client.stalled = True
        client.send(request)
        for process in self.web.running_processes():
            process.print(b"1000000\n")
            process.end()
        client.deliver()
        return client

    def read_status(self, client: FakeSocket) -> int:
        """Read the response, and return its status."""
        client.stalled = False
        client.deliver()
        return client.responses()[0].code

    def unsent_bytes(self) -> float:
        return self.web.site.output_limiter.unsent_bytes.total

    def test_buffered_bytes_are_limited(self) -> None:
        """Above the limit, a large response is a 429, or for another client a 503."""
        page = get_request("/api/v2/quotes?dictionary=long")
        clients = [self.connect_stalled("192.0.2.1", page) for _ in range(6)]
        self.assertLessEqual(self.unsent_bytes(), 1_000_000)
        others = [self.connect_stalled("192.0.2.2", page) for _ in range(3)]
        self.assertLessEqual(self.unsent_bytes(), 1_000_000)
        self.assertEqual(
            [self.read_status(each) for each in clients], [200] * 3 + [429] * 3
        )
        self.assertEqual([self.read_status(each) for each in others], [200, 503, 503])
        self.assertEqual(self.unsent_bytes(), 0)

    def test_a_small_response_does_not_wait_for_slow_clients(self) -> None:
        page = get_request("/api/v2/quotes?dictionary=long")
        for host in range(9):
            self.connect_stalled(f"192.0.2.{host}", page)
        client = self.web.connect()
        client.send(get_request("/livez"))
        self.assertEqual(client.responses()[0].code, 200)

    def test_a_stream_counts_until_it_is_read_or_its_client_disconnects(self) -> None:
        stream = query_request({"action": "all", "dictionary": "longer"})
        reader, leaver = (self.connect_stalled("192.0.2.1", stream) for _ in range(2))
        self.assertEqual(self.web.site.output_limiter.streams.total, 2)
        leaver.disconnect()
        self.assertEqual(self.web.site.output_limiter.streams.total, 1)
        self.assertEqual(self.read_status(reader), 200)
        self.assertEqual(self.web.site.output_limiter.streams.total, 0)
        self.assertEqual(self.unsent_bytes(), 0)

    def test_a_stream_above_the_limit_is_refused(self) -> None:
        page = get_request("/api/v2/quotes?dictionary=long")
        for host in range(9):
            self.connect_stalled(f"192.0.2.{host}", page)
        stream = query_request({"action": "all", "dictionary": "longer"})
        client = self.connect_stalled("192.0.2.10", stream)
        self.assertEqual(self.read_status(client), 503)
        self.assertEqual(client.responses()[0].header("retry-after"), "1")
