"""
Tests for L{twisted_quotes.web.server.request}.
"""

from __future__ import annotations

from twisted.internet.address import UNIXAddress
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import IRequest
from twisted.web.resource import Resource

from twisted_quotes.errors import BadRequest, UnknownMethod
from twisted_quotes.web.server.request import (
    CLIENT_CLOSED_REQUEST,
    validate_request_head,
)

from ..clients import (
    HOST,
    LOVE_QUERY,
    FakeSocket,
    WebTestCase,
    captured_events,
    get_request,
    query_request,
    request_events,
)

CHUNKED_HEAD = (
    b"POST /api/v1/json HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: chunked\r\n\r\n"
) % HOST.encode()
SOCKET_INSTRUCTIONS = "http://127.0.0.1:8000/api/v1/web"


class ValidateRequestHeadTests(SynchronousTestCase):
    def test_valid_heads_pass(self) -> None:
        for method in b"GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH".split():
            validate_request_head(method, b"/%E2%82%AC", b"HTTP/1.1", [b"quotes.test"])
        validate_request_head(b"OPTIONS", b"*", b"HTTP/1.1", [b"quotes.test"])

    def test_only_http_1_0_needs_no_host(self) -> None:
        validate_request_head(b"GET", b"/", b"HTTP/1.0", [])
        with self.assertRaises(BadRequest):
            validate_request_head(b"GET", b"/", b"HTTP/1.1", [])

    def test_two_hosts_are_an_error(self) -> None:
        for version in (b"HTTP/1.0", b"HTTP/1.1"):
            with self.assertRaises(BadRequest) as raised:
                validate_request_head(b"GET", b"/", version, [b"a", b"a"])
            self.assertIn("2 came", raised.exception.message)

    def test_an_invalid_host_is_an_error_in_any_version(self) -> None:
        for version in (b"HTTP/1.0", b"HTTP/1.1"):
            with self.assertRaises(BadRequest):
                validate_request_head(b"GET", b"/", version, [b"a..b"])

    def test_methods_are_case_sensitive(self) -> None:
        for method in (b"get", b"BREW", b"-"):
            with self.assertRaises(UnknownMethod):
                validate_request_head(method, b"/", b"HTTP/1.1", [b"a"])

    def test_only_options_has_the_path_star(self) -> None:
        with self.assertRaises(BadRequest):
            validate_request_head(b"GET", b"*", b"HTTP/1.1", [b"a"])

    def test_a_path_that_is_not_utf_8_is_an_error(self) -> None:
        for path in (b"/%ff", b"/%C3", b"/\xff", b"/%ED%A0%80"):
            with self.assertRaises(BadRequest):
                validate_request_head(b"GET", path, b"HTTP/1.1", [b"a"])


