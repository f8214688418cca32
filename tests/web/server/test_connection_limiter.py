"""
Tests for L{twisted_quotes.web.server.connection_limiter}.
"""

from __future__ import annotations

from ..clients import CLIENT, FakeSocket, WebTestCase, get_request, query_request

OTHER_CLIENT = "192.0.2.2"


class ConnectionLimiterTests(WebTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.web = self.make_web(max_connections=4, running=10)

    def connect_and_get_status(self, host: str = CLIENT) -> int | None:
        """Connect, and return the status of the refusal; L{None} if there is none."""
        client = self.web.connect(host)
        client.deliver()
        if not client.received:
            return None
        [response] = client.responses()
        self.assertTrue(response.closes_connection)
        self.assertEqual(response.header("retry-after"), "1")
        return response.code

    def assert_accepted(self, host: str = OTHER_CLIENT) -> FakeSocket:
        client = self.web.connect(host)
        client.send(get_request())
        self.assertEqual(client.codes, [200])
        return client

    def test_a_single_client_may_use_all_connections(self) -> None:
        self.assertEqual(
            [self.connect_and_get_status() for _ in range(5)], [None] * 4 + [503]
        )

    def test_the_longest_idle_connection_is_evicted(self) -> None:
        """It is closed without a response."""
        clients = [self.assert_accepted(CLIENT) for _ in range(4)]
        self.web.reactor.advance(1)
        clients[0].send(get_request())
        self.assert_accepted()
        for client in clients:
            client.deliver()
        closed = [each.disconnected for each in clients]
        self.assertEqual(sum(map(bool, closed)), 1)
        self.assertFalse(closed[0])

    def test_a_new_connection_is_evicted_with_a_response(self) -> None:
        """Its first request may be on its way."""
        clients = [self.web.connect() for _ in range(4)]
        self.assert_accepted()
        for client in clients:
            client.send(get_request())
            client.deliver()
        self.assertCountEqual(
            [each.codes for each in clients], [[429], [200], [200], [200]]
        )

    def test_an_incomplete_request_is_evicted_if_no_connection_is_idle(self) -> None:
        clients = [self.web.connect() for _ in range(4)]
        for client in clients[:3]:
            client.send(query_request())
        clients[3].send(get_request()[:9])
        self.assert_accepted()
        clients[3].deliver()
        self.assertEqual(clients[3].codes, [429])

    def test_an_unread_response_is_evicted_if_no_request_is_incomplete(self) -> None:
        (self.folder / "long").write_text("love\n" * 40_000)
        clients = [self.web.connect() for _ in range(4)]
        for client in clients[:3]:
            client.send(query_request())
        clients[3].stalled = True
        clients[3].send(get_request("/api/v2/quotes?dictionary=long"))
        self.assert_accepted()
        self.web.reactor.advance(0)
        self.assertTrue(clients[3].disconnected)
        self.assertTrue(clients[3].aborted)

    def test_a_pending_response_is_not_evicted(self) -> None:
        for _ in range(4):
            self.web.connect().send(query_request())
        self.assertEqual(self.connect_and_get_status(OTHER_CLIENT), 503)

    def test_a_client_with_its_share_gets_a_429(self) -> None:
        for host in (CLIENT, CLIENT, OTHER_CLIENT, OTHER_CLIENT):
            self.web.connect(host)
        self.assertEqual(self.connect_and_get_status(), 429)
        self.assertEqual(self.connect_and_get_status(OTHER_CLIENT), 429)
        self.assertIsNone(self.connect_and_get_status("192.0.2.3"))

    def test_connections_are_shared_evenly(self) -> None:
        for _ in range(4):
            self.web.connect()
        self.assertEqual(
            [self.connect_and_get_status(OTHER_CLIENT) for _ in range(3)],
            [None, None, 429],
        )

    def test_an_evicted_connection_is_released_once(self) -> None:
        clients = [self.web.connect() for _ in range(4)]
        others = [self.assert_accepted() for _ in range(2)]
        for client in [*clients, *others]:
            client.disconnect()
        self.assertEqual(
            [self.connect_and_get_status() for _ in range(5)], [None] * 4 + [503]
        )

    def test_too_many_refused_connections_are_closed_at_once(self) -> None:
        """Each of them uses a file descriptor."""
        self.web = self.make_web(max_connections=1, max_refused=2)
        self.web.connect()
        refused = [self.web.connect() for _ in range(4)]
        for client in refused:
            client.deliver()
            self.assertEqual(client.codes, [503])
        closed = [bool(each.disconnected) for each in refused]
        self.assertEqual(closed, [False, False, True, True])

    def test_evicted_connections_count_as_lingering(self) -> None:
        """Each of them uses a file descriptor until it is closed."""
        for sent in (get_request()[:9], b"BAD\r\n\r\n"):
            self.web = self.make_web(max_connections=10, max_refused=2)
            clients = []
            for host in range(1, 6):
                for _ in range(10):
                    client = self.web.connect(f"192.0.2.{host}")
                    clients.append(client)
                    if client in self.web.reactor.getReaders():
                        client.send(sent)
            for client in clients:
                client.deliver()
            self.assertLessEqual(sum(not each.disconnected for each in clients), 13)

    def test_a_connection_that_waits_for_its_client_to_close_does_not_count(
        self,
    ) -> None:
        """So a client that closes late can connect again at once."""
        last_request = get_request().replace(
            b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"
        )
        for max_refused, expected in ((1, None), (0, 429)):
            self.web = self.make_web(max_connections=4, max_refused=max_refused)
            for host in range(10, 13):
                self.web.connect(f"192.0.2.{host}")
            finished = self.web.connect(CLIENT)
            finished.send(last_request)
            finished.deliver()
            self.assertEqual((finished.codes, finished.disconnected), ([200], 0))
            self.assertEqual(self.connect_and_get_status(), expected)

    def test_a_client_behind_a_proxy_is_known_after_the_proxy_header(self) -> None:
        client, *_ = [self.web.connect() for _ in range(4)]
        client.host = OTHER_CLIENT
        client.send(get_request())
        self.assertEqual(client.codes, [200])
        self.assertEqual(client.protocol.client_key, OTHER_CLIENT)
        # The client has one of the four connections, the proxy three.
        self.assertEqual(
            [self.connect_and_get_status(OTHER_CLIENT) for _ in range(2)], [None, 429]
        )
