"""
Tests for L{twisted_quotes.web.server.connection} and the channels below it.
"""

from __future__ import annotations

from io import StringIO

from twisted.internet import tcp
from twisted.internet.testing import StringTransport, StringTransportWithDisconnection
from twisted.web.http_headers import _nameEncoder

from twisted_quotes.web.server.refusal import MAX_HEADER_NAME_LENGTH

from ..clients import (
    HOST,
    FakeSocket,
    WebTestCase,
    captured_events,
    get_request,
    query_request,
    read_responses,
    request_events,
)

HEAD = f"GET / HTTP/1.1\r\nHost: {HOST}\r\n".encode()
POST = f"POST /api/v1/json HTTP/1.1\r\nHost: {HOST}\r\n".encode()


class RefusalTests(WebTestCase):
    def assert_refused(self, sent: bytes, code: int, *words: str) -> None:
        """Assert that the input gets one error response, and the connection closes."""
        client = self.web.connect()
        client.send(sent)
        [response] = client.responses()
        if HOST not in response.message:
            # Without a Host header, the link has the address of the socket.
            self.assertTrue(
                response.message.endswith(" http://127.0.0.1:8000/api/v1/web")
            )
        self.assertEqual(
            (response.code, response.json["Code"]), (code, code), sent[:100]
        )
        self.assertEqual(response.header("content-type"), "application/json")
        for word in words:
            self.assertIn(word, response.message)
        self.assertTrue(response.closes_connection)
        self.assertTrue(client.half_closed)
        client.send(get_request())
        self.assertEqual(len(client.responses()), 1)
        self.assertEqual(self.web.reactor.processes, [])

    def test_malformed_http_is_a_400(self) -> None:
        """The message says what is malformed, and what is right."""
        for problem, requests in {
            "request line is malformed. It must be a method": (
                b"hello\r\n",
                b"\r\n\r\n",
                b"GET / HTTP/1.1 x\r\n",
                b"GET /\r\n",
                b"GET /\xff HTTP/1.1\r\n",
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            ),
            "a header has no colon": (
                HEAD + b"no colon\r\n\r\n",
                b"GET / HTTP/1.1\r\nno colon\r\nHost: a\r\n\r\n",
            ),
            "name of a header has a character that is not allowed": (
                HEAD + b"bad name: x\r\n\r\n",
                HEAD + b"name : x\r\nnext: y\r\n\r\n",
                HEAD + b": x\r\n\r\n",
            ),
            "value of a header has a NUL": (
                HEAD + b"name: \0\r\n\r\n",
                HEAD + b"name: a\rb\r\n\r\n",
            ),
        }.items():
            for sent in requests:
                self.assert_refused(sent, 400, "not valid HTTP: ", problem)

    def test_one_empty_line_before_a_request_is_ignored(self) -> None:
        """Some clients send one after a body (RFC 9112, section 2.2)."""
        client = self.web.connect()
        client.send(b"\r\n" + get_request() + b"\r\n" + get_request())
        client.deliver()
        client.send(b"\r\n" + get_request())
        client.deliver()
        self.assertEqual(client.codes, [200, 200, 200])

    def test_a_header_with_a_long_name_is_a_431(self) -> None:
        """Twisted caches header names for good."""
        known = _nameEncoder._canonicalHeaderCache
        for rest in (b": y\r\n\r\n", b": y\r\nX: y\r\n\r\n", b":\r\n y\r\n\r\n"):
            name = b"X" * (MAX_HEADER_NAME_LENGTH + 1)
            self.assert_refused(HEAD + name + rest, 431, "too long")
            self.assertNotIn(name, known)
        client = self.web.connect()
        client.send(HEAD + b"X" * MAX_HEADER_NAME_LENGTH + b": y\r\n\r\n")
        self.assertEqual(client.codes, [200])

    def test_every_status_has_its_reason_phrase(self) -> None:
        for sent, line in (
            (HEAD + b"X" * 200 + b":\r\n\r\n", b"431 Request Header Fields Too Large"),
            (
                HEAD + b"X:" + b"y" * 16384 + b"\r\n",
                b"431 Request Header Fields Too Large",
            ),
            (HEAD + b"no colon\r\n\r\n", b"400 Bad Request"),
        ):
            client = self.web.connect()
            client.send(sent)
            self.assertEqual(client.received.split(b"\r\n")[0], b"HTTP/1.1 " + line)

    def test_an_unclear_body_length_is_a_400(self) -> None:
        for problem, all_headers in {
            "Content-Length is not a number of bytes in decimal digits": (
                b"Content-Length: x\r\n",
                b"Content-Length: -1\r\n",
                b"Content-Length: +1\r\n",
                b"Content-Length: 1, 1\r\n",
                b"Content-Length: " + b"9" * 5000 + b"\r\n",
                b"Content-Length: " + b"0" * 5000 + b"\r\n",
            ),
            "Transfer-Encoding is not supported. It must be chunked": (
                b"Transfer-Encoding: gzip\r\n",
                b"Transfer-Encoding: identity\r\n",
                b"Transfer-Encoding: Identity\r\nContent-Length: 1\r\n",
                b"Transfer-Encoding: chunked, identity\r\n",
                b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
            ),
            "length of the body is ambiguous": (
                b"Content-Length: 1\r\nContent-Length: 1\r\n",
                b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
                b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            ),
        }.items():
            for headers in all_headers:
                self.assert_refused(POST + headers + b"\r\n", 400, problem)

    def test_too_many_chunks_are_a_400(self) -> None:
        head = POST + b"Transfer-Encoding: chunked\r\n\r\n"
        self.assert_refused(head + b"1\r\n \r\n" * 10_000, 400, "chunks")
        client = self.web.connect()
        body = query_request()[query_request().index(b"{") :]
        chunks = b"".join(b"1\r\n%c\r\n" % each for each in body)
        client.send(head + chunks + b"0\r\n\r\n")
        self.assertEqual(len(self.web.running_processes()), 1)

    def test_malformed_chunks_are_a_400(self) -> None:
        chunked = POST + b"Transfer-Encoding: chunked\r\n\r\n"
        for body in (b"zz\r\n", b"1\r\nxx\r\n", b"f" * 5000 + b"\r\n"):
            self.assert_refused(chunked + body, 400, "chunk of the body is malformed")

    def test_a_long_request_line_is_a_414_and_long_headers_are_a_431(self) -> None:
        """Even if the line is incomplete. The headers count together, too."""
        for sent, code, words in (
            (b"GET /" + b"x" * 20000, 414, "request line"),
            (b"GET /" + b"x" * 20000 + b" HTTP/1.1\r\n", 414, "request line"),
            (HEAD + b"x: " + b"x" * 20000, 431, "too long"),
            (HEAD + (b"x: " + b"x" * 1000 + b"\r\n") * 20, 431, "too long"),
            (HEAD + b"x: y\r\n" * 600, 431, "too many"),
        ):
            self.assert_refused(sent, code, words)

    def test_a_long_request_line_after_a_request_is_a_414(self) -> None:
        client = self.web.connect()
        client.send(get_request() + b"GET /" + b"x" * 20000)
        self.assertEqual(client.codes, [200, 414])

    def test_too_many_connections_are_a_503(self) -> None:
        self.web = self.make_web(max_connections=1)
        first, second = self.web.connect(), self.web.connect()
        second.deliver()
        [response] = second.responses()
        self.assertEqual((response.code, response.json["Code"]), (503, 503))
        self.assertEqual(response.header("retry-after"), "1")
        self.assertTrue(response.closes_connection)
        self.assertTrue(second.half_closed)
        first.send(get_request())
        self.assertEqual(first.codes, [200])

    def test_refused_connections_do_not_count(self) -> None:
        self.web = self.make_web(max_connections=1)
        first = self.web.connect()
        refused = [self.web.connect() for _ in range(3)]
        first.disconnect()
        client = self.web.connect()
        client.send(get_request())
        self.assertEqual(client.codes, [200])
        self.assertEqual([each.disconnected for each in refused], [False] * 3)

    def test_a_lost_connection_does_not_count(self) -> None:
        self.web = self.make_web(max_connections=1)
        self.web.connect().disconnect()
        client = self.web.connect()
        client.send(get_request())
        self.assertEqual(client.codes, [200])

    def test_the_log_has_the_parsed_part_of_a_refused_request(self) -> None:
        for sent, method, uri in (
            (HEAD + b"no colon\r\n\r\n", "GET", "/"),
            (b"hello\r\n", "-", "-"),
            (b"GET /" + b"x" * 20000, "-", "-"),
        ):
            with captured_events() as events:
                self.web.connect().send(sent)
            [event] = request_events(events)
            self.assertEqual((event["method"], event["uri"]), (method, uri))

    def test_a_refused_head_request_gets_no_body(self) -> None:
        response = self.exchange(
            HEAD.replace(b"GET", b"HEAD") + b"no colon\r\n\r\n", "HEAD"
        )
        self.assertEqual((response.code, response.body), (400, b""))


