"""
Tests of all URLs.
"""

from __future__ import annotations

import json
from re import sub
from shlex import join
from typing import Any

from ..clients import (
    HOST,
    LOVE_QUERY,
    WebTestCase,
    captured_events,
    get_request,
    query_request,
    request_events,
)

PAGES = ("/", "/static/style.css", "/api/v1/web")


class UrlTests(WebTestCase):
    """Tests of URLs, methods and Cache-Control."""

    def test_head_is_get_without_the_body(self) -> None:
        self.render_instructions()
        for url, code in (*((page, 200) for page in PAGES), ("/x", 404)):
            client = self.web.connect()
            client.send(get_request(url, "HEAD") + get_request(url))
            head, get = client.responses("HEAD", "GET")
            self.assertEqual((head.code, head.body), (code, b""))
            self.assertEqual(get.code, code)
            for name in ("content-type", "content-length"):
                self.assertEqual(head.header(name), get.header(name))
            self.assertNotEqual(get.header("content-length"), "0")

    def test_every_response_has_cache_control(self) -> None:
        """No error and no page, which has the Host of its request, is cached."""
        self.render_instructions()
        style, data = "max-age=3600", "no-cache"
        for sent, code, cache_control in (
            (get_request("/static/style.css"), 200, style),
            (get_request("/static/style.css", "HEAD"), 200, style),
            (get_request("/api/v2/quotes"), 200, data),
            (get_request("/api/v2/quotes?dictionary=none"), 404, "no-store"),
            (get_request("/api/v2/dictionaries"), 200, data),
            (get_request("/"), 200, "no-store"),
            (get_request("/api/v1/web"), 200, "no-store"),
            (get_request("/wait?x"), 400, "no-store"),
            (get_request("/livez"), 200, "no-store"),
            (get_request("/metrics"), 200, "no-store"),
            (get_request("/x"), 404, "no-store"),
            (get_request("/", "POST"), 405, "no-store"),
            (get_request("/", "BREW"), 501, "no-store"),
            (get_request("*", "OPTIONS"), 204, "no-store"),
            (get_request("/", "OPTIONS"), 204, "no-store"),
            (query_request({"action": "list"}), 200, "no-store"),
            (query_request(b"{"), 400, "no-store"),
            (b"hello\r\n", 400, "no-store"),
        ):
            response = self.exchange(sent, sent.split()[0].decode())
            self.assertEqual(
                (response.code, response.header("cache-control")),
                (code, cache_control),
                sent[:60],
            )

    def test_a_wait_and_a_stream_are_not_cached(self) -> None:
        client = self.web.connect()
        client.send(get_request("/wait?seconds=1"))
        self.web.end_processes()
        client.deliver()
        client.send(
            get_request("/api/v2/quotes", headers="Accept: application/x-ndjson\r\n")
        )
        for response in client.responses():
            self.assertEqual(response.code, 200)
            self.assertEqual(response.header("cache-control"), "no-store")

    def test_an_unknown_url_is_a_404(self) -> None:
        unknown = (
            "/x /x/ /api /api/ /api//v1/json /API/v1/json /wait/1 /wait/1/ /%00 "
            "/%E2%82%AC /api/v1/json;x /api%2Fv1/web/.."
        )
        for url in unknown.split():
            response = self.get(url)
            self.assert_error(response, 404, "nothing at that URL")
            self.assertIsNone(response.header("location"))

    def test_a_path_that_is_not_canonical_is_a_404(self) -> None:
        """The rules of a proxy for a path must apply to its URL."""
        paths = (
            "// //metrics ///metrics //api/v2/quotes /%2Fmetrics /%2fmetrics "
            "%2Fmetrics /api%2Fv1%2Fweb /api/v1%2Fweb /api//v1/web /metrics// "
            "/metrics/%2F //metrics/ /* /*/ /%2A /nowhere"
        )
        for url in paths.split():
            for method in ("GET", "OPTIONS"):
                response = self.exchange(get_request(url, method))
                code = 404 if url[0] == "/" else 400
                self.assert_error(response, code)

    def test_a_url_with_a_trailing_slash_is_the_url_without_it(self) -> None:
        """There is no redirect: clients do not repeat a POST."""
        self.render_instructions()
        for url in (
            "/static/style.css",
            "/api/v1/web",
            "/api/v2/dictionaries",
            "/livez",
        ):
            plain, with_slash = self.get(url), self.get(f"{url}/")
            self.assertEqual((with_slash.code, with_slash.body), (200, plain.body))
        self.assert_error(self.get("/wait/?x=1"), 400, '"x" is not known')
        posted = self.web.request("POST", "/api/v1/json/", b'{"action": "list"}')
        self.assertEqual(self.successResultOf(posted).code, 200)

    def test_a_wrong_method_is_a_405_that_says_how_to_ask(self) -> None:
        """The command in the message works in a shell."""
        quoted = f"/api/v2/quotes/{'0' * 24}'$x"
        search = json.dumps(LOVE_QUERY)
        for url, allow, arguments in (
            *((url, "GET, HEAD, OPTIONS", [url]) for url in (*PAGES, "/wait", quoted)),
            ("/livez/", "GET, HEAD, OPTIONS", ["/livez"]),
            ("/api/v2/quotes", "GET, HEAD, OPTIONS", ["/api/v2/quotes?term=love"]),
            ("/api/v1/json", "OPTIONS, POST", ["-d", search, "/api/v1/json"]),
        ):
            *options, path = arguments
            command = join(["curl", *options, f"http://{HOST}{path}"])
            methods = allow.replace(", OPTIONS", "").replace("OPTIONS, ", "")
            for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "TRACE"):
                if method in methods:
                    continue
                response = self.get(url, method)
                self.assert_error(
                    response,
                    405,
                    f"takes the methods {methods}. Send the request as: {command} Inst",
                )
                self.assertEqual(response.header("allow"), allow)

    def test_options_lists_the_methods_of_a_url(self) -> None:
        """RFC 9110, section 9.3.7. There is no body."""
        for url, allow in (
            *((url, "GET, HEAD, OPTIONS") for url in (*PAGES, "/metrics", "/livez/")),
            ("/api/v2/quotes", "GET, HEAD, OPTIONS"),
            ("/api/v1/json", "OPTIONS, POST"),
            ("*", "GET, HEAD, OPTIONS, POST"),
        ):
            with captured_events() as events:
                response = self.exchange(get_request(url, "OPTIONS"))
            self.assertEqual((response.code, response.body), (204, b""))
            self.assertEqual(response.header("allow"), allow)
            for name in ("content-length", "content-type", "transfer-encoding"):
                self.assertIsNone(response.header(name))
            [event] = request_events(events)
            self.assertIsNone(event["error"])
        self.assert_error(self.get("/x", "OPTIONS"), 404)

    def test_pages_ignore_the_query(self) -> None:
        for query in ("?x=1", "?%ff", "?"):
            response = self.get(f"/{query}")
            self.assertEqual(response.code, 200)


class DocumentTests(WebTestCase):
    """Tests that the routes and the OpenAPI document are the same."""

    def test_every_route_is_in_the_document(self) -> None:
        """Except C{OPTIONS *}, which has no path; and HEAD, which is GET."""
        resource: Any = self.web.resource
        routes = {
            (method, sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
            for rule in resource._app.url_map.iter_rules()
            for method in rule.methods - {"HEAD"}
        }
        document = self.get("/openapi.json").json
        documented = {
            (method.upper(), path)
            for path, operations in document["paths"].items()
            for method in operations
        }
        self.assertEqual(routes, documented | {("OPTIONS", "/*")})
        self.assertGreater(len(documented), 12)
