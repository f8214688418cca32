"""
Every row of the contract's error table, over a real socket.
"""

from __future__ import annotations

import os
import signal

from .cases import LibraryTestCase, single_process_only
from .fake_grep import GatedGrep
from .http_connection import Response
from .server import UNPRIVILEGED_PREFIX

HOST = b"Host: 127.0.0.1\r\n"


class ErrorTests(LibraryTestCase):
    """What is answered when something is wrong."""

    def setUp(self) -> None:
        """Make a library with one story in it."""
        super().setUp()
        (self.library / "story").write_text("once upon a time\n")

    def check_error(self, response: Response, code: int, *words: str) -> None:
        """Check that an error has the contract's shape, and says certain words."""
        self.assertEqual(response.status, code)
        self.assertEqual(response.headers["content-type"], "application/json")
        answer = response.json()
        self.assertEqual(list(answer), ["Code", "message"])
        self.assertEqual(answer["Code"], code)
        self.assertRegex(answer["message"], r" http://[^ ]+/api/v1/web\Z")
        for word in words:
            self.assertIn(word, answer["message"])
        for secret in (str(self.folder), "Traceback", "grep", "site-packages"):
            self.assertNotIn(secret, answer["message"])

    def test_a_question_that_is_not_well_put_is_a_400(self) -> None:
        """What is wrong with a question is said, and what would be right."""
        server = self.serve()
        for question, words in (
            (b"", ["JSON"]),
            (b"{", ["JSON", "line 1 column 2"]),
            (b'{"action":"search","term":"x","term":"y"}', ['"term"', "once"]),
            (b"[]", ["array", "object"]),
            (b'{"action":"search","term":"\xff"}', ["UTF-8"]),
            ({"term": "x"}, ["action"]),
            ({"action": 1}, ["action", "1"]),
            ({"action": "search"}, ["term"]),
            ({"action": "search", "term": "x", "n_befor": 1}, ["n_befor", "n_before"]),
            ({"action": "search", "term": "x", "n_before": 1001}, ["n_before", "1001"]),
            ({"action": "search", "term": "x", "nresults": True}, ["nresults", "true"]),
            ({"action": "search", "term": "x", "offset": 1.0}, ["offset", "1.0"]),
            ({"action": "search", "term": "a\nb"}, ["term", "line breaks"]),
            ({"action": "all", "term": "x"}, ["term", "all"]),
            ({"action": "search", "term": "(", "regex": True}, ["term", "Unmatched"]),
        ):
            self.check_error(server.post_query(question), 400, *words)

    def test_bad_http_is_a_400(self) -> None:
        """HTTP that no route sees is answered in JSON as well."""
        server = self.serve()
        for request in (
            b"nonsense\r\n\r\n",
            b"GET / HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n",
            b"GET / HTTP/1.1\r\nHost: a..b\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: " + b"a" * 70 + b"\r\n\r\n",
            b"GET /%ff HTTP/1.1\r\n" + HOST + b"\r\n",
            b"GET * HTTP/1.1\r\n" + HOST + b"\r\n",
            b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: x\r\n\r\n",
            b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: x\r\n\r\n",
            b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nx\r\n",
        ):
            self.check_error(server.connect().send(request).read_response(), 400)

    def test_what_may_not_be_read_is_a_403(self) -> None:
        """Nothing outside the library is read, and nothing that is not a plain file."""
        secret = self.folder / "secret"
        secret.write_text("once outside\n")
        (self.library / "leaving").symlink_to(secret)
        (self.library / ".hidden").write_text("once hidden\n")
        (self.library / "showing").symlink_to(".hidden")
        (self.library / "chapter").mkdir()
        os.mkfifo(self.library / "pipe")
        (self.library / "locked").write_text("once locked\n")
        (self.library / "locked").chmod(0)
        server = self.serve("--default-dictionary=story", prefix=UNPRIVILEGED_PREFIX)
        for name in (
            "../secret",
            "chapter/../../secret",
            "chapter/../story",
            str(secret),
            "/etc/passwd",
            "leaving",
            ".hidden",
            "showing",
            "chapter",
            "pipe",
            "locked",
            "story/",
            ".",
            "..",
        ):
            question = {"action": "search", "term": "once", "dictionary": name}
            self.check_error(server.post_query(question), 403, "library")

    def test_what_is_not_there_is_a_404(self) -> None:
        """A URL or a dictionary that does not exist is a 404."""
        server = self.serve()
        for path in (
            "/nothing",
            "/api/v1",
            "/api/v1/json/",
            "/api//v1/json",
            "/wait/x",
        ):
            self.check_error(server.get(path), 404)
        for name in ("tale", "story/x", "x" * 300, "a/b/c", "**"):
            question = {"action": "all", "dictionary": name}
            self.check_error(server.post_query(question), 404, name, '"story"')

    def test_the_wrong_method_is_a_405_that_says_which_are_right(self) -> None:
        """A known method that the URL does not take is a 405 with Allow."""
        server = self.serve()
        for path, method, allowed in (
            ("/api/v1/json", "GET", "POST"),
            ("/api/v1/web", "POST", "GET, HEAD"),
            ("/", "DELETE", "GET, HEAD"),
            ("/wait", "PUT", "GET, HEAD"),
        ):
            response = server.get(path, method=method)
            self.check_error(response, 405, allowed)
            self.assertEqual(response.headers["allow"], allowed)

    def test_a_long_body_is_a_413_before_it_is_read(self) -> None:
        """A body over the limit is refused before it has come to its end."""
        server = self.serve()
        announced = (
            b"POST /api/v1/json HTTP/1.1\r\n" + HOST + b"Content-Length: 65537\r\n\r\n"
        )
        chunked = (
            b"POST /api/v1/json HTTP/1.1\r\n"
            + HOST
            + b"Transfer-Encoding: chunked\r\n\r\n"
        )
        chunk = b"4000\r\n" + b" " * 0x4000 + b"\r\n"
        for request in (announced, chunked + 5 * chunk):
            connection = server.connect().send(request)
            self.check_error(connection.read_response(), 413, "65536")
            self.assertTrue(connection.is_closed_by_server())
        fits = b'{"action":"all"}'.ljust(65536)
        self.assertEqual(server.post_query(fits).status, 200)

    def test_a_long_head_is_a_414_or_a_431(self) -> None:
        """A request line or headers that are too long are refused as such."""
        server = self.serve()
        line = b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n"
        self.check_error(server.connect().send(line).read_response(), 414)
        for headers in (b"X: " + b"x" * 20_000 + b"\r\n", b"X: yyyyyyyy\r\n" * 3000):
            request = b"GET / HTTP/1.1\r\n" + HOST + headers + b"\r\n"
            self.check_error(server.connect().send(request).read_response(), 431)

    def test_what_nobody_foresaw_is_a_500_with_an_id(self) -> None:
        """A grep that is killed from outside is a 500; the log tells more."""
        gated = GatedGrep(self.folder)
        server = self.serve(environment=gated.environment)
        connection = server.connect().send_query({"action": "search", "term": "once"})
        [pid] = server.wait_for_search_pids(1)
        os.kill(pid, signal.SIGKILL)
        response = connection.read_response()
        self.check_error(response, 500)
        identity = server.wait_for_log_line(r"Request ([0-9a-f]+) failed")[1]
        self.assertIn(identity, response.json()["message"])
        server.wait_for_log_line("Traceback")
        gated.open_gate()
        self.assertEqual(
            server.query_results(action="search", term="once"), ["once upon a time"]
        )

    def test_a_grep_that_is_gone_is_a_500(self) -> None:
        """A grep that was removed while the server ran is a 500, and comes back."""
        gated = GatedGrep(self.folder)
        gated.open_gate()
        server = self.serve(environment=gated.environment)
        grep, aside = self.folder / "bin" / "grep", self.folder / "bin" / "aside"
        grep.rename(aside)
        self.check_error(server.post_query({"action": "all"}), 500)
        aside.rename(grep)
        self.assertEqual(server.query_results(action="all"), ["once upon a time"])

    def test_what_is_not_known_is_a_501(self) -> None:
        """An unknown action, and an unknown HTTP method, are 501s."""
        server = self.serve()
        self.check_error(
            server.post_query({"action": "serach"}), 501, "serach", '"search"'
        )
        for method in ("FOO", "get"):
            self.check_error(server.get("/", method=method), 501)

    @single_process_only("each worker has a place, and another one to wait in")
    def test_too_much_at_once_is_a_503(self) -> None:
        """When all places are taken, and as many wait as may, the next one is told."""
        gated = GatedGrep(self.folder)
        server = self.serve(
            "--max-running=1", "--max-waiting=1", environment=gated.environment
        )
        question = {"action": "search", "term": "once"}
        first = server.connect().send_query(question)
        server.wait_for_search_pids(1)
        second = server.connect().send_query(question)
        third = server.connect().send_query(question).read_response()
        self.check_error(third, 503)
        self.assertGreaterEqual(int(third.headers["retry-after"]), 1)
        gated.open_gate()
        for connection in (first, second):
            self.assertEqual(connection.read_response().status, 200)

    def test_too_many_connections_are_a_503(self) -> None:
        """A connection over the limit gets a 503 and is closed."""
        server = self.serve("--max-connections=2")
        held = [server.connect().send_get("/") for _ in range(2)]
        for connection in held:
            self.assertEqual(connection.read_response().status, 200)
        surplus = server.connect()
        response = surplus.read_response()
        self.check_error(response, 503)
        self.assertIn("retry-after", response.headers)
        self.assertTrue(surplus.is_closed_by_server())

    def test_a_search_that_takes_too_long_is_a_504(self) -> None:
        """A search past its time limit is a 504, and its grep is killed."""
        gated = GatedGrep(self.folder)
        server = self.serve("--timeout=0.2", environment=gated.environment)
        self.check_error(
            server.post_query({"action": "search", "term": "once"}), 504, "0.2"
        )
        server.wait_for_search_pids(0)

    def test_a_wait_that_is_not_well_put_is_a_400(self) -> None:
        """The one parameter of /wait is a whole number from 0 to 60."""
        server = self.serve()
        for query in ("seconds=61", "seconds=-1", "seconds=x", "seconds=", "second=1"):
            self.check_error(server.get(f"/wait?{query}"), 400, "seconds")
        self.assertEqual(server.get("/wait?seconds=0").json(), {"waited": 0})