class KeepAliveTests(WebTestCase):
    def test_a_connection_is_kept_open(self) -> None:
        client = self.web.connect()
        for count in (1, 2, 3):
            client.send(get_request())
            self.assertEqual(client.codes, [200] * count)
        self.assertFalse(client.half_closed)

    def test_pipelined_requests_are_answered_in_order(self) -> None:
        client = self.web.connect()
        client.send(query_request() + get_request("/x") + get_request())
        self.assertEqual(client.responses(), [])
        self.web.running_processes()[0].end()
        client.deliver()
        self.assertEqual(client.codes, [200, 404, 200])

    def test_a_client_can_request_to_close(self) -> None:
        client = self.web.connect()
        client.send(get_request(headers="Connection: close\r\n"))
        [response] = client.responses()
        self.assertTrue(response.closes_connection)
        self.assertTrue(client.half_closed)

    def test_close_may_be_anywhere_in_the_connection_header(self) -> None:
        for headers in (
            "Connection: close, TE\r\n",
            "Connection: TE,close\r\n",
            "Connection: keep-alive , CLOSE\r\n",
            "Connection: TE\r\nConnection: close\r\n",
        ):
            client = self.web.connect()
            client.send(get_request(headers=headers))
            self.assertTrue(client.responses()[0].closes_connection, headers)
            self.assertTrue(client.half_closed, headers)

    def test_other_tokens_do_not_close(self) -> None:
        for headers in ("Connection: keep-alive, TE\r\n", "Connection: closed\r\n"):
            client = self.web.connect()
            client.send(get_request(headers=headers))
            self.assertFalse(client.responses()[0].closes_connection, headers)
            self.assertFalse(client.half_closed, headers)

    def test_http_1_0_is_never_kept_open(
        self,
    ) -> None:
        for headers in (b"", b"Connection: keep-alive\r\n"):
            client = self.web.connect()
            client.send(
                b"GET /static/style.css HTTP/1.0\r\nHost: a\r\n%b\r\n" % headers
            )
            [response] = client.responses()
            self.assertEqual(response.code, 200)
            self.assertTrue(response.closes_connection)
            self.assertTrue(client.half_closed)

    def test_an_idle_connection_is_closed_after_the_idle_timeout(self) -> None:
        client = self.web.connect()
        client.send(get_request())
        self.web.reactor.advance(59)
        client.deliver()
        self.assertFalse(client.half_closed)
        self.web.reactor.advance(1)
        client.deliver()
        self.assertTrue(client.half_closed)
        self.web.reactor.advance(2)
        self.assertTrue(client.disconnected)

    def test_a_client_that_waits_for_its_response_is_not_idle(self) -> None:
        self.web = self.make_web(time_limit=1000)
        client = self.web.connect()
        client.send(query_request())
        self.web.reactor.advance(500)
        client.deliver()
        self.web.running_processes()[0].end()
        client.deliver()
        self.assertEqual(client.codes, [200])


