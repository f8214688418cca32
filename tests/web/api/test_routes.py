"""
Tests of all URLs.
"""

from __future__ import annotations

from itertools import product

from ..clients import WebTestCase, get_request, query_request

PAGES = ("/", "/style.css", "/api/v1/web")


class UrlTests(WebTestCase):
    """Tests of URLs, methods and Cache-Control."""

    def test_head_is_get_without_the_body(self) -> None:
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
        style, data = "max-age=3600", "no-cache"
        for sent, code, cache_control in (
            (get_request("/style.css"), 200, style),
            (get_request("/style.css", "HEAD"), 200, style),
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
            (get_request("*", "OPTIONS"), 200, "no-store"),
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
            "/x /api /api/v1/json/ /api//v1/json /API/v1/json /api/v1/web/ /wait/ "
            "/wait/1 /%00 /%E2%82%AC /api/v1/json;x /api%2Fv1/web/.."
        )
        for url in unknown.split():
            response = self.get(url)
            self.assert_error(response, 404, "nothing at that URL")
            self.assertIsNone(response.header("location"))

    def test_a_path_that_is_not_canonical_is_a_404(self) -> None:
        """The rules of a proxy for a path must apply to its URL."""
        paths = (
            "// //metrics ///metrics //api/v2/quotes /%2Fmetrics /%2fmetrics "
            "%2Fmetrics /api%2Fv1%2Fweb /api/v1%2Fweb /api//v1/web /metrics/ "
            "/metrics// /* /%2A /nowhere"
        )
        for url in paths.split():
            for method in ("GET", "OPTIONS"):
                response = self.exchange(get_request(url, method))
                code = 404 if url[0] == "/" else 400
                self.assert_error(response, code)

    def test_a_wrong_method_is_a_405_with_allow(self) -> None:
        v2 = "quotes", "quotes/random", f"quotes/{'0' * 24}", "dictionaries"
        for urls, allow, methods in (
            (
                (*PAGES, "/wait", *(f"/api/v2/{path}" for path in v2)),
                "GET, HEAD",
                ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"),
            ),
            (("/api/v1/json",), "POST", ("GET", "PUT", "OPTIONS")),
        ):
            for url, method in product(urls, methods):
                response = self.get(url, method)
                self.assert_error(response, 405, allow)
                self.assertEqual(response.header("allow"), allow)

    def test_pages_ignore_the_query(self) -> None:
        for query in ("?x=1", "?%ff", "?"):
            response = self.get(f"/{query}")
            self.assertEqual(response.code, 200)
