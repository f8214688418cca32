"""
Tests of the limits on answers that clients have not read.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.errors import TooBusy, TooManyRequests
from twisted_quotes.web.limits.output import SMALL_ANSWER, OutputLimits, RequestOutput

from ..clients import FakeSocket, WebTestCase, get, question

PAGE = 8 * SMALL_ANSWER


class LimitTests(SynchronousTestCase):
    """Tests of L{OutputLimits}."""

    def test_a_small_answer_is_always_sent(self) -> None:
        """The number of connections bounds those."""
        limits = OutputLimits(PAGE, 4)
        limits.add_unsent("a", PAGE)
        limits.check("a", SMALL_ANSWER)
        with self.assertRaises(TooBusy):
            limits.check("b", SMALL_ANSWER + 1)

    def test_a_quarter_is_kept_from_one_client(self) -> None:
        """Another client finds room where one has too much to read."""
        limits = OutputLimits(4 * PAGE, 4)
        limits.add_unsent("a", 3 * PAGE)
        with self.assertRaises(TooManyRequests):
            limits.check("a", PAGE)
        limits.check("b", PAGE)
        limits.add_unsent("b", PAGE)
        with self.assertRaises(TooBusy):
            limits.check("b", PAGE)

    def test_clients_that_cannot_be_told_apart_may_use_all(self) -> None:
        """Each of them might be another one."""
        limits = OutputLimits(4 * PAGE, 4)
        limits.add_unsent(None, 3 * PAGE)
        limits.check(None, PAGE)

    def test_what_is_alone_is_sent_however_long_it_is(self) -> None:
        """It would otherwise be refused for ever."""
        limits = OutputLimits(PAGE, 4)
        limits.check("a", 2 * PAGE)
        limits.add_unsent("b", 1)
        with self.assertRaises(TooManyRequests):
            limits.check("a", 2 * PAGE)

    def test_what_was_read_makes_room(self) -> None:
        """Only what is unread counts."""
        limits = OutputLimits(PAGE, 4)
        limits.add_unsent(None, PAGE)
        limits.add_unsent(None, -PAGE)
        limits.check(None, PAGE)
        self.assertEqual(limits.unsent, 0)

    def test_streams_are_counted(self) -> None:
        """Each holds files, however little it has buffered."""
        limits = OutputLimits(PAGE, 4)
        streams = [RequestOutput(limits, "a") for _ in range(4)]
        for each in streams[:3]:
            each.start_stream()
        with self.assertRaises(TooManyRequests):
            streams[3].start_stream()
        other = RequestOutput(limits, None)
        other.start_stream()
        with self.assertRaises(TooBusy):
            RequestOutput(limits, "b").start_stream()
        for each in [*streams, *streams, other]:
            each.end_stream()
        self.assertEqual(limits.streams, 0)


class SlowClientTests(WebTestCase):
    """Tests of clients that do not read, against the whole service."""

    def setUp(self) -> None:
        """Have long answers, and not much room for them."""
        super().setUp()
        (self.folder / "long").write_text("love\n" * 40_000)
        (self.folder / "longer").write_text("love\n" * 1_000_000)
        self.web = self.make_web(max_unsent=1_000_000)

    def stalled(self, host: str, request: bytes) -> FakeSocket:
        """A client that does not read."""
        client = self.web.connect(host)
        client.stalled = True
        client.send(request)
        for process in self.web.running():
            process.print(b"1000000\n")
            process.end()
        client.deliver()
        return client

    def code(self, client: FakeSocket) -> int:
        """The status that a client is answered with when it reads."""
        client.stalled = False
        client.deliver()
        return client.answers()[0].code

    def unsent(self) -> float:
        """How many bytes are buffered, as the metrics say."""
        return self.web.site.output.unsent

    def test_what_is_buffered_is_bounded(self) -> None:
        """Past the limit a large answer is a 429, or for another client a 503."""
        page = get("/api/v2/quotes?dictionary=long")
        clients = [self.stalled("192.0.2.1", page) for _ in range(6)]
        self.assertLessEqual(self.unsent(), 1_000_000)
        others = [self.stalled("192.0.2.2", page) for _ in range(3)]
        self.assertLessEqual(self.unsent(), 1_000_000)
        self.assertEqual([self.code(each) for each in clients], [200] * 3 + [429] * 3)
        self.assertEqual([self.code(each) for each in others], [200, 503, 503])
        self.assertEqual(self.unsent(), 0)

    def test_a_small_answer_is_sent_all_the_same(self) -> None:
        """Probes, errors and short answers do not wait for slow clients."""
        page = get("/api/v2/quotes?dictionary=long")
        for host in range(9):
            self.stalled(f"192.0.2.{host}", page)
        client = self.web.connect()
        client.send(get("/livez"))
        self.assertEqual(client.answers()[0].code, 200)

    def test_a_stream_counts_until_its_client_has_read_it(self) -> None:
        """Or has left."""
        stream = question({"action": "all", "dictionary": "longer"})
        reader, leaver = (self.stalled("192.0.2.1", stream) for _ in range(2))
        self.assertEqual(self.web.site.output.streams, 2)
        leaver.leave()
        self.assertEqual(self.web.site.output.streams, 1)
        self.assertEqual(self.code(reader), 200)
        self.assertEqual(self.web.site.output.streams, 0)
        self.assertEqual(self.unsent(), 0)

    def test_a_stream_that_finds_no_room_is_refused(self) -> None:
        """Before anything of it has been sent."""
        page = get("/api/v2/quotes?dictionary=long")
        for host in range(9):
            self.stalled(f"192.0.2.{host}", page)
        stream = question({"action": "all", "dictionary": "longer"})
        client = self.stalled("192.0.2.10", stream)
        self.assertEqual(self.code(client), 503)
        self.assertEqual(client.answers()[0].header("retry-after"), "1")
