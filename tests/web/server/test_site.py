"""
Tests of the site: its end, and its logs.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from re import findall

from twisted.internet.address import UNIXAddress
from twisted.logger import LogLevel, formatEvent
from twisted.python.log import textFromEventDict

from twisted_quotes.errors import ShuttingDown
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

PARTIAL_HEAD = b"GET /style.css HTTP/1.1\r\nHo"
REST_OF_HEAD = b"st: quotes.test:8080\r\n\r\n"


class ShutdownTests(WebTestCase):
    """Tests of the end, as far as it is the site's."""

    def assert_refused(self, client: FakeSocket, response_count: int = 1) -> None:
        """The last of so many answers says that the service is ending."""
        self.assertEqual(len(client.responses()), response_count)
        answer = client.responses()[-1]
        self.assert_error(answer, 503, "shutting down")
        self.assertEqual(answer.header("retry-after"), str(ShuttingDown.retry_after))
        self.assertTrue(answer.closes_connection)

    def assert_closed_after_seconds(self, seconds: float, client: FakeSocket) -> None:
        """After so long the connection is closed, and the end waits for nothing."""
        self.web.reactor.advance(seconds)
        client.deliver()
        self.assertTrue(client.disconnected)
        self.assertEqual(len(self.web.outstanding), 0)

    def test_a_connection_just_idle_is_open_for_a_moment(self) -> None:
        """Its next request may be on the way, and must not meet a closed door."""
        busy, quiet = self.web.connect(), self.web.connect()
        for client in (busy, quiet):
            client.send(get_request())
        self.web.site.close()
        self.web.reactor.advance(NEXT_REQUEST_TIMEOUT / 2)
        busy.send(get_request())
        self.assert_refused(busy, response_count=2)
        self.assertFalse(quiet.disconnected)
        self.web.reactor.advance(NEXT_REQUEST_TIMEOUT / 2)
        quiet.deliver()
        self.assertTrue(quiet.disconnected)
        self.assertFalse(quiet.aborted)

    def test_where_others_serve_nobody_is_refused(self) -> None:
        """Who asks now is answered, once, whether or not it has asked before."""
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
            codes = [each.code for each in client.responses()]
            self.assertEqual(codes, [200] * answers)
            self.assertTrue(client.responses()[-1].closes_connection)
            self.assertTrue(client.half_closed)
            self.assertNoResult(finished)
            client.half_close()
        self.successResultOf(finished)

    def test_where_others_serve_who_asks_nothing_is_closed(self) -> None:
        """Soon if it was answered before, and at the limit of a request if not."""
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

    def test_where_others_serve_half_a_request_may_be_completed(self) -> None:
        """Within its time, and not within that of an idle connection."""
        keep_alive = self.web.connect()
        keep_alive.send(get_request())
        self.web.site.drain_connections()
        head, rest = get_request()[:9], get_request()[9:]
        keep_alive.send(head)
        self.web.reactor.advance(2 * NEXT_REQUEST_TIMEOUT)
        keep_alive.send(rest)
        self.assertEqual([each.code for each in keep_alive.responses()], [200, 200])

    def test_where_the_others_end_too_the_next_is_refused(self) -> None:
        """It closes as if it had not begun to before."""
        keep_alive, new = self.web.connect(), self.web.connect()
        keep_alive.send(get_request())
        self.web.reactor.advance(NEXT_REQUEST_TIMEOUT / 2)
        self.web.site.drain_connections()
        self.web.site.close()
        keep_alive.send(get_request())
        self.assert_refused(keep_alive, response_count=2)
        keep_alive.half_close()
        self.assert_closed_after_seconds(NEXT_REQUEST_TIMEOUT / 2, new)

    def test_what_follows_the_last_request_does_not_hold_up_the_end(self) -> None:
        """Neither a line too many nor half of another request."""
        for extra_bytes in (b"\r\n", b"GET / HT"):
            self.web = self.make_web()
            client = self.web.connect()
            client.send(query_request() + extra_bytes)
            self.web.site.close()
            self.web.running_processes()[0].end()
            client.deliver()
            self.assertEqual([each.code for each in client.responses()], [200])
            self.assert_closed_after_seconds(NEXT_REQUEST_TIMEOUT, client)

    def test_who_takes_a_long_answer_is_closed_when_it_has_it(self) -> None:
        """Also when the end began while it was taking it."""
        (self.folder / "long").write_text("love\n" * 40_000)
        client = self.web.connect()
        client.stalled = True
        client.send(get_request("/api/v2/quotes?dictionary=long"))
        self.web.site.close()
        client.stalled = False
        client.deliver()
        self.assertEqual([each.code for each in client.responses()], [200])
        self.assert_closed_after_seconds(NEXT_REQUEST_TIMEOUT, client)

    def assert_streams_to_the_end(self, end: Callable[[], None]) -> FakeSocket:
        """A stream that began before the end does not say that it is the last."""
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
        [answer] = client.responses()
        self.assertEqual(answer.json["nr of entries"], 1_000_000)
        self.assertFalse(answer.closes_connection)
        return client

    def test_after_a_stream_the_next_request_is_refused(self) -> None:
        """It gets an answer, and not just the end of the connection."""
        client = self.assert_streams_to_the_end(self.web.site.close)
        client.send(get_request())
        self.assert_refused(client, response_count=2)

    def test_after_a_stream_where_others_serve_the_next_request_is_answered(
        self,
    ) -> None:
        """It is answered, and that is the last answer."""
        client = self.assert_streams_to_the_end(self.web.site.drain_connections)
        client.send(get_request())
        self.assertEqual([each.code for each in client.responses()], [200, 200])
        self.assertTrue(client.responses()[-1].closes_connection)

    def test_after_a_stream_a_quiet_client_is_closed(self) -> None:
        """A moment after it has taken all of it."""
        for name in ("close", "drain_connections"):
            self.web = self.make_web()
            client = self.assert_streams_to_the_end(getattr(self.web.site, name))
            self.assertFalse(client.disconnected)
            self.web.reactor.pump([NEXT_REQUEST_TIMEOUT / 5] * 5)
            self.assert_closed_after_seconds(NEXT_REQUEST_TIMEOUT / 5, client)

    def test_bytes_that_drip_do_not_hold_up_the_end(self) -> None:
        """A moment is a moment, however much comes in it."""
        client = self.web.connect()
        self.web.site.close()
        for _ in range(4):
            client.send(b"G")
            self.web.reactor.advance(NEXT_REQUEST_TIMEOUT / 5)
        self.assertFalse(client.disconnected)
        self.assert_closed_after_seconds(NEXT_REQUEST_TIMEOUT / 5, client)

    def test_idle_connections_are_closed(self) -> None:
        """Nothing is expected of them, so they are closed for good."""
        keep_alive, new = self.web.connect(), self.web.connect()
        keep_alive.send(get_request())
        self.web.reactor.advance(NEXT_REQUEST_TIMEOUT)
        self.web.site.close()
        for client in (keep_alive, new):
            client.deliver()
            self.assertTrue(client.disconnected)
            self.assertFalse(client.aborted)
        self.assertEqual(len(self.web.outstanding), 0)

    def test_a_connection_that_waits_is_closed_when_it_is_answered(self) -> None:
        """Its answer is complete, and says that it is the last one."""
        client = self.web.connect()
        client.send(query_request())
        self.web.site.close()
        self.assertFalse(client.half_closed)
        [process] = self.web.running_processes()
        process.print(b"All is love.\n")
        process.end()
        client.deliver()
        [answer] = client.responses()
        self.assertEqual(answer.json["results"], ["All is love."])
        self.assertTrue(answer.closes_connection)
        self.assertTrue(client.half_closed)

    def test_the_end_waits_until_such_a_connection_is_gone(self) -> None:
        """That the answer was written is not enough."""
        client = self.web.connect()
        client.send(query_request())
        self.web.site.close()
        finished = self.web.outstanding.when_done()
        self.web.running_processes()[0].end()
        client.deliver()
        self.assertNoResult(finished)
        client.half_close()
        self.successResultOf(finished)

    def test_a_body_that_is_still_arriving_is_read(self) -> None:
        """A request whose headers had arrived is answered in full."""
        client = self.web.connect()
        head, brace, rest = query_request().partition(b"{")
        client.send(head)
        self.web.site.close()
        client.send(brace + rest)
        self.web.running_processes()[0].end()
        client.deliver()
        [answer] = client.responses()
        self.assertEqual(answer.code, 200)
        self.assertTrue(answer.closes_connection)

    def test_a_pipelined_request_that_had_arrived_is_answered(self) -> None:
        """Requests that came together are all answered; the last one says so."""
        client = self.web.connect()
        client.send(query_request() + get_request())
        self.web.site.close()
        self.web.running_processes()[0].end()
        client.deliver()
        self.assertEqual([each.code for each in client.responses()], [200, 200])
        self.assertEqual(
            [each.closes_connection for each in client.responses()], [False, True]
        )
        self.assertTrue(client.half_closed)

    def test_a_pipelined_search_that_had_arrived_is_answered(self) -> None:
        """A second search is started although the end has begun."""
        client = self.web.connect()
        client.send(query_request() + query_request())
        self.web.site.close()
        for _ in range(2):
            [process] = self.web.running_processes()
            process.end()
            client.deliver()
        self.assertEqual([each.code for each in client.responses()], [200, 200])

    def test_a_request_that_comes_during_the_end_is_refused(self) -> None:
        """What comes behind a request that is being answered comes too late."""
        client = self.web.connect()
        client.send(query_request())
        self.web.site.close()
        client.send(get_request())
        self.web.running_processes()[0].end()
        client.deliver()
        self.assertEqual(client.responses()[0].code, 200)
        self.assert_refused(client, response_count=2)

    def test_what_had_arrived_is_answered_before_what_comes_late(self) -> None:
        """A request too many does not take the answers of those before it."""
        client = self.web.connect()
        client.send(query_request() + get_request())
        self.web.site.close()
        client.send(get_request())
        self.web.running_processes()[0].end()
        client.deliver()
        self.assertEqual([each.code for each in client.responses()], [200, 200, 503])
        self.assert_refused(client, response_count=3)

    def test_half_a_head_holds_up_nothing(self) -> None:
        """Nobody waits for the rest of it."""
        client = self.web.connect()
        client.send(PARTIAL_HEAD)
        self.web.site.close()
        self.assertEqual(len(self.web.outstanding), 0)
        self.assertFalse(client.disconnected)

    def test_the_rest_of_a_head_comes_too_late(self) -> None:
        """It is refused, and the end waits until the client has been told."""
        client = self.web.connect()
        client.send(PARTIAL_HEAD)
        self.web.site.close()
        client.send(REST_OF_HEAD)
        self.assert_refused(client)
        self.assertEqual(len(self.web.outstanding), 1)
        client.half_close()
        self.assertEqual(len(self.web.outstanding), 0)

    def test_a_question_that_comes_during_the_end_starts_no_grep(self) -> None:
        """Its body is not even read."""
        client = self.web.connect()
        head, brace, rest = query_request().partition(b"Host")
        client.send(head)
        self.web.site.close()
        client.send(brace + rest)
        self.assert_refused(client)
        self.assertEqual(self.web.reactor.processes, [])

    def test_who_connects_during_the_end_is_refused(self) -> None:
        """A connection that was let in late is told to try again."""
        self.web.site.close()
        client = self.web.connect()
        client.send(get_request())
        self.assert_refused(client)

    def test_closing_twice_is_closing_once(self) -> None:
        """The second time changes nothing."""
        client = self.web.connect()
        client.send(query_request())
        self.web.site.close()
        self.web.site.close()
        self.web.running_processes()[0].end()
        client.deliver()
        self.assertEqual([each.code for each in client.responses()], [200])

    def test_bodies_that_did_not_come_can_be_given_up(self) -> None:
        """Who has not sent all is refused; who waits for an answer is left."""
        slow, waiting = self.web.connect(), self.web.connect()
        slow.send(query_request()[:-1])
        waiting.send(query_request())
        self.web.site.close()
        self.web.site.refuse_incomplete()
        slow.deliver()
        self.assert_refused(slow)
        self.assertEqual(waiting.responses(), [])
        self.web.running_processes()[0].end()
        waiting.deliver()
        self.assertEqual([each.code for each in waiting.responses()], [200])


