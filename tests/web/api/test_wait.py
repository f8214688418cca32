"""
Tests of C{/wait}.
"""

from __future__ import annotations

from twisted_quotes.web.api.wait import SleepFailed

from ..clients import WebTestCase, get_request


class WaitTests(WebTestCase):
    """Tests of the process that blocks."""

    def test_a_wait_is_answered_when_its_process_has_ended(self) -> None:
        """The process blocks for ten seconds if nothing else is asked."""
        pending = self.web.request("GET", "/wait")
        [process] = self.web.running_processes()
        self.assertEqual(process.executable, "/sleep")
        self.assertEqual(process.arguments[1:], ("10",))
        self.assertEqual(process.environment, {})
        self.web.reactor.advance(60)
        self.web.flush_responses()
        self.assertNoResult(pending)
        process.end()
        self.web.flush_responses()
        answer = self.successResultOf(pending)
        self.assertEqual(answer.code, 200)
        self.assertEqual(answer.json, {"waited": 10})

    def test_the_seconds_can_be_chosen(self) -> None:
        """From 0 to 60 seconds may be asked for."""
        for seconds in ("0", "2", "60"):
            pending = self.web.request("GET", f"/wait?seconds={seconds}")
            [process] = self.web.running_processes()
            self.assertEqual(process.arguments[1:], (seconds,))
            process.end()
            self.web.flush_responses()
            answer = self.successResultOf(pending)
            self.assertEqual(answer.json, {"waited": int(seconds)})

    def test_other_parameters_are_a_400(self) -> None:
        """What is no number of seconds in range starts no process."""
        for query in (
            "seconds=61",
            "seconds=100",
            "seconds=-1",
            "seconds=1.5",
            "seconds=1e1",
            "seconds=",
            "seconds=%0a1",
            "seconds=%D9%A3",
            "seconds",
        ):
            answer = self.successResultOf(self.web.request("GET", f"/wait?{query}"))
            self.assert_error(answer, 400, '"seconds"', "0 to 60")
        for query in (
            "seconds=%ff",
            "seconds=1&seconds=2",
            "seconds=1&x=2",
            "second=1",
            "x",
            "seconds=1&x",
            "seconds=1;x=2",
            "%ff",
        ):
            answer = self.successResultOf(self.web.request("GET", f"/wait?{query}"))
            self.assert_error(answer, 400)
        self.assertEqual(self.web.reactor.processes, [])

    def test_who_was_refused_finds_a_place_later(self) -> None:
        """Though another client asks again whenever one of its waits has ended."""
        self.web = self.make_web(waits=4)
        for _ in range(4):
            self.web.connect().send(get_request("/wait"))
        codes = []
        for _ in range(8):
            other = self.web.connect("192.0.2.2")
            other.send(get_request("/wait"))
            codes += [each.code for each in other.responses()]
            self.web.running_processes()[0].end(0)
            self.web.connect().send(get_request("/wait"))
        self.assertLess(codes.count(503), 4)

    def test_one_too_many_is_a_503(self) -> None:
        """Only so many waits go on at a time, and none waits for its turn."""
        self.web = self.make_web(waits=1)
        first = self.web.request("GET", "/wait")
        answer = self.successResultOf(self.web.request("GET", "/wait"))
        self.assert_error(answer, 503, "Too many")
        self.assertEqual(answer.header("retry-after"), "1")
        self.assertNoResult(first)

    def test_one_client_has_half_of_the_places_while_others_have_some(self) -> None:
        """And all of them while nobody else asks."""
        self.web = self.make_web(waits=6)
        for client, running in (
            *(("192.0.2.1", 1), ("192.0.2.1", 2), ("192.0.2.1", 3), ("192.0.2.1", 4)),
            *(("192.0.2.2", 5), ("192.0.2.1", 5)),
        ):
            socket = self.web.connect(client)
            socket.send(get_request("/wait"))
            self.assertEqual(len(self.web.running_processes()), running)
        socket.deliver()
        [answer] = socket.responses()
        self.assert_error(answer, 429, "of this client")
        self.assertEqual(answer.header("retry-after"), "1")
        self.web.end_processes()
        for running in (1, 2, 3, 4):
            self.web.connect("192.0.2.1").send(get_request("/wait"))
            self.assertEqual(len(self.web.running_processes()), running)

    def test_waits_take_no_places_of_searches(self) -> None:
        """A search runs however many wait."""
        self.web = self.make_web(running=1, waiting=0, waits=1)
        self.web.request("GET", "/wait")
        self.web.post_query(action="all")
        self.assertEqual(
            [each.executable for each in self.web.running_processes()],
            ["/sleep", "/grep"],
        )

    def test_a_wait_is_outstanding_until_its_process_ends(self) -> None:
        """The end of the service waits for a wait."""
        self.web.request("GET", "/wait")
        finished = self.web.outstanding.when_done()
        self.assertNoResult(finished)
        self.web.running_processes()[0].end()
        self.successResultOf(finished)
        self.assertEqual(len(self.web.outstanding), 0)

    def test_a_process_that_ends_badly_is_a_500(self) -> None:
        """A wait that somebody killed is an incident."""
        for ending in ({"signal": 9}, {"status": 1}):
            pending = self.web.request("GET", "/wait")
            self.web.running_processes()[0].end(**ending)
            self.web.flush_responses()
            answer = self.successResultOf(pending)
            self.assert_error(answer, 500)
            self.assertNotIn("sleep", answer.message)
            self.assertEqual(len(self.flushLoggedErrors(SleepFailed)), 1)

    def test_cancelling_what_is_outstanding_kills_the_process(self) -> None:
        """A wait can be ended early, and is then answered as shutting down."""
        pending = self.web.request("GET", "/wait")
        self.web.outstanding.cancel()
        self.web.flush_responses()
        self.assert_error(self.successResultOf(pending), 503, "shutting down")
        self.assertEqual(self.web.running_processes()[0].signals, ["KILL"])

    def test_head_waits_too(self) -> None:
        """HEAD takes as long as GET does, and has no body."""
        pending = self.web.request("HEAD", "/wait?seconds=1")
        self.assertNoResult(pending)
        self.web.running_processes()[0].end()
        self.web.flush_responses()
        answer = self.successResultOf(pending)
        self.assertEqual((answer.code, answer.body), (200, b""))