class RequestTests(WebTestCase):
    """Tests of requests that do not reach a route."""

    def test_after_a_400_the_connection_stays_open(self) -> None:
        for head, words in (
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n", "2 came"),
            ("GET / HTTP/1.1\r\n", "0 came"),
            ("GET / HTTP/1.1\r\nHost: a..b\r\n", "must be a host name"),
            (f"GET / HTTP/1.1\r\nHost: {'x' * 70}\r\n", "must be a host name"),
            (f"GET /%ff HTTP/1.1\r\nHost: {HOST}\r\n", "must be UTF-8"),
            (f"GET * HTTP/1.1\r\nHost: {HOST}\r\n", "OPTIONS"),
        ):
            client = self.web.connect()
            client.send(f"{head}\r\n".encode())
            client.send(get_request())
            refused, got = client.responses()
            self.assertEqual((refused.code, refused.json["Code"]), (400, 400))
            self.assertIn(words, refused.message)
            host = HOST if HOST in head else "127.0.0.1:8000"
            self.assertTrue(refused.message.endswith(f" http://{host}/api/v1/web"))
            self.assertIsNotNone(refused.header("date"))
            self.assertEqual(got.code, 200)

    def test_on_loopback_other_hosts_are_refused(self) -> None:
        """This prevents DNS rebinding."""
        self.web.site.allowed_hosts = ["quotes.example"]
        for head, code in (
            ("GET /static/style.css HTTP/1.1\r\nHost: localhost:8000", 200),
            ("GET /static/style.css HTTP/1.1\r\nHost: quotes.example", 200),
            ("GET /static/style.css HTTP/1.0", 200),
            ("GET /static/style.css HTTP/1.1\r\nHost: evil.example", 400),
            ("GET /livez HTTP/1.1\r\nHost: evil.example:8000", 400),
            ("OPTIONS * HTTP/1.1\r\nHost: evil.example", 400),
            (
                "GET http://evil.example/static/style.css HTTP/1.1\r\nHost: localhost",
                400,
            ),
            (
                "GET http://localhost/static/style.css HTTP/1.1\r\nHost: evil.example",
                200,
            ),
        ):
            response = self.exchange(f"{head}\r\n\r\n".encode())
            self.assertEqual(response.code, code, head)
            if code == 400:
                self.assertIn("loopback", response.message)
                self.assertIn("--host", response.message)
                self.assertTrue(response.message.endswith(f" {SOCKET_INSTRUCTIONS}"))

    def test_a_refused_host_is_in_no_link(self) -> None:
        """Also if the request is refused before its host is checked."""
        self.web.site.allowed_hosts = []
        for head in (
            "GET / HTTP/1.1\r\nno colon\r\nHost: evil",
            "GET / HTTP/1.1\r\nHost: evil\r\nno colon",
            "POST /api/v1/json HTTP/1.1\r\nHost: evil\r\nContent-Length: 99999",
        ):
            response = self.exchange(f"{head}\r\n\r\n{'x' * 66_000}".encode())
            self.assertTrue(response.message.endswith(f" {SOCKET_INSTRUCTIONS}"), head)

    def test_an_unknown_method_is_a_501(self) -> None:
        for path in ("/", "/api/v1/json", "/x"):
            response = self.exchange(get_request(path, "BREW"))
            self.assert_error(response, 501, "HTTP method")

    def test_a_target_without_a_path_is_a_400(self) -> None:
        """RFC 9112, section 3.2."""
        for target in ("x", "?x=1", "xapi/v1/web", "a.test:80"):
            response = self.exchange(get_request(target))
            self.assert_error(response, 400)

    def test_a_target_may_be_an_absolute_uri(self) -> None:
        """RFC 9112, section 3.2.2."""
        for target, code in (
            (f"http://{HOST}/static/style.css", 200),
            (f"https://{HOST}/static/style.css?x", 200),
            (f"http://{HOST}", 200),
            (f"http://{HOST}?x", 200),
            (f"http://{HOST}/x", 404),
            (f"HTTP://{HOST}/static/style.css", 200),
            (f"hTTps://{HOST}/static/style.css", 200),
            (f"http://user@{HOST}/", 400),
            ("http://a..b/", 400),
            (f"http://{HOST}//static/style.css", 404),
            (f"http://{HOST}/%ff", 400),
            ("http:///", 400),
            ("ftp://a/", 400),
        ):
            client = self.web.connect()
            client.send(get_request(target))
            self.assertEqual(client.codes, [code], target)

    def test_the_host_of_the_target_replaces_the_header(self) -> None:
        """The header must be valid nevertheless (RFC 9112, section 3.2.2)."""
        client = self.web.connect()
        client.send(b"GET http://other.test:81/x HTTP/1.1\r\nHost: a\r\n\r\n")
        client.send(b"GET http://other.test/x HTTP/1.1\r\nHost: a..b\r\n\r\n")
        client.send(b"GET http://other.test/x HTTP/1.1\r\n\r\n")
        client.send(b"GET http://other.test/x HTTP/1.0\r\n\r\n")
        used, bad, missing, old = client.responses()
        self.assertEqual([each.code for each in (used, bad, missing)], [404, 400, 400])
        self.assertTrue(used.message.endswith(" http://other.test:81/api/v1/web"))
        self.assertTrue(old.message.endswith(" http://other.test/api/v1/web"))

    def test_http_1_0_without_a_host_is_answered(self) -> None:
        client = self.web.connect()
        client.send(b"GET /opensearch.xml HTTP/1.0\r\n\r\n")
        [response] = client.responses()
        self.assertEqual(response.code, 200)
        self.assertIn(b"http://127.0.0.1:8000/?q=", response.body)
        self.assertTrue(client.half_closed)

    def test_http_1_0_without_a_host_on_a_unix_socket_is_answered(self) -> None:
        class UnixSocket(FakeSocket):
            def getHost(self) -> UNIXAddress:  # type: ignore[override]
                return UNIXAddress("/run/quotes")

        client = UnixSocket(self.web.reactor, self.web.build_protocol())
        client.send(b"GET / HTTP/1.0\r\n\r\n")
        [response] = client.responses()
        self.assertEqual(response.code, 200)

    def test_options_for_the_server_is_answered(self) -> None:
        response = self.exchange(get_request("*", "OPTIONS"))
        self.assertEqual((response.code, response.body), (204, b""))

    def test_a_refusal_is_a_problem_for_a_client_that_names_the_type(self) -> None:
        """Its header has arrived before the request is refused."""
        accept = "Accept: application/problem+json\r\n"
        for sent, code in (
            (get_request("/%ff", headers=accept), 400),
            (get_request("/", "BREW", accept), 501),
            (get_request(headers=f"{accept}no colon\r\n"), 400),
            (query_request(b" " * 70_000, headers=accept), 413),
        ):
            response = self.exchange(sent)
            self.assertEqual(response.header("content-type"), accept[8:-2])
            self.assertEqual((response.code, response.json["status"]), (code, code))
            instance = f"urn:request-id:{response.header('x-request-id')}"
            self.assertEqual(response.json["instance"], instance)

    def test_an_error_to_head_has_no_body(self) -> None:
        response = self.exchange(get_request("/%ff", "HEAD"), "HEAD")
        self.assertEqual(response.code, 400)
        self.assertNotEqual(response.header("content-length"), "0")


