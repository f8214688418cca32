"""
Tests for L{twisted_quotes.web.server.site}.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from re import findall
from socket import socketpair

from twisted.internet.address import UNIXAddress
from twisted.logger import LogLevel, formatEvent
from twisted.python.log import textFromEventDict

from twisted_quotes.web.server.channel import NEXT_REQUEST_TIMEOUT

from ..clients import (
    LOVE_QUERY,
    FakeSocket,
    WebTestCase,
    captured_events,
    get_request,
    query_request,
    request_events,
)

PARTIAL_HEAD = b"GET /static/style.css HTTP/1.1\r\nHo"
REST_OF_HEAD = b"st: quotes.test:8080\r\n\r\n"


class ShutdownTests(WebTestCase):
    def assert_closed_after_seconds(self, seconds: float, client: FakeSocket) -> None:
        self.web.reactor.advance(seconds)
        client.deliver()
        self.assertTrue(client.disconnected)
        self.assertEqual(len(self.web.outstanding), 0)

    def test_a_connection_that_was_just_used_stays_open_for_a_moment(self) -> None:
        """Its next request may be under way."""
        busy, quiet = self.web.connect(), self.web.connect()
        for client in (busy, quiet):
            client.send(get_request())
        self.web.site.close()
        self.web.reactor.advance(NEXT_REQUEST_TIMEOUT / 2)
        busy.send(get_request())
        self.assert_shutting_down(busy, response_count=2)
        self.assertFalse(quiet.disconnected)
        self.web.reactor.advance(NEXT_REQUEST_TIMEOUT / 2)
        quiet.deliver()
        self.assertTrue(quiet.disconnected)
        self.assertFalse(quiet.aborted)

    def test_draining_refuses_no_request(self) -> None:
        keep_alive, new, busy = (self.web.connect() for _ in range(3))
        keep_alive.send(get_request())
        busy.send(query_request())
        self.web.site.drain_connections()
        finished = self.web.outstanding.when_done()
        self.web.running_processes()[0].end()
        for client in (keep_alive, new):
            client.send(get_request())
        for client, answers in ((keep_alive, 2), (new, 1), (busy, 1)):
            client.deliver()
            self.assertEqual(client.codes, [200] * answers)
            self.assertTrue(client.responses()[-1].closes_connection)
            self.assertTrue(client.half_closed)
            self.assertNoResult(finished)
            client.half_close()
        self.successResultOf(finished)

    def test_requests_that_were_not_read_yet_get_responses(self) -> None:
        """The response before them does not announce the end of the connection."""
        for name in ("drain_connections", "close"):
            self.web = self.make_web()
            client = self.web.connect()
            kernel, peer = socketpair()
            with kernel, peer:
                client.fileno = kernel.fileno  # type: ignore[method-assign]
                client.send(query_request())
                peer.send(2 * get_request())
                getattr(self.web.site, name)()
                self.web.running_processes()[0].end()
                client.deliver()
                self.assertFalse(client.responses()[-1].closes_connection)
                client.send(kernel.recv(1000))
                self.assertEqual(client.codes, [200, 200, 200])
                self.assertTrue(client.responses()[-1].closes_connection)
                client.disconnect()

    def test_a_request_after_unread_ones_is_refused(self) -> None:
        client = self.web.connect()
        kernel, peer = socketpair()
        with kernel, peer:
            client.fileno = kernel.fileno  # type: ignore[method-assign]
            client.send(get_request())
            peer.send(get_request())
            self.web.site.close()
            client.send(kernel.recv(1000) + get_request())
            self.assert_shutting_down(client, response_count=3)
            client.disconnect()

    def test_an_unread_request_on_an_idle_connection_gets_a_response(self) -> None:
        client = self.web.connect()
        kernel, peer = socketpair()
        with kernel, peer:
            client.fileno = kernel.fileno  # type: ignore[method-assign]
            client.send(get_request())
            self.web.reactor.advance(2 * NEXT_REQUEST_TIMEOUT)
            peer.send(get_request())
            self.web.site.close()
            client.send(kernel.recv(1000))
            self.assertEqual(client.codes, [200, 200])
            client.half_close()
            self.assertEqual(len(self.web.outstanding), 0)

    def test_draining_closes_connections_without_requests(self) -> None:
        """Soon after a response, or after the request timeout without one."""
        idle, keep_alive, new = (self.web.connect() for _ in range(3))
        idle.send(get_request())
        self.web.reactor.advance(NEXT_REQUEST_TIMEOUT)
        keep_alive.send(get_request())
        limit = self.web.site.timeouts.request
        self.web.site.drain_connections()
        for client, seconds in (
            (idle, 0),
            (keep_alive, NEXT_REQUEST_TIMEOUT),
            (new, limit - 2 * NEXT_REQUEST_TIMEOUT),
        ):
            self.assertFalse(client.disconnected)
            self.web.reactor.pump([seconds, 0])
            client.deliver()
            self.assertTrue(client.disconnected)
            self.assertFalse(client.aborted)
        self.assertEqual(len(self.web.outstanding), 0)

    def test_draining_waits_for_half_a_request(self) -> None:
        keep_alive = self.web.connect()
        keep_alive.send(get_request())
        self.web.site.drain_connections()
        head, rest = get_request()[:9], get_request()[9:]
        keep_alive.send(head)
        self.web.reactor.advance(2 * NEXT_REQUEST_TIMEOUT)
        keep_alive.send(rest)
        self.assertEqual(keep_alive.codes, [200, 200])

    def test_closing_while_draining_refuses_the_next_request(self) -> None:
        keep_alive, new = self.web.connect(), self.web.connect()
        keep_alive.send(get_request())
        self.web.reactor.advance(NEXT_REQUEST_TIMEOUT / 2)
        self.web.site.drain_connections()
        self.web.site.close()
        keep_alive.send(get_request())
        self.assert_shutting_down(keep_alive, response_count=2)
        keep_alive.half_close()
        self.assert_closed_after_seconds(NEXT_REQUEST_TIMEOUT / 2, new)

    def test_data_after_the_last_request_does_not_delay_shutdown(self) -> None:
        for extra_bytes in (b"\r\n", b"GET / HT"):
            self.web = self.make_web()
            client = self.web.connect()
            client.send(query_request() + extra_bytes)
            self.web.site.close()
            self.web.running_processes()[0].end()
            client.deliver()
            self.assertEqual(client.codes, [200])
            self.assert_closed_after_seconds(NEXT_REQUEST_TIMEOUT, client)

    def test_a_connection_is_closed_when_a_long_response_is_read(self) -> None:
        (self.folder / "long").write_text("love\n" * 40_000)
        client = self.web.connect()
        client.stalled = True
        client.send(get_request("/api/v2/quotes?dictionary=long"))
        self.web.site.close()
        client.stalled = False
        client.deliver()
        self.assertEqual(client.codes, [200])
        self.assert_closed_after_seconds(NEXT_REQUEST_TIMEOUT, client)

    def assert_streams_to_the_end(self, end: Callable[[], None]) -> FakeSocket:
        """Start a stream, shut down, and read the stream."""
        (self.folder / "many").write_text("love\n" * 1_000_000)
        client = self.web.connect()
        client.stalled = True
        client.send(query_request({"action": "all", "dictionary": "many"}))
        [process] = self.web.running_processes()
        process.print(b"1000000\n")
        process.end()
        client.deliver()
        self.assertGreater(client.buffered, 0)
        end()
        client.stalled = False
        client.deliver()
        [response] = client.responses()
        self.assertEqual(response.json["nr of entries"], 1_000_000)
        self.assertFalse(response.closes_connection)
        return client

    def test_after_a_stream_the_next_request_is_refused(self) -> None:
        client = self.assert_streams_to_the_end(self.web.site.close)
        client.send(get_request())
        self.assert_shutting_down(client, response_count=2)

    def test_after_a_stream_draining_answers_the_next_request(
        self,
    ) -> None:
        client = self.assert_streams_to_the_end(self.web.site.drain_connections)
        client.send(get_request())
        self.assertEqual(client.codes, [200, 200])
        self.assertTrue(client.responses()[-1].closes_connection)

    def test_after_a_stream_an_idle_connection_is_closed(self) -> None:
        for name in ("close", "drain_connections"):
            self.web = self.make_web()
            client = self.assert_streams_to_the_end(getattr(self.web.site, name))
            self.assertFalse(client.disconnected)
            self.web.reactor.pump([NEXT_REQUEST_TIMEOUT / 5] * 5)
            self.assert_closed_after_seconds(NEXT_REQUEST_TIMEOUT / 5, client)

    def test_single_bytes_do_not_delay_shutdown(self) -> None:
        client = self.web.connect()
        self.web.site.close()
        for _ in range(4):
            client.send(b"G")
            self.web.reactor.advance(NEXT_REQUEST_TIMEOUT / 5)
        self.assertFalse(client.disconnected)
        self.assert_closed_after_seconds(NEXT_REQUEST_TIMEOUT / 5, client)

    def test_idle_connections_are_closed(self) -> None:
        keep_alive, new = self.web.connect(), self.web.connect()
        keep_alive.send(get_request())
        self.web.reactor.advance(NEXT_REQUEST_TIMEOUT)
        self.web.site.close()
        for client in (keep_alive, new):
            client.deliver()
            self.assertTrue(client.disconnected)
            self.assertFalse(client.aborted)
        self.assertEqual(len(self.web.outstanding), 0)

    def test_a_busy_connection_is_closed_after_its_response(self) -> None:
        client = self.web.connect()
        client.send(query_request())
        self.web.site.close()
        self.assertFalse(client.half_closed)
        [process] = self.web.running_processes()
        process.print(b"All is love.\n")
        process.end()
        client.deliver()
        [response] = client.responses()
        self.assertEqual(response.json["results"], ["All is love."])
        self.assertTrue(response.closes_connection)
        self.assertTrue(client.half_closed)

    def test_shutdown_waits_until_a_busy_connection_is_lost(self) -> None:
        client = self.web.connect()
        client.send(query_request())
        self.web.site.close()
        finished = self.web.outstanding.when_done()
        self.web.running_processes()[0].end()
        client.deliver()
        self.assertNoResult(finished)
        client.half_close()
        self.successResultOf(finished)

    def test_an_incomplete_body_is_read(self) -> None:
        client = self.web.connect()
        head, brace, rest = query_request().partition(b"{")
        client.send(head)
        self.web.site.close()
        client.send(brace + rest)
        self.web.running_processes()[0].end()
        client.deliver()
        [response] = client.responses()
        self.assertEqual(response.code, 200)
        self.assertTrue(response.closes_connection)

    def test_a_pipelined_request_is_answered(self) -> None:
        client = self.web.connect()
        client.send(query_request() + get_request())
        self.web.site.close()
        self.web.running_processes()[0].end()
        client.deliver()
        self.assertEqual(client.codes, [200, 200])
        self.assertEqual(
            [each.closes_connection for each in client.responses()], [False, True]
        )
        self.assertTrue(client.half_closed)

    def test_a_pipelined_search_is_answered(self) -> None:
        client = self.web.connect()
        client.send(query_request() + query_request())
        self.web.site.close()
        for _ in range(2):
            [process] = self.web.running_processes()
            process.end()
            client.deliver()
        self.assertEqual(client.codes, [200, 200])

    def test_a_late_request_behind_a_busy_one_is_refused(self) -> None:
        client = self.web.connect()
        client.send(query_request())
        self.web.site.close()
        client.send(get_request())
        self.web.running_processes()[0].end()
        client.deliver()
        self.assertEqual(client.responses()[0].code, 200)
        self.assert_shutting_down(client, response_count=2)

    def test_pipelined_requests_are_answered_before_a_late_one_is_refused(self) -> None:
        client = self.web.connect()
        client.send(query_request() + get_request())
        self.web.site.close()
        client.send(get_request())
        self.web.running_processes()[0].end()
        client.deliver()
        self.assertEqual(client.codes, [200, 200, 503])
        self.assert_shutting_down(client, response_count=3)

    def test_half_a_head_does_not_delay_shutdown(self) -> None:
        client = self.web.connect()
        client.send(PARTIAL_HEAD)
        self.web.site.close()
        self.assertEqual(len(self.web.outstanding), 0)
        self.assertFalse(client.disconnected)

    def test_a_head_that_is_completed_late_is_refused(self) -> None:
        """Shutdown waits until the client has the response."""
        client = self.web.connect()
        client.send(PARTIAL_HEAD)
        self.web.site.close()
        client.send(REST_OF_HEAD)
        self.assert_shutting_down(client)
        self.assertEqual(len(self.web.outstanding), 1)
        client.half_close()
        self.assertEqual(len(self.web.outstanding), 0)

    def test_a_refused_client_that_does_not_read_is_aborted(self) -> None:
        client = self.web.connect()
        client.send(PARTIAL_HEAD)
        self.web.site.close()
        client.stalled = True
        client.send(REST_OF_HEAD)
        self.web.reactor.pump([1] * 63)
        self.assertTrue(client.aborted)

    def test_a_late_search_starts_no_grep(self) -> None:
        client = self.web.connect()
        head, brace, rest = query_request().partition(b"Host")
        client.send(head)
        self.web.site.close()
        client.send(brace + rest)
        self.assert_shutting_down(client)
        self.assertEqual(self.web.reactor.processes, [])

    def test_a_late_connection_is_refused(self) -> None:
        self.web.site.close()
        client = self.web.connect()
        client.send(get_request())
        self.assert_shutting_down(client)

    def test_closing_twice_has_no_effect(self) -> None:
        client = self.web.connect()
        client.send(query_request())
        self.web.site.close()
        self.web.site.close()
        self.web.running_processes()[0].end()
        client.deliver()
        self.assertEqual(client.codes, [200])

    def test_incomplete_bodies_can_be_refused(self) -> None:
        slow, waiting = self.web.connect(), self.web.connect()
        slow.send(query_request()[:-1])
        waiting.send(query_request())
        self.web.site.close()
        self.web.site.refuse_incomplete()
        slow.deliver()
        self.assert_shutting_down(slow)
        self.assertEqual(waiting.responses(), [])
        self.web.running_processes()[0].end()
        waiting.deliver()
        self.assertEqual(waiting.codes, [200])

    def test_a_refused_body_is_refused_once(self) -> None:
        client = self.web.connect()
        client.send(query_request(b" " * 70000)[:500])
        self.web.site.close()
        self.web.site.refuse_incomplete()
        client.deliver()
        self.assertEqual(client.codes, [413])


class SiteTests(WebTestCase):
    def test_a_body_is_kept_in_memory(self) -> None:
        for length in (None, 0, 65536, 10**9):
            self.assertIsInstance(self.web.site.getContentFile(length), BytesIO)

    def test_only_http_1_1_is_spoken(self) -> None:
        self.assertEqual(self.web.site.acceptableProtocols(), [b"http/1.1"])


class EventTests(WebTestCase):
    """Tests of the log event of a request."""

    def test_a_search_is_logged(self) -> None:
        client = self.web.connect()
        with captured_events() as events:
            client.send(query_request(LOVE_QUERY))
            self.web.reactor.advance(1.5)
            [process] = self.web.running_processes()
            process.print(b"one love\nmore love\n")
            process.end()
            client.deliver()
        [event] = request_events(events)
        [response] = client.responses()
        self.assertRegex(event["id"], r"\A[0-9a-f]+\Z")
        self.assertEqual(event["route"], "/api/v1/json")
        self.assertEqual(event["action"], "search")
        self.assertEqual(event["dictionary"], "alpha")
        self.assertEqual(event["code"], 200)
        self.assertEqual(event["entries"], 2)
        self.assertEqual(event["seconds"], 1.5)
        self.assertEqual(event["bytes"], len(response.body))
        self.assertEqual(event["method"], "POST")
        self.assertEqual(event["uri"], "/api/v1/json")
        self.assertEqual(event["term"], "love")
        self.assertIn("looked for 'love'", formatEvent(event))

    def test_a_named_dictionary_is_logged(self) -> None:
        client = self.web.connect()
        with captured_events() as events:
            client.send(query_request({"action": "all", "dictionary": "sub/beta"}))
            self.web.running_processes()[0].end()
        [event] = request_events(events)
        self.assertEqual((event["action"], event["dictionary"]), ("all", "sub/beta"))

    def test_every_event_has_the_same_fields(self) -> None:
        for sent, route, code in (
            (get_request("/"), "/", 200),
            (get_request("/x"), None, 404),
            (get_request("/", "POST"), None, 405),
            (get_request("/%ff"), None, 400),
            (get_request("*", "OPTIONS"), "/*", 204),
            (get_request("/", "OPTIONS"), None, 204),
            (query_request(b"{}"), "/api/v1/json", 400),
            (query_request(b"x" * 70000), None, 413),
            (b"hello\r\n", None, 400),
        ):
            with captured_events() as events:
                self.web.connect().send(sent)
            [event] = request_events(events)
            self.assertEqual((event["route"], event["code"]), (route, code), sent[:50])
            for fact in ("user", "action", "dictionary", "entries"):
                self.assertIsNone(event[fact])
            self.assertIsNotNone(event["id"])

    def test_each_request_has_an_id_of_its_own(self) -> None:
        with captured_events() as events:
            self.web.connect().send(get_request() + get_request())
        first, second = request_events(events)
        self.assertNotEqual(first["id"], second["id"])

    def test_a_refused_request_has_one_event(self) -> None:
        """It has the reason, on a single line."""
        for sent in (
            get_request("/x"),
            query_request({"action": "all", "dictionary": "a\nb"}),
            b"hello\r\n\r\n",
        ):
            client = self.web.connect()
            with captured_events() as events:
                client.send(sent)
            [event] = events
            description, _, _ = client.responses()[0].message.partition(" Instructions")
            self.assertEqual(event["reason"], description)
            self.assertTrue(formatEvent(event).endswith(f": {description!a}"))
            self.assertNotIn("\n", formatEvent(event))

    def test_successful_requests_are_logged_at_debug(self) -> None:
        for url, level in (("/livez", LogLevel.debug), ("/x", LogLevel.info)):
            with captured_events() as events:
                self.web.connect().send(get_request(url))
            [event] = request_events(events)
            self.assertEqual(event["log_level"], level)

    def test_successful_requests_are_not_logged_without_debug(self) -> None:
        self.web.site.debug_enabled = False
        for url, events_made in (("/livez", 0), ("/x", 1)):
            with captured_events() as events:
                self.web.connect().send(get_request(url))
            self.assertEqual(len(request_events(events)), events_made)

    def test_head_is_logged_without_bytes(self) -> None:
        with captured_events() as events:
            self.web.connect().send(get_request(method="HEAD"))
        [event] = request_events(events)
        self.assertEqual((event["code"], event["bytes"]), (200, 0))

    def test_an_event_is_one_line(self) -> None:
        with captured_events() as events:
            self.web.connect().send(get_request("/\x1b[2J\x7f%0a{id}"))
            self.web.connect().send(
                query_request({"action": "all", "dictionary": "a\nb"})
            )
        self.assertEqual(len(request_events(events)), 2)
        for event in events:
            text = formatEvent(event) + str(textFromEventDict(event))
            self.assertTrue(text.isprintable(), text)


class AccessLogTests(WebTestCase):
    def start_service(self) -> None:
        """Start a service with an access log."""
        self.log = self.temporary_folder / "access.log"
        self.web = self.make_web(access_log=self.log)
        self.web.reactor.advance(86400)
        self.web.site.doStart()
        self.addCleanup(self.web.site.doStop)

    def lines(self) -> list[str]:
        return self.log.read_text("utf-8").splitlines()

    def test_a_request_has_a_line_in_combined_format(self) -> None:
        self.start_service()
        headers = "Referer: http://a.test/\r\nUser-Agent: curl\r\n"
        response = self.exchange(get_request("/static/style.css?x", headers=headers))
        [line] = self.lines()
        self.assertIn(" - - [02/Jan/1970:00:00:00 +0000] ", line)
        request = f'"GET /static/style.css?x HTTP/1.1" 200 {len(response.body)}'
        self.assertTrue(line.endswith(f'] {request} "http://a.test/" "curl"'), line)

    def test_the_address_has_no_quotation_marks(self) -> None:
        self.start_service()
        self.web.connect().send(get_request())
        [line] = self.lines()
        self.assertEqual(line.split(" ")[0], "192.0.2.1")

    def test_a_client_without_an_address_has_a_dash(self) -> None:
        self.start_service()

        class UnixSocket(FakeSocket):
            def getPeer(self) -> UNIXAddress:  # type: ignore[override]
                return UNIXAddress(None)

        UnixSocket(self.web.reactor, self.web.build_protocol()).send(get_request())
        [line] = self.lines()
        self.assertTrue(line.startswith("- - - ["), line)

    def test_every_request_has_a_line(self) -> None:
        self.start_service()
        self.web.connect().send(get_request() + get_request("/x"))
        self.web.connect().send(b"hello\r\n")
        gone = self.web.connect()
        gone.send(query_request())
        gone.disconnect()
        self.web.site.close()
        self.web.connect().send(get_request())
        codes = findall(r'" (\d{3}) ', "\n".join(self.lines()))
        self.assertEqual(codes, ["200", "404", "400", "499", "503"])

    def test_a_line_cannot_be_forged(self) -> None:
        self.start_service()
        self.web.connect().send(get_request(headers='User-Agent: a" x\x1b\xe9\r\n'))
        [line] = self.lines()
        self.assertTrue(line.isascii() and line.isprintable())
        self.assertIn(r"a\" x", line)

    def test_the_log_is_appended_to_after_a_restart(self) -> None:
        (self.temporary_folder / "access.log").write_text("before\n")
        self.start_service()
        self.web.connect().send(get_request())
        self.assertEqual(len(self.lines()), 2)
        self.assertEqual(self.lines()[0], "before")

    def test_reopening_after_shutdown_is_no_error(self) -> None:
        self.start_service()
        self.web.site.doStop()
        self.web.site.reopen_log()

    def test_the_term_is_in_no_line(self) -> None:
        self.start_service()
        self.web.connect().send(query_request(LOVE_QUERY))
        self.web.running_processes()[0].end()
        [line] = self.lines()
        self.assertNotIn("love", line)

    def test_without_an_access_log_no_file_is_written(self) -> None:
        before = sorted(self.temporary_folder.rglob("*"))
        self.web.site.doStart()
        self.addCleanup(self.web.site.doStop)
        client = self.web.connect()
        client.send(get_request())
        self.assertEqual(client.codes, [200])
        self.assertEqual(sorted(self.temporary_folder.rglob("*")), before)
