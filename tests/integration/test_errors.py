"""
Tests of error responses, over a real socket.
"""

from __future__ import annotations

import os
import signal

from .cases import LibraryTestCase, single_process_only
from .fake_grep import GatedPrograms
from .http_connection import Response
from .server import UNPRIVILEGED_PREFIX

HOST = b"Host: 127.0.0.1\r\n"


class ErrorTests(LibraryTestCase):
    """Tests of error responses."""

    dictionaries = {"story": "once upon a time\n"}

    def check_error(self, response: Response, code: int, *words: str) -> None:
        """Check the body of an error, and words in its message."""
        self.assertEqual(response.status, code)
        self.assertEqual(response.headers["content-type"], "application/json")
        body = response.json()
        self.assertEqual(list(body), ["Code", "message"])
        self.assertEqual(body["Code"], code)
        self.assertRegex(body["message"], r" http://[^ ]+/api/v1/web\Z")
        for word in words:
            self.assertIn(word, body["message"])
        for secret in (str(self.folder), "Traceback", "grep", "site-packages"):
            self.assertNotIn(secret, body["message"])

    def test_an_invalid_query_is_a_400(self) -> None:
        """The message says what is wrong."""
        server = self.serve()
        for query, words in (
            (b"", ["JSON"]),
            (b"{", ["JSON", "line 1, column 2", "`{ <-- HERE `"]),
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
            self.check_error(server.post_query(query), 400, *words)

    def test_bad_http_is_a_400(self) -> None:
        """The error is JSON even if no route handles the request."""
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

    def test_a_forbidden_file_is_a_403(self) -> None:
        """Only regular files in the library can be read."""
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
            *("../secret", "chapter/../../secret", "chapter/../story", str(secret)),
            *("/etc/passwd", "leaving", ".hidden", "showing", "chapter", "pipe"),
            *("locked", "story/", ".", ".."),
        ):
            query = {"action": "search", "term": "once", "dictionary": name}
            self.check_error(server.post_query(query), 403, "library")

    def test_an_unknown_url_or_method_or_parameter_is_an_error(self) -> None:
        """A dictionary or an action can be unknown too."""
        server = self.serve()
        for path in (
            "/nothing",
            "/api/v1",
            "/api//v1/json",
            "/wait/x",
        ):
            self.check_error(server.get(path), 404)
        for name in ("tale", "story/x", "x" * 300, "a/b/c", "**"):
            query = {"action": "all", "dictionary": name}
            self.check_error(server.post_query(query), 404, name, '"story"')
        for path, method, allowed in (
            ("/api/v1/json", "GET", "POST"),
            ("/api/v1/web", "POST", "GET, HEAD"),
            ("/", "DELETE", "GET, HEAD"),
            ("/wait", "PUT", "GET, HEAD"),
        ):
            response = server.get(path, method=method)
            self.check_error(response, 405, allowed)
            allow = ", ".join(sorted([*allowed.split(", "), "OPTIONS"]))
            self.assertEqual(response.headers["allow"], allow)
        response = server.post_query({"action": "serach"})
        self.check_error(response, 501, "serach", '"search"')
        for method in ("FOO", "get"):
            self.check_error(server.get("/", method=method), 501)
        for text in ("seconds=61", "seconds=-1", "seconds=x", "seconds=", "second=1"):
            self.check_error(server.get(f"/wait?{text}"), 400, "seconds")
        self.assertEqual(server.get("/wait?seconds=0").json(), {"waited": 0})

    def test_a_long_body_is_a_413(self) -> None:
        """The response is sent before the body ends."""
        server = self.serve()
        start = b"POST /api/v1/json HTTP/1.1\r\n" + HOST
        announced = start + b"Content-Length: 65537\r\n\r\n"
        chunked = start + b"Transfer-Encoding: chunked\r\n\r\n"
        chunk = b"4000\r\n" + b" " * 0x4000 + b"\r\n"
        for request in (announced, chunked + 5 * chunk):
            connection = server.connect().send(request)
            self.check_error(connection.read_response(), 413, "65536")
            self.assertTrue(connection.is_closed_by_server())
        fits = b'{"action":"all"}'.ljust(65536)
        self.assertEqual(server.post_query(fits).status, 200)

    def test_a_long_head_is_a_414_or_a_431(self) -> None:
        """The limits of the request line and of the headers differ."""
        server = self.serve()
        line = b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n"
        self.check_error(server.connect().send(line).read_response(), 414)
        for headers in (b"X: " + b"x" * 20_000 + b"\r\n", b"X: yyyyyyyy\r\n" * 3000):
            request = b"GET / HTTP/1.1\r\n" + HOST + headers + b"\r\n"
            self.check_error(server.connect().send(request).read_response(), 431)

    def test_an_unexpected_error_is_a_500_with_an_id(self) -> None:
        """The log has the same id and a traceback."""
        gated, server = self.serve_gated()
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

    def test_a_missing_grep_is_a_500(self) -> None:
        """Searches work again when it is back."""
        gated = GatedPrograms(self.folder)
        gated.open_gate()
        server = self.serve(environment=gated.environment)
        grep, aside = self.folder / "bin" / "grep", self.folder / "bin" / "aside"
        grep.rename(aside)
        self.check_error(server.post_query({"action": "all"}), 500)
        aside.rename(grep)
        self.assertEqual(server.query_results(action="all"), ["once upon a time"])

    @single_process_only("each worker has its own slot and queue")
    def test_a_full_queue_is_a_503(self) -> None:
        """The searches that run and wait are not affected."""
        gated, server = self.serve_gated("--max-running=1", "--max-waiting=1")
        query = {"action": "search", "term": "once"}
        first = server.connect().send_query(query)
        server.wait_for_search_pids(1)
        second = server.connect().send_query(query)
        third = server.connect().send_query(query).read_response()
        self.check_error(third, 503)
        self.assertGreaterEqual(int(third.headers["retry-after"]), 1)
        gated.open_gate()
        for connection in (first, second):
            self.assertEqual(connection.read_response().status, 200)

    def test_too_many_connections_are_a_503(self) -> None:
        """The connection is closed."""
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
        """Its grep is killed."""
        _, server = self.serve_gated("--timeout=0.2")
        self.check_error(
            server.post_query({"action": "search", "term": "once"}), 504, "0.2"
        )
        server.wait_for_search_pids(0)