class BodyTests(WebTestCase):
    def padded_query(self, size: int) -> bytes:
        return b'{"action": "all"}'.ljust(size)

    def test_a_body_of_64_kib_is_answered(self) -> None:
        client = self.web.connect()
        client.send(query_request(self.padded_query(65536)))
        [process] = self.web.running_processes()
        process.end()
        client.deliver()
        self.assertEqual(client.codes, [200])

    def test_a_longer_body_is_a_413_before_it_is_read(self) -> None:
        client = self.web.connect()
        head, _, _ = query_request(self.padded_query(65537)).partition(b"{")
        client.send(head.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
        [response] = client.responses()
        self.assert_error(response, 413, "65536 bytes")
        self.assertTrue(response.closes_connection)
        self.assertTrue(client.half_closed)

    def test_data_after_a_413_is_discarded(self) -> None:
        client = self.web.connect()
        client.send(query_request(self.padded_query(70000)))
        client.send(b"x" * 100000)
        client.send(get_request())
        self.assertEqual(client.codes, [413])
        self.assertEqual(self.web.reactor.processes, [])

    def test_a_longer_chunked_body_is_a_413_while_it_arrives(self) -> None:
        client = self.web.connect()
        client.send(CHUNKED_HEAD)
        chunk = b"8000\r\n" + b" " * 0x8000 + b"\r\n"
        client.send(chunk + chunk)
        self.assertEqual(client.responses(), [])
        client.send(b"1\r\n \r\n2\r\n  \r\n")
        [response] = client.responses()
        self.assert_error(response, 413, "65536 bytes")
        self.assertTrue(response.closes_connection)
        client.send(b"0\r\n\r\n")
        self.assertEqual(len(client.responses()), 1)

    def test_a_chunk_that_is_too_large_is_a_413_before_it_arrives(self) -> None:
        """However many digits its size has, and together with the chunks before it."""
        for body in (
            b"10001\r\n",
            b"f" * 17 + b"\r\n",
            b"f" * 1000 + b"\r\n",
            b"1\r\n \r\n10000\r\n",
        ):
            client = self.web.connect()
            client.send(CHUNKED_HEAD)
            for byte in (body[:-1], body[-1:]):
                self.assertEqual(client.responses(), [])
                client.send(byte)
            [response] = client.responses()
            self.assert_error(response, 413, "65536 bytes")
            self.assertTrue(response.closes_connection)

    def test_a_chunk_of_the_maximum_size_is_received(self) -> None:
        client = self.web.connect()
        client.send(CHUNKED_HEAD + b"0" * 20 + b"10000\r\n" + b" " * 0x10000)
        client.send(b"\r\n0\r\n\r\n")
        [response] = client.responses()
        self.assert_error(response, 400, "not JSON")

    def test_a_chunked_body_is_answered(self) -> None:
        client = self.web.connect()
        client.send(CHUNKED_HEAD + b'3\r\n{"a\r\ne\r\nction": "all"}\r\n0\r\n\r\n')
        [process] = self.web.running_processes()
        process.end()
        client.deliver()
        self.assertEqual(client.codes, [200])

    def test_expect_100_continue_is_answered(self) -> None:
        client = self.web.connect()
        head, brace, rest = query_request(headers="Expect: 100-continue\r\n").partition(
            b"{"
        )
        client.send(head)
        self.assertEqual(client.received, b"HTTP/1.1 100 Continue\r\n\r\n")
        client.send(brace + rest)
        [process] = self.web.running_processes()
        process.end()
        client.deliver()
        self.assertEqual(client.codes, [100, 200])


class FailingResource(Resource):
    """A resource that fails outside of the routes."""

    isLeaf = True

    def render(self, request: IRequest) -> bytes:
        raise ZeroDivisionError("/srv/secret")


class ProcessingTests(WebTestCase):
    def test_an_error_outside_the_routes_is_a_500(self) -> None:
        self.web = self.make_web(resource=FailingResource())
        client = self.web.connect()
        with captured_events() as events:
            client.send(get_request("/"))
        [response] = client.responses()
        self.assert_error(response, 500)
        for inside in ("secret", "ZeroDivisionError", "Traceback"):
            self.assertNotIn(inside, response.message)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        [event] = [each for each in events if "log_failure" in each]
        self.assertIn(event["id"], response.message)


class DisconnectTests(WebTestCase):
    """Tests of clients that disconnect before the response."""

    def test_a_disconnect_kills_the_grep(self) -> None:
        """Its slot is released when the process has ended."""
        self.web = self.make_web(running=1)
        client = self.web.connect()
        client.send(query_request())
        [process] = self.web.running_processes()
        client.disconnect()
        self.assertEqual(process.signals, ["KILL"])
        pending = self.web.post_query(action="all")
        self.assertEqual(self.web.running_processes(), [process])
        process.end(signal=9)
        [after] = self.web.running_processes()
        after.end()
        self.web.flush_responses()
        self.assertEqual(self.successResultOf(pending).code, 200)

    def test_after_a_disconnect_no_waiting_grep_starts(self) -> None:
        self.web = self.make_web(running=1)
        first, second = self.web.connect(), self.web.connect()
        first.send(query_request())
        second.send(query_request())
        second.disconnect()
        [process] = self.web.running_processes()
        process.end()
        self.assertEqual(self.web.running_processes(), [])
        self.assertEqual(len(self.web.outstanding), 0)

    def test_a_disconnect_kills_the_process_of_wait(self) -> None:
        client = self.web.connect()
        client.send(get_request("/wait"))
        client.disconnect()
        self.assertEqual(self.web.running_processes()[0].signals, ["KILL"])

    def test_a_half_close_is_a_disconnect(self) -> None:
        client = self.web.connect()
        client.send(query_request())
        client.half_close()
        self.web.reactor.advance(0)
        self.assertTrue(client.aborted)
        self.assertEqual(self.web.running_processes()[0].signals, ["KILL"])

    def test_a_disconnect_is_logged_with_499(self) -> None:
        client = self.web.connect()
        client.send(query_request(LOVE_QUERY))
        with captured_events() as events:
            client.disconnect()
        [event] = request_events(events)
        self.assertEqual(event["code"], CLIENT_CLOSED_REQUEST)
        self.assertEqual(event["route"], "/api/v1/json")
        self.assertEqual(event["action"], "search")
        self.assertEqual(event["bytes"], 0)
        self.assertIsNone(event["entries"])

    def test_late_output_of_a_killed_grep_is_ignored(self) -> None:
        client = self.web.connect()
        client.send(query_request())
        [process] = self.web.running_processes()
        client.disconnect()
        process.print(b"All is love.\n")
        process.end(signal=9)
        self.assertEqual(client.received, b"")
        self.assertEqual(len(self.web.outstanding), 0)