class ClosingTests(WebTestCase):
    def closing_request(self) -> bytes:
        return get_request(headers="Connection: close\r\n")

    def test_a_connection_is_closed_for_writing_first(self) -> None:
        client = self.web.connect()
        client.send(self.closing_request())
        self.assertTrue(client.half_closed)
        self.assertFalse(client.disconnected)
        client.send(b"something late")
        self.assertEqual(len(client.responses()), 1)

    def test_it_is_closed_when_the_client_closes(self) -> None:
        client = self.web.connect()
        client.send(self.closing_request())
        client.half_close()
        self.assertTrue(client.disconnected)
        self.assertFalse(client.aborted)

    def test_it_is_closed_after_the_linger_timeout(self) -> None:
        client = self.web.connect()
        client.send(self.closing_request())
        self.web.reactor.advance(1.9)
        client.send(b"something late")
        self.assertFalse(client.disconnected)
        self.web.reactor.advance(0.2)
        self.assertTrue(client.disconnected)
        self.assertFalse(client.aborted)

    def test_it_is_not_closed_before_everything_is_sent(self) -> None:
        client = self.web.connect()
        client.stalled = True
        client.send(self.closing_request())
        self.web.reactor.advance(30)
        self.assertFalse(client.half_closed)
        self.assertFalse(client.disconnected)
        client.stalled = False
        client.deliver()
        self.assertTrue(client.half_closed)
        self.assertEqual(client.codes, [200])

    def test_a_client_that_does_not_read_is_aborted(self) -> None:
        for request in (get_request(), self.closing_request()):
            client = self.web.connect()
            client.stalled = True
            client.send(request)
            self.web.reactor.pump([1] * 59)
            self.assertFalse(client.aborted)
            self.web.reactor.pump([1] * 3)
            self.assertTrue(client.aborted)

    def test_a_client_that_reads_slowly_gets_everything(self) -> None:
        (self.folder / "long").write_text("love\n" * 40_000)
        for headers in ("", "Connection: close\r\n"):
            client = self.web.connect()
            client.stalled = True
            client.send(get_request("/api/v2/quotes?dictionary=long", headers=headers))
            self.assertGreater(client.buffered, 100_000)
            while client.buffered:
                self.web.reactor.pump([1] * 40)
                self.assertFalse(client.aborted)
                client.read_at_most(20_000)
            [response] = client.responses()
            self.assertEqual(response.json["total"], 1)
            self.web.reactor.pump([1] * 63)
            client.stalled = False
            client.deliver()
            self.web.reactor.pump([1] * 3)
            self.assertTrue(client.disconnected)

    def test_aborting_discards_unsent_data(self) -> None:
        client = self.web.connect()
        client.stalled = True
        client.send(get_request())
        self.web.site.abort_connections()
        self.web.reactor.advance(0)
        self.assertTrue(client.aborted)
        self.assertTrue(client.disconnected)

    def test_aborting_after_everything_is_sent_does_not_reset(self) -> None:
        client = self.web.connect()
        client.send(self.closing_request())
        self.web.site.abort_connections()
        self.web.reactor.advance(0)
        self.assertTrue(client.disconnected)
        self.assertFalse(client.aborted)

    def test_a_client_that_closes_during_a_request_is_disconnected(self) -> None:
        client = self.web.connect()
        client.send(HEAD)
        client.half_close()
        self.web.reactor.advance(0)
        self.assertTrue(client.disconnected)

    def test_closed_fires_when_the_connection_is_lost(self) -> None:
        protocol = self.web.build_protocol()
        transport = StringTransportWithDisconnection()
        transport.protocol = protocol
        protocol.makeConnection(transport)
        self.assertNoResult(protocol.closed)
        protocol.dataReceived(self.closing_request())
        self.assertIsNone(self.successResultOf(protocol.closed))

    def test_a_lost_connection_lets_twisted_accept_without_free_descriptors(
        self,
    ) -> None:
        """Twisted loses its reserved descriptor if a thread opens a file meanwhile."""
        reserved_file = StringIO()
        reservation = tcp._FileDescriptorReservation(lambda: reserved_file)
        self.patch(tcp, "_reservedFD", reservation)
        client = self.web.connect()
        self.assertFalse(reservation.available())
        client.disconnect()
        self.assertTrue(reservation.available())

    def test_a_wrapped_connection_does_its_own_closing(self) -> None:
        """TLS has a closing handshake."""
        protocol = self.web.build_protocol()
        transport = StringTransport()
        protocol.makeConnection(transport)
        protocol.dataReceived(self.closing_request())
        self.assertTrue(transport.disconnecting)
        self.assertIsNone(transport.producer)
        [response] = read_responses(transport.value())
        self.assertTrue(response.closes_connection)

    def test_a_wrapped_connection_ignores_data_after_its_last_request(self) -> None:
        protocol = self.web.build_protocol()
        transport = StringTransport()
        protocol.makeConnection(transport)
        protocol.dataReceived(self.closing_request() + get_request())
        protocol.dataReceived(get_request())
        self.assertEqual(len(read_responses(transport.value())), 1)

    def test_a_wrapped_connection_is_closed_after_the_linger_timeout(self) -> None:
        """Without a closing handshake."""
        for sent in (self.closing_request(), b""):
            protocol = self.web.build_protocol()
            below = FakeSocket(self.web.reactor, protocol)
            protocol.transport = wrapped = StringTransport()  # type: ignore[assignment]
            wrapped.transport = below  # type: ignore[attr-defined]
            self.web.reactor.advance(1)
            if sent:
                protocol.dataReceived(sent)
            else:
                protocol.close()
            self.assertTrue(wrapped.disconnecting)
            self.web.reactor.advance(1.9)
            self.assertFalse(below.disconnecting)
            self.web.reactor.advance(0.2)
            self.assertTrue(below.disconnecting)


