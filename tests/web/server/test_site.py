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
from twisted_quotes.web.server.channel import NEXT_REQUEST_TIME

from ..clients import (
    LOVE,
    FakeSocket,
    WebTestCase,
    get,
    informed,
    question,
    request_events,
)

HALF_HEAD = b"GET /style.css HTTP/1.1\r\nHo"
REST_OF_HEAD = b"st: quotes.test:8080\r\n\r\n"


class EndTests(WebTestCase):
    """Tests of the end, as far as it is the site's."""

    def assert_refused(self, client: FakeSocket, answers: int = 1) -> None:
        """The last of so many answers says that the service is ending."""
        self.assertEqual(len(client.answers()), answers)
        answer = client.answers()[-1]
        self.assert_error(answer, 503, "shutting down")
        self.assertEqual(answer.header("retry-after"), str(ShuttingDown.retry_after))
        self.assertTrue(answer.is_last)

    def assert_closed_after(self, seconds: float, client: FakeSocket) -> None:
        """After so long the connection is closed, and the end waits for nothing."""
        self.web.reactor.advance(seconds)
        client.deliver()
        self.assertTrue(client.disconnected)
        self.assertEqual(len(self.web.outstanding), 0)

    def test_a_connection_just_idle_is_open_for_a_moment(self) -> None:
        """Its next request may be on the way, and must not meet a closed door."""
        busy, quiet = self.web.connect(), self.web.connect()
        for client in (busy, quiet):
            client.send(get())
        self.web.site.close()
        self.web.reactor.advance(NEXT_REQUEST_TIME / 2)
        busy.send(get())
        self.assert_refused(busy, answers=2)
        self.assertFalse(quiet.disconnected)
        self.web.reactor.advance(NEXT_REQUEST_TIME / 2)
        quiet.deliver()
        self.assertTrue(quiet.disconnected)
        self.assertFalse(quiet.aborted)

    def test_where_others_serve_nobody_is_refused(self) -> None:
        """Who asks now is answered, once, whether or not it has asked before."""
        kept, new, busy = (self.web.connect() for _ in range(3))
        kept.send(get())
        busy.send(question())
        self.web.site.retire()
        over = self.web.outstanding.when_over()
        self.web.running()[0].end()
        for client in (kept, new):
            client.send(get())
        for client, answers in ((kept, 2), (new, 1), (busy, 1)):
            client.deliver()
            codes = [each.code for each in client.answers()]
            self.assertEqual(codes, [200] * answers)
            self.assertTrue(client.answers()[-1].is_last)
            self.assertTrue(client.half_closed)
            self.assertNoResult(over)
            client.shut_down()
        self.successResultOf(over)

    def test_where_others_serve_who_asks_nothing_is_closed(self) -> None:
        """Soon if it was answered before, and at the limit of a request if not."""
        idle, kept, new = (self.web.connect() for _ in range(3))
        idle.send(get())
        self.web.reactor.advance(NEXT_REQUEST_TIME)
        kept.send(get())
        limit = self.web.site.limits.request
        self.web.site.retire()
        for client, seconds in (
            (idle, 0),
            (kept, NEXT_REQUEST_TIME),
            (new, limit - 2 * NEXT_REQUEST_TIME),
        ):
            self.assertFalse(client.disconnected)
            self.web.reactor.pump([seconds, 0])
            client.deliver()
            self.assertTrue(client.disconnected)
            self.assertFalse(client.aborted)
        self.assertEqual(len(self.web.outstanding), 0)

    def test_where_others_serve_half_a_request_may_be_completed(self) -> None:
        """Within its time, and not within that of an idle connection."""
        kept = self.web.connect()
        kept.send(get())
        self.web.site.retire()
        head, rest = get()[:9], get()[9:]
        kept.send(head)
        self.web.reactor.advance(2 * NEXT_REQUEST_TIME)
        kept.send(rest)
        self.assertEqual([each.code for each in kept.answers()], [200, 200])

    def test_where_the_others_end_too_the_next_is_refused(self) -> None:
        """It closes as if it had not begun to before."""
        kept, new = self.web.connect(), self.web.connect()
        kept.send(get())
        self.web.reactor.advance(NEXT_REQUEST_TIME / 2)
        self.web.site.retire()
        self.web.site.close()
        kept.send(get())
        self.assert_refused(kept, answers=2)
        kept.shut_down()
        self.assert_closed_after(NEXT_REQUEST_TIME / 2, new)

    def test_what_follows_the_last_request_does_not_hold_up_the_end(self) -> None:
        """Neither a line too many nor half of another request."""
        for more in (b"\r\n", b"GET / HT"):
            self.web = self.make_web()
            client = self.web.connect()
            client.send(question() + more)
            self.web.site.close()
            self.web.running()[0].end()
            client.deliver()
            self.assertEqual([each.code for each in client.answers()], [200])
            self.assert_closed_after(NEXT_REQUEST_TIME, client)

    def test_who_takes_a_long_answer_is_closed_when_it_has_it(self) -> None:
        """Also when the end began while it was taking it."""
        (self.folder / "long").write_text("love\n" * 40_000)
        client = self.web.connect()
        client.stalled = True
        client.send(get("/api/v2/quotes?dictionary=long"))
        self.web.site.close()
        client.stalled = False
        client.deliver()
        self.assertEqual([each.code for each in client.answers()], [200])
        self.assert_closed_after(NEXT_REQUEST_TIME, client)

    def assert_streams_to_the_end(self, end: Callable[[], None]) -> FakeSocket:
        """A stream that began before the end does not say that it is the last."""
        (self.folder / "many").write_text("love\n" * 1_000_000)
        client = self.web.connect()
        client.stalled = True
        client.send(question({"action": "all", "dictionary": "many"}))
        [process] = self.web.running()
        process.print(b"1000000\n")
        process.end()
        client.deliver()
        self.assertGreater(client.buffered, 0)
        end()
        client.stalled = False
        client.deliver()
        [answer] = client.answers()
        self.assertEqual(answer.json["nr of entries"], 1_000_000)
        self.assertFalse(answer.is_last)
        return client

    def test_after_a_stream_the_next_request_is_refused(self) -> None:
        """It gets an answer, and not just the end of the connection."""
        client = self.assert_streams_to_the_end(self.web.site.close)
        client.send(get())
        self.assert_refused(client, answers=2)

    def test_after_a_stream_where_others_serve_the_next_request_is_answered(
        self,
    ) -> None:
        """It is answered, and that is the last answer."""
        client = self.assert_streams_to_the_end(self.web.site.retire)
        client.send(get())
        self.assertEqual([each.code for each in client.answers()], [200, 200])
        self.assertTrue(client.answers()[-1].is_last)

    def test_after_a_stream_a_quiet_client_is_closed(self) -> None:
        """A moment after it has taken all of it."""
        for name in ("close", "retire"):
            self.web = self.make_web()
            client = self.assert_streams_to_the_end(getattr(self.web.site, name))
            self.assertFalse(client.disconnected)
            self.web.reactor.pump([NEXT_REQUEST_TIME / 5] * 5)
            self.assert_closed_after(NEXT_REQUEST_TIME / 5, client)

    def test_bytes_that_drip_do_not_hold_up_the_end(self) -> None:
        """A moment is a moment, however much comes in it."""
        client = self.web.connect()
        self.web.site.close()
        for _ in range(4):
            client.send(b"G")
            self.web.reactor.advance(NEXT_REQUEST_TIME / 5)
        self.assertFalse(client.disconnected)
        self.assert_closed_after(NEXT_REQUEST_TIME / 5, client)

    def test_idle_connections_are_closed(self) -> None:
        """Nothing is expected of them, so they are closed for good."""
        kept, new = self.web.connect(), self.web.connect()
        kept.send(get())
        self.web.reactor.advance(NEXT_REQUEST_TIME)
        self.web.site.close()
        for client in (kept, new):
            client.deliver()
            self.assertTrue(client.disconnected)
            self.assertFalse(client.aborted)
        self.assertEqual(len(self.web.outstanding), 0)

    def test_a_connection_that_waits_is_closed_when_it_is_answered(self) -> None:
        """Its answer is complete, and says that it is the last one."""
        client = self.web.connect()
        client.send(question())
        self.web.site.close()
        self.assertFalse(client.half_closed)
        [process] = self.web.running()
        process.print(b"All is love.\n")
        process.end()
        client.deliver()
        [answer] = client.answers()
        self.assertEqual(answer.json["results"], ["All is love."])
        self.assertTrue(answer.is_last)
        self.assertTrue(client.half_closed)

    def test_the_end_waits_until_such_a_connection_is_gone(self) -> None:
        """That the answer was written is not enough."""
        client = self.web.connect()
        client.send(question())
        self.web.site.close()
        over = self.web.outstanding.when_over()
        self.web.running()[0].end()
        client.deliver()
        self.assertNoResult(over)
        client.shut_down()
        self.successResultOf(over)

    def test_a_body_that_is_still_arriving_is_read(self) -> None:
        """A request whose headers had arrived is answered in full."""
        client = self.web.connect()
        head, brace, rest = question().partition(b"{")
        client.send(head)
        self.web.site.close()
        client.send(brace + rest)
        self.web.running()[0].end()
        client.deliver()
        [answer] = client.answers()
        self.assertEqual(answer.code, 200)
        self.assertTrue(answer.is_last)

    def test_a_pipelined_request_that_had_arrived_is_answered(self) -> None:
        """Requests that came together are all answered; the last one says so."""
        client = self.web.connect()
        client.send(question() + get())
        self.web.site.close()
        self.web.running()[0].end()
        client.deliver()
        self.assertEqual([each.code for each in client.answers()], [200, 200])
        self.assertEqual([each.is_last for each in client.answers()], [False, True])
        self.assertTrue(client.half_closed)

    def test_a_pipelined_search_that_had_arrived_is_answered(self) -> None:
        """A second search is started although the end has begun."""
        client = self.web.connect()
        client.send(question() + question())
        self.web.site.close()
        for _ in range(2):
            [process] = self.web.running()
            process.end()
            client.deliver()
        self.assertEqual([each.code for each in client.answers()], [200, 200])

    def test_a_request_that_comes_during_the_end_is_refused(self) -> None:
        """What comes behind a request that is being answered comes too late."""
        client = self.web.connect()
        client.send(question())
        self.web.site.close()
        client.send(get())
        self.web.running()[0].end()
        client.deliver()
        self.assertEqual(client.answers()[0].code, 200)
        self.assert_refused(client, answers=2)

    def test_what_had_arrived_is_answered_before_what_comes_late(self) -> None:
        """A request too many does not take the answers of those before it."""
        client = self.web.connect()
        client.send(question() + get())
        self.web.site.close()
        client.send(get())
        self.web.running()[0].end()
        client.deliver()
        self.assertEqual([each.code for each in client.answers()], [200, 200, 503])
        self.assert_refused(client, answers=3)

    def test_half_a_head_holds_up_nothing(self) -> None:
        """Nobody waits for the rest of it."""
        client = self.web.connect()
        client.send(HALF_HEAD)
        self.web.site.close()
        self.assertEqual(len(self.web.outstanding), 0)
        self.assertFalse(client.disconnected)

    def test_the_rest_of_a_head_comes_too_late(self) -> None:
        """It is refused, and the end waits until the client has been told."""
        client = self.web.connect()
        client.send(HALF_HEAD)
        self.web.site.close()
        client.send(REST_OF_HEAD)
        self.assert_refused(client)
        self.assertEqual(len(self.web.outstanding), 1)
        client.shut_down()
        self.assertEqual(len(self.web.outstanding), 0)

    def test_a_question_that_comes_during_the_end_starts_no_grep(self) -> None:
        """Its body is not even read."""
        client = self.web.connect()
        head, brace, rest = question().partition(b"Host")
        client.send(head)
        self.web.site.close()
        client.send(brace + rest)
        self.assert_refused(client)
        self.assertEqual(self.web.reactor.processes, [])

    def test_who_connects_during_the_end_is_refused(self) -> None:
        """A connection that was let in late is told to try again."""
        self.web.site.close()
        client = self.web.connect()
        client.send(get())
        self.assert_refused(client)

    def test_closing_twice_is_closing_once(self) -> None:
        """The second time changes nothing."""
        client = self.web.connect()
        client.send(question())
        self.web.site.close()
        self.web.site.close()
        self.web.running()[0].end()
        client.deliver()
        self.assertEqual([each.code for each in client.answers()], [200])

    def test_bodies_that_did_not_come_can_be_given_up(self) -> None:
        """Who has not sent all is refused; who waits for an answer is left."""
        slow, waiting = self.web.connect(), self.web.connect()
        slow.send(question()[:-1])
        waiting.send(question())
        self.web.site.close()
        self.web.site.refuse_incomplete()
        slow.deliver()
        self.assert_refused(slow)
        self.assertEqual(waiting.answers(), [])
        self.web.running()[0].end()
        waiting.deliver()
        self.assertEqual([each.code for each in waiting.answers()], [200])


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
        with informed() as events:
            client.send(question(LOVE))
            self.web.reactor.advance(1.5)
            [process] = self.web.running()
            process.print(b"one love\nmore love\n")
            process.end()
            client.deliver()
        [event] = request_events(events)
        [answer] = client.answers()
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
        with informed() as events:
            client.send(question({"action": "all", "dictionary": "sub/beta"}))
            self.web.running()[0].end()
        [event] = request_events(events)
        self.assertEqual((event["action"], event["dictionary"]), ("all", "sub/beta"))

    def test_every_request_is_logged_with_the_same_facts(self) -> None:
        """A fact that is not known of a request is None there."""
        for sent, route, code in (
            (get("/"), "/", 200),
            (get("/x"), None, 404),
            (get("/", "POST"), None, 405),
            (get("/%ff"), None, 400),
            (get("*", "OPTIONS"), "/*", 200),
            (question(b"{}"), "/api/v1/json", 400),
            (question(b"x" * 70000), None, 413),
            (b"hello\r\n", None, 400),
        ):
            with informed() as events:
                self.web.connect().send(sent)
            [event] = request_events(events)
            self.assertEqual((event["route"], event["code"]), (route, code), sent[:50])
            for fact in ("user", "action", "dictionary", "entries"):
                self.assertIsNone(event[fact])
            self.assertIsNotNone(event["id"])

    def test_each_request_has_an_id_of_its_own(self) -> None:
        """Two requests on one connection can be told apart."""
        with informed() as events:
            self.web.connect().send(get() + get())
        first, second = request_events(events)
        self.assertNotEqual(first["id"], second["id"])

    def test_a_request_that_is_refused_has_one_event(self) -> None:
        """What was said to the caller can be found there, on a single line."""
        for sent in (
            get("/x"),
            question({"action": "all", "dictionary": "a\nb"}),
            b"hello\r\n\r\n",
        ):
            client = self.web.connect()
            with informed() as events:
                client.send(sent)
            [event] = events
            said, _, _ = client.answers()[0].message.partition(" Instructions")
            self.assertEqual(event["reason"], said)
            self.assertTrue(formatEvent(event).endswith(f": {said!a}"))
            self.assertNotIn("\n", formatEvent(event))

    def test_what_went_well_is_logged_for_those_who_ask_for_more(self) -> None:
        """A busy service logs no line for each request, but for each refusal."""
        for url, level in (("/livez", LogLevel.debug), ("/x", LogLevel.info)):
            with informed() as events:
                self.web.connect().send(get(url))
            [event] = request_events(events)
            self.assertEqual(event["log_level"], level)

    def test_what_went_well_makes_no_event_where_debug_is_not_read(self) -> None:
        """An event that nobody reads would cost as much as reading the request."""
        self.web.site.logs_debug = False
        for url, events_made in (("/livez", 0), ("/x", 1)):
            with informed() as events:
                self.web.connect().send(get(url))
            self.assertEqual(len(request_events(events)), events_made)

    def test_head_is_logged_without_bytes(self) -> None:
        """What was not sent is not counted."""
        with informed() as events:
            self.web.connect().send(get(method="HEAD"))
        [event] = request_events(events)
        self.assertEqual((event["code"], event["bytes"]), (200, 0))

    def test_an_event_is_one_line(self) -> None:
        """Nothing that came from outside can forge a line of the log."""
        with informed() as events:
            self.web.connect().send(get("/\x1b[2J\x7f%0a{id}"))
            self.web.connect().send(question({"action": "all", "dictionary": "a\nb"}))
        self.assertEqual(len(request_events(events)), 2)
        for event in events:
            text = formatEvent(event) + str(textFromEventDict(event))
            self.assertTrue(text.isprintable(), text)