class SiteTests(WebTestCase):
    """Tests of what a site is made with."""

    def test_a_body_is_kept_in_memory(self) -> None:
        """No body is written to a disk, told its length or not."""
        for length in (None, 0, 65536, 10**9):
            self.assertIsInstance(self.web.site.getContentFile(length), BytesIO)

    def test_only_http_1_1_is_spoken(self) -> None:
        """No client is led to speak HTTP/2."""
        self.assertEqual(self.web.site.acceptableProtocols(), [b"http/1.1"])


class EventTests(WebTestCase):
    """Tests of the event that is logged of each request."""

    def test_a_search_is_logged(self) -> None:
        """What was asked, how it went and how long it took can be counted."""
        client = self.web.connect()
        with captured_events() as events:
            client.send(query_request(LOVE_QUERY))
            self.web.reactor.advance(1.5)
            [process] = self.web.running_processes()
            process.print(b"one love\nmore love\n")
            process.end()
            client.deliver()
        [event] = request_events(events)
        [answer] = client.responses()
        self.assertRegex(event["id"], r"\A[0-9a-f]+\Z")
        self.assertEqual(event["route"], "/api/v1/json")
        self.assertEqual(event["action"], "search")
        self.assertEqual(event["dictionary"], "alpha")
        self.assertEqual(event["code"], 200)
        self.assertEqual(event["entries"], 2)
        self.assertEqual(event["seconds"], 1.5)
        self.assertEqual(event["bytes"], len(answer.body))
        self.assertEqual(event["method"], "POST")
        self.assertEqual(event["uri"], "/api/v1/json")
        self.assertEqual(event["term"], "love")
        self.assertIn("looked for 'love'", formatEvent(event))

    def test_a_named_dictionary_is_logged(self) -> None:
        """The event has the dictionary's name, and the name of the action."""
        client = self.web.connect()
        with captured_events() as events:
            client.send(query_request({"action": "all", "dictionary": "sub/beta"}))
            self.web.running_processes()[0].end()
        [event] = request_events(events)
        self.assertEqual((event["action"], event["dictionary"]), ("all", "sub/beta"))

    def test_every_request_is_logged_with_the_same_facts(self) -> None:
        """A fact that is not known of a request is None there."""
        for sent, route, code in (
            (get_request("/"), "/", 200),
            (get_request("/x"), None, 404),
            (get_request("/", "POST"), None, 405),
            (get_request("/%ff"), None, 400),
            (get_request("*", "OPTIONS"), "/*", 200),
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
        """Two requests on one connection can be told apart."""
        with captured_events() as events:
            self.web.connect().send(get_request() + get_request())
        first, second = request_events(events)
        self.assertNotEqual(first["id"], second["id"])

    def test_a_request_that_is_refused_has_one_event(self) -> None:
        """What was said to the caller can be found there, on a single line."""
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

    def test_what_went_well_is_logged_for_those_who_ask_for_more(self) -> None:
        """A busy service logs no line for each request, but for each refusal."""
        for url, level in (("/livez", LogLevel.debug), ("/x", LogLevel.info)):
            with captured_events() as events:
                self.web.connect().send(get_request(url))
            [event] = request_events(events)
            self.assertEqual(event["log_level"], level)

    def test_what_went_well_makes_no_event_where_debug_is_not_read(self) -> None:
        """An event that nobody reads would cost as much as reading the request."""
        self.web.site.debug_enabled = False
        for url, events_made in (("/livez", 0), ("/x", 1)):
            with captured_events() as events:
                self.web.connect().send(get_request(url))
            self.assertEqual(len(request_events(events)), events_made)

    def test_head_is_logged_without_bytes(self) -> None:
        """What was not sent is not counted."""
        with captured_events() as events:
            self.web.connect().send(get_request(method="HEAD"))
        [event] = request_events(events)
        self.assertEqual((event["code"], event["bytes"]), (200, 0))

    def test_an_event_is_one_line(self) -> None:
        """Nothing that came from outside can forge a line of the log."""
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
    """Tests of the access log."""

    def start_service(self) -> None:
        """Start a service with an access log."""
        self.log = self.temporary_folder / "access.log"
        self.web = self.make_web(access_log=self.log)
        self.web.reactor.advance(86400)
        self.web.site.doStart()
        self.addCleanup(self.web.site.doStop)

    def lines(self) -> list[str]:
        """What is in the log by now."""
        return self.log.read_text("utf-8").splitlines()

    def test_a_request_has_a_line_in_combined_format(self) -> None:
        """The line is there as soon as the request is answered."""
        self.start_service()
        headers = "Referer: http://a.test/\r\nUser-Agent: curl\r\n"
        client = self.web.connect()
        client.send(get_request("/style.css?x", headers=headers))
        [answer] = client.responses()
        [line] = self.lines()
        self.assertIn(" - - [02/Jan/1970:00:00:00 +0000] ", line)
        request = f'"GET /style.css?x HTTP/1.1" 200 {len(answer.body)}'
        self.assertTrue(line.endswith(f'] {request} "http://a.test/" "curl"'), line)

    def test_a_line_begins_with_the_address_as_it_is(self) -> None:
        """What reads the combined format finds the address without quotes."""
        self.start_service()
        self.web.connect().send(get_request())
        [line] = self.lines()
        self.assertEqual(line.split(" ")[0], "192.0.2.1")

    def test_a_client_without_an_address_has_a_dash(self) -> None:
        """A UNIX socket does not tell who called."""
        self.start_service()

        class UnixSocket(FakeSocket):
            def getPeer(self) -> UNIXAddress:  # type: ignore[override]
                return UNIXAddress(None)

        UnixSocket(self.web.reactor, self.web.build_protocol()).send(get_request())
        [line] = self.lines()
        self.assertTrue(line.startswith("- - - ["), line)

    def test_every_request_has_a_line(self) -> None:
        """Those that were refused and those that nobody waited for have one, too."""
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
        """Quotes and control characters in a header stay on their line."""
        self.start_service()
        self.web.connect().send(get_request(headers='User-Agent: a" x\x1b\xe9\r\n'))
        [line] = self.lines()
        self.assertTrue(line.isascii() and line.isprintable())
        self.assertIn(r"a\" x", line)

    def test_the_log_goes_on_where_it_ended(self) -> None:
        """A restart loses no lines."""
        (self.temporary_folder / "access.log").write_text("before\n")
        self.start_service()
        self.web.connect().send(get_request())
        self.assertEqual(len(self.lines()), 2)
        self.assertEqual(self.lines()[0], "before")

    def test_after_the_end_there_is_nothing_to_reopen(self) -> None:
        """A signal may come in the last moment."""
        self.start_service()
        self.web.site.doStop()
        self.web.site.reopen_log()

    def test_the_term_is_in_no_line(self) -> None:
        """What was searched for is the caller's business."""
        self.start_service()
        self.web.connect().send(query_request(LOVE_QUERY))
        self.web.running_processes()[0].end()
        [line] = self.lines()
        self.assertNotIn("love", line)

    def test_without_an_access_log_there_is_none(self) -> None:
        """A site that was given no file writes none."""
        before = sorted(self.temporary_folder.rglob("*"))
        self.web.site.doStart()
        self.addCleanup(self.web.site.doStop)
        client = self.web.connect()
        client.send(get_request())
        self.assertEqual([each.code for each in client.responses()], [200])
        self.assertEqual(sorted(self.temporary_folder.rglob("*")), before)
