"""
Tests of C{/wait}.
"""

from __future__ import annotations

from errno import EAGAIN

from twisted_quotes.web.api.wait import SleepFailed

from ..clients import get_request
from .cases import SearchTestCase


class WaitTests(SearchTestCase):
    """Tests of the route, with fake processes."""

    def test_the_response_comes_when_the_process_has_ended(self) -> None:
        pending = self.web.request("GET", "/wait")
        [process] = self.web.running_processes()
        self.assertEqual(process.executable, "/sleep")
        self.assertEqual(process.arguments[1:], ("10",))
        self.assertEqual(process.environment, {})
        self.web.reactor.advance(60)
        self.web.flush_responses()
        response = self.finish(pending)
        self.assertEqual(response.code, 200)
        self.assertEqual(response.json, {"waited": 10})

    def test_the_client_chooses_the_seconds(self) -> None:
        for seconds in ("0", "2", "60"):
            pending = self.web.request("GET", f"/wait?seconds={seconds}")
            [process] = self.web.running_processes()
            self.assertEqual(process.arguments[1:], (seconds,))
            response = self.finish(pending)
            self.assertEqual(response.json, {"waited": int(seconds)})

    def test_wrong_parameters_are_a_400(self) -> None:
        for query, words in (
            ("seconds=61", "0 to 60"),
            ("seconds=-1", "0 to 60"),
            ("seconds", "0 to 60"),
            ("seconds=1;x=2", "0 to 60"),
            ("seconds=1&x", '"x"'),
            ("seconds=%ff", "UTF-8"),
        ):
            response = self.get(f"/wait?{query}")
            self.assert_error(response, 400, words)
        self.assertEqual(self.web.reactor.processes, [])

    def test_a_rejected_client_gets_a_slot_later(self) -> None:
        """Even if another client always sends a new request when a wait ends."""
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

    def test_a_full_queue_is_a_503(self) -> None:
        self.web = self.make_web(waits=1)
        first = self.web.request("GET", "/wait")
        response = self.get("/wait")
        self.assert_error(response, 503, "Too many")
        self.assertEqual(response.header("retry-after"), "1")
        self.assertNoResult(first)

    def test_a_process_that_cannot_start_takes_no_slot(self) -> None:
        self.web = self.make_web(waits=1)
        for _ in range(2):
            self.web.reactor.spawn_error = OSError(EAGAIN, "no more processes")
            response = self.get("/wait")
            self.assert_error(response, 503, "processes")
        self.web.reactor.spawn_error = None
        self.assertEqual(self.finish(self.web.request("GET", "/wait")).code, 200)

    def test_a_client_has_half_of_the_slots_while_others_wait(self) -> None:
        """It may have all slots while it is the only client."""
        self.web = self.make_web(waits=6)
        for client, running in (
            *(("192.0.2.1", 1), ("192.0.2.1", 2), ("192.0.2.1", 3), ("192.0.2.1", 4)),
            *(("192.0.2.2", 5), ("192.0.2.1", 5)),
        ):
            socket = self.web.connect(client)
            socket.send(get_request("/wait"))
            self.assertEqual(len(self.web.running_processes()), running)
        socket.deliver()
        [response] = socket.responses()
        self.assert_error(response, 429, "of this client")
        self.assertEqual(response.header("retry-after"), "1")
        self.web.end_processes()
        for running in (1, 2, 3, 4):
            self.web.connect("192.0.2.1").send(get_request("/wait"))
            self.assertEqual(len(self.web.running_processes()), running)

    def test_waits_take_no_slots_of_searches(self) -> None:
        self.web = self.make_web(running=1, waiting=0, waits=1)
        self.web.request("GET", "/wait")
        self.web.post_query(action="all")
        self.assertEqual(
            [each.executable for each in self.web.running_processes()],
            ["/sleep", "/grep"],
        )

    def test_a_wait_is_outstanding_until_its_process_ends(self) -> None:
        self.web.request("GET", "/wait")
        finished = self.web.outstanding.when_done()
        self.assertNoResult(finished)
        self.web.running_processes()[0].end()
        self.successResultOf(finished)
        self.assertEqual(len(self.web.outstanding), 0)

    def test_a_process_that_fails_is_a_500(self) -> None:
        for ending in ({"signal": 9}, {"status": 1}):
            response = self.finish(self.web.request("GET", "/wait"), **ending)
            self.assert_error(response, 500)
            self.assertNotIn("sleep", response.message)
            self.assertEqual(len(self.flushLoggedErrors(SleepFailed)), 1)

    def test_a_shutdown_kills_the_process(self) -> None:
        pending = self.web.request("GET", "/wait")
        self.web.outstanding.cancel()
        self.web.flush_responses()
        self.assert_error(self.successResultOf(pending), 503, "shutting down")
        self.assertEqual(self.web.running_processes()[0].signals, ["KILL"])

    def test_head_waits_like_get(self) -> None:
        response = self.finish(self.web.request("HEAD", "/wait?seconds=1"))
        self.assertEqual((response.code, response.body), (200, b""))