class RequestTimeoutTests(WebTestCase):
    def send_slowly(self, client: FakeSocket, data: bytes) -> None:
        """Send a byte every half a second until the connection closes."""
        for byte in data:
            if client.half_closed:
                break
            client.send(bytes([byte]))
            self.web.reactor.advance(0.5)
        client.deliver()

    def test_a_request_that_arrives_too_slowly_is_a_408(self) -> None:
        for begun in (b"", HEAD, POST + b"Content-Length: 999\r\n\r\n"):
            client = self.web.connect()
            if begun:
                client.send(begun)
            self.send_slowly(client, b"x" * 100)
            [response] = client.responses()
            self.assertEqual((response.code, response.closes_connection), (408, True))
            self.assertIn("10 seconds", response.message)
            self.web.reactor.advance(2)
            self.assertTrue(client.disconnected)

    def test_the_timeout_counts_from_the_first_byte_of_a_request(self) -> None:
        client = self.web.connect()
        for _ in range(3):
            self.web.reactor.advance(9)
            sent = get_request()
            client.send(sent[:20])
            self.web.reactor.advance(9)
            client.send(sent[20:])
        self.assertEqual(client.codes, [200, 200, 200])

    def test_data_that_arrived_while_the_service_was_blocked_is_in_time(self) -> None:
        for seconds, partial_request in ((10, get_request()[:20]), (60, b"")):
            client = self.web.connect()
            if partial_request:
                client.send(partial_request)
            rest = get_request()[len(partial_request) :]
            self.web.reactor.callLater(seconds, client.send, rest)
            self.web.reactor.advance(seconds)
            client.deliver()
            self.assertEqual(client.codes, [200])

    def test_the_timeout_of_the_next_request_starts_after_the_response(self) -> None:
        client = self.web.connect()
        client.send(query_request() + HEAD)
        self.web.reactor.advance(9)
        self.web.running_processes()[0].end()
        client.deliver()
        self.web.reactor.advance(9)
        client.deliver()
        self.assertEqual(client.codes, [200])
        self.web.reactor.advance(1)
        client.deliver()
        self.assertEqual(client.codes, [200, 408])

    def test_a_late_request_is_logged(self) -> None:
        client = self.web.connect()
        with captured_events() as events:
            client.send(HEAD)
            self.web.reactor.advance(10)
        [event] = request_events(events)
        self.assertEqual((event["code"], event["uri"]), (408, "/"))

    def test_a_lost_connection_leaves_no_delayed_calls(self) -> None:
        for sent in (
            b"",
            b"x",
            HEAD,
            get_request(),
            query_request(),
            get_request() + get_request(),
        ):
            client = self.web.connect()
            if sent:
                client.protocol.dataReceived(sent)
            client.disconnect()
        self.web.end_processes()
        self.assertEqual(self.web.reactor.getDelayedCalls(), [])


