"""
Tests of the table of all URLs.
"""

from __future__ import annotations

from ..clients import WebTestCase, get_request, query_request

PAGES = ("/", "/style.css", "/api/v1/web")


class UrlTests(WebTestCase):
    """Tests of which URLs there are, and which methods they take."""

    def test_the_pages_are_there(self) -> None:
        """Each page answers GET."""
        for url in PAGES:
            self.assertEqual(
                self.successResultOf(self.web.request("GET", url)).code, 200
            )

    def test_head_is_get_without_the_body(self) -> None:
        """HEAD works wherever GET does, and tells the same of what it leaves out."""
        for url in (*PAGES, "/x"):
            client = self.web.connect()
            client.send(get_request(url, "HEAD") + get_request(url))
            head, got = client.responses("HEAD", "GET")
            self.assertEqual((head.code, head.body), (got.code, b""))
            for name in ("content-type", "content-length"):
                self.assertEqual(head.header(name), got.header(name))
            self.assertNotEqual(got.header("content-length"), "0")

    def test_every_answer_says_what_may_be_kept(self) -> None:
        """Nobody keeps an error, or what may name the host that was called."""
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
            client = self.web.connect()
            client.send(sent)
            [answer] = client.responses(sent.split()[0].decode())
            self.assertEqual(
                (answer.code, answer.header("cache-control")),
                (code, cache_control),
                sent[:60],
            )

    def test_a_wait_and_a_stream_are_not_kept(self) -> None:
        """Nor is an answer that is sent while it is found."""
        client = self.web.connect()
        client.send(get_request("/wait?seconds=1"))
        self.web.end_processes()
        client.deliver()
        client.send(
            get_request("/api/v2/quotes", headers="Accept: application/x-ndjson\r\n")
        )
        for answer in client.responses():
            self.assertEqual(answer.code, 200)
            self.assertEqual(answer.header("cache-control"), "no-store")

    def test_what_is_no_url_is_a_404(self) -> None:
        """Near misses are not found either, and lead nowhere else."""
        for url in (
            "/x",
            "/api",
            "/api/v1/json/",
            "/api//v1/json",
            "/API/v1/json",
            "/api/v1/web/",
            "/wait/",
            "/wait/1",
            "/%00",
            "/%E2%82%AC",
            "/api/v1/json;x",
            "/api%2Fv1/web/..",
        ):
            answer = self.successResultOf(self.web.request("GET", url))
            self.assert_error(answer, 404, "nothing at that URL")
            self.assertIsNone(answer.header("location"))

    def test_a_path_with_an_empty_segment_is_a_404(self) -> None:
        """Or with a slash in one: rules of a proxy for a path hold for its URL."""
        for url in (
            "//",
            "//metrics",
            "///metrics",
            "//api/v2/quotes",
            "/%2Fmetrics",
            "/%2fmetrics",
            "%2Fmetrics",
            "/api%2Fv1%2Fweb",
            "/api/v1%2Fweb",
            "/api//v1/web",
            "/metrics/",
            "/metrics//",
            "/*",
            "/%2A",
            "/nowhere",
        ):
            for method in ("GET", "OPTIONS"):
                client = self.web.connect()
                client.send(get_request(url, method))
                [answer] = client.responses()
                code = 404 if url[0] == "/" else 400
                self.assert_error(answer, code)

    def test_a_wrong_method_is_a_405_with_allow(self) -> None:
        """Whatever the URL takes is said."""
        for url in (*PAGES, "/wait"):
            for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"):
                answer = self.successResultOf(self.web.request(method, url))
                self.assert_error(answer, 405, "GET, HEAD")
                self.assertEqual(answer.header("allow"), "GET, HEAD")

    def test_the_api_takes_post_alone(self) -> None:
        """A question in JSON has a body, so it cannot be got."""
        for method in ("GET", "PUT", "OPTIONS"):
            answer = self.successResultOf(self.web.request(method, "/api/v1/json"))
            self.assert_error(answer, 405, "POST")
            self.assertEqual(answer.header("allow"), "POST")

    def test_a_query_is_no_part_of_the_url(self) -> None:
        """A page is there with any query, in UTF-8 or not."""
        for query in ("?x=1", "?%ff", "?"):
            answer = self.successResultOf(self.web.request("GET", f"/{query}"))
            self.assertEqual(answer.code, 200)