class AccessLogTests(WebTestCase):
    """Tests of the access log."""

    def start(self) -> None:
        """Start a service with an access log."""
        self.log = self.room / "access.log"
        self.web = self.make_web(access_log=self.log)
        self.web.reactor.advance(86400)
        self.web.site.doStart()
        self.addCleanup(self.web.site.doStop)

    def lines(self) -> list[str]:
        """What is in the log by now."""
        return self.log.read_text("utf-8").splitlines()

    def test_a_request_has_a_line_in_combined_format(self) -> None:
        """The line is there as soon as the request is answered."""
        self.start()
        headers = "Referer: http://a.test/\r\nUser-Agent: curl\r\n"
        client = self.web.connect()
        client.send(get("/style.css?x", headers=headers))
        [answer] = client.answers()
        [line] = self.lines()
        self.assertIn(" - - [02/Jan/1970:00:00:00 +0000] ", line)
        request = f'"GET /style.css?x HTTP/1.1" 200 {len(answer.body)}'
        self.assertTrue(line.endswith(f'] {request} "http://a.test/" "curl"'), line)

    def test_a_line_begins_with_the_address_as_it_is(self) -> None:
        """What reads the combined format finds the address without quotes."""
        self.start()
        self.web.connect().send(get())
        [line] = self.lines()
        self.assertEqual(line.split(" ")[0], "192.0.2.1")

    def test_a_client_without_an_address_has_a_dash(self) -> None:
        """A UNIX socket does not tell who called."""
        self.start()

        class UnixSocket(FakeSocket):
            def getPeer(self) -> UNIXAddress:  # type: ignore[override]
                return UNIXAddress(None)

        UnixSocket(self.web.reactor, self.web.protocol()).send(get())
        [line] = self.lines()
        self.assertTrue(line.startswith("- - - ["), line)

    def test_every_request_has_a_line(self) -> None:
        """Those that were refused and those that nobody waited for have one, too."""
        self.start()
        self.web.connect().send(get() + get("/x"))
        self.web.connect().send(b"hello\r\n")
        gone = self.web.connect()
        gone.send(question())
        gone.leave()
        self.web.site.close()
        self.web.connect().send(get())
        codes = findall(r'" (\d{3}) ', "\n".join(self.lines()))
        self.assertEqual(codes, ["200", "404", "400", "499", "503"])

    def test_a_line_cannot_be_forged(self) -> None:
        """Quotes and control characters in a header stay on their line."""
        self.start()
        self.web.connect().send(get(headers='User-Agent: a" x\x1b\xe9\r\n'))
        [line] = self.lines()
        self.assertTrue(line.isascii() and line.isprintable())
        self.assertIn(r"a\" x", line)

    def test_the_log_goes_on_where_it_ended(self) -> None:
        """A restart loses no lines."""
        (self.room / "access.log").write_text("before\n")
        self.start()
        self.web.connect().send(get())
        self.assertEqual(len(self.lines()), 2)
        self.assertEqual(self.lines()[0], "before")

    def test_after_the_end_there_is_nothing_to_reopen(self) -> None:
        """A signal may come in the last moment."""
        self.start()
        self.web.site.doStop()
        self.web.site.reopen_log()

    def test_the_term_is_in_no_line(self) -> None:
        """What was searched for is the caller's business."""
        self.start()
        self.web.connect().send(question(LOVE))
        self.web.running()[0].end()
        [line] = self.lines()
        self.assertNotIn("love", line)

    def test_without_an_access_log_there_is_none(self) -> None:
        """A site that was given no file writes none."""
        before = sorted(self.room.rglob("*"))
        self.web.site.doStart()
        self.addCleanup(self.web.site.doStop)
        client = self.web.connect()
        client.send(get())
        self.assertEqual([each.code for each in client.answers()], [200])
        self.assertEqual(sorted(self.room.rglob("*")), before)