class PipeliningTests(WebTestCase):
    def test_others_have_their_turn_between_pipelined_requests(self) -> None:
        client, other = self.web.connect(), self.web.connect()
        client.protocol.dataReceived(get_request() * 50)
        other.send(get_request())
        self.assertEqual(other.codes, [200])
        client.deliver()
        self.assertEqual(client.codes, [200] * 50)

    def test_requests_after_bodies_are_answered(self) -> None:
        client = self.web.connect()
        client.send(
            query_request(b"{}") + get_request() + query_request(b"[]") + get_request()
        )
        self.assertEqual(client.codes, [400, 200, 400, 200])

    def test_a_disconnect_between_pipelined_requests_is_no_error(self) -> None:
        client = self.web.connect()
        with captured_events() as events:
            client.protocol.dataReceived(get_request() * 3)
            client.disconnect()
            self.web.reactor.advance(0)
        self.assertEqual([e["code"] for e in request_events(events)], [200])
        self.assertEqual(self.flushLoggedErrors(), [])


class BackPressureTests(WebTestCase):
    PAGE = get_request("/api/v1/web")

    def setUp(self) -> None:
        super().setUp()
        self.render_instructions()

    def is_read(self, client: FakeSocket) -> bool:
        return client in self.web.reactor.getReaders()

    def connect_stalled(self) -> FakeSocket:
        """Connect a client that does not read, and pipelines many requests."""
        client = self.web.connect()
        client.stalled = True
        client.send(self.PAGE * 40)
        self.assertGreater(client.buffered, client.bufferSize)
        return client

    def test_no_request_starts_while_responses_are_unread(self) -> None:
        client = self.connect_stalled()
        self.assertLess(client.buffered, 2 * client.bufferSize)
        self.assertFalse(self.is_read(client))

    def test_the_rest_is_answered_when_the_client_reads(self) -> None:
        client = self.connect_stalled()
        client.stalled = False
        client.deliver()
        self.assertEqual(client.codes, [200] * 40)
        self.assertTrue(self.is_read(client))
        client.send(get_request())
        self.assertEqual(len(client.responses()), 41)

    def test_input_during_a_response_is_limited(self) -> None:
        for pages in (0, 40):
            client = self.web.connect()
            client.stalled = True
            client.send(self.PAGE * pages + query_request())
            sent = 0
            while self.is_read(client) and sent < 100:
                client.send(b"x" * 8192)
                sent += 1
            self.assertLess(sent, 5)
            client.disconnect()

    def test_a_slow_client_is_not_read_between_requests(self) -> None:
        client = self.web.connect()
        client.stalled = True
        while self.is_read(client):
            client.send(self.PAGE)
        self.assertLess(client.buffered, 2 * client.bufferSize)
        client.stalled = False
        client.deliver()
        self.assertTrue(self.is_read(client))

    def test_a_disconnect_leaves_no_delayed_calls(self) -> None:
        client = self.connect_stalled()
        client.disconnect()
        self.web.reactor.advance(0)
        self.assertEqual(self.web.reactor.getDelayedCalls(), [])

    def test_pipelined_requests_are_answered_at_shutdown(self) -> None:
        client = self.connect_stalled()
        self.web.site.close()
        client.stalled = False
        client.deliver()
        self.assertEqual(client.codes, [200] * 40)
        self.assertTrue(client.responses()[-1].closes_connection)
