"""
Tests for L{twisted_quotes.web.api.quotable.resource}.
"""

from __future__ import annotations

import json
from gzip import decompress
from typing import Any

from twisted.web.resource import IResource, Resource
from zope.interface.verify import verifyObject

from twisted_quotes.web.api.quotable.resource import (
    QuotableResource,
    is_quotable_path,
)
from twisted_quotes.web.authentication.credentials import make_portal
from twisted_quotes.web.ingress.cors import CORSPolicy
from twisted_quotes.web.ingress.request import Ingress

from ...authentication.cases import make_password_file
from ...clients import ClientResponse, get_request
from .cases import QuotableTestCase

URLS = (
    *("/random", "/quotes", "/quotes/random", f"/quotes/{'0' * 24}", "/authors"),
    *("/authors/john-lennon", "/tags", "/search/quotes", "/search/authors"),
)
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


class QuotableResourceTests(QuotableTestCase):
    def exchange_headers(
        self, path: str, method: str = "GET", **headers: str
    ) -> ClientResponse:
        """Send a request with headers to the site, and return the response."""
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return self.exchange(get_request(path, method, lines), method)

    def test_it_is_a_resource(self) -> None:
        verifyObject(IResource, QuotableResource(Resource(), Resource()))

    def test_without_the_option_there_are_no_such_urls(self) -> None:
        self.web = self.make_web()
        for url in ("/random", "/tags", "/search/quotes", "/quotes/random"):
            self.assert_error(self.request(url), 404)

    def test_other_urls_are_those_of_the_service(self) -> None:
        self.assertEqual(self.request("/livez").json, {"status": "ok"})
        unknown = "/x //random /%2Frandom /search /quotes/a/b /Random"
        for url in unknown.split():
            response = self.request(url)
            self.assert_error(response, 404)
            self.assertIsNone(response.header("access-control-allow-origin"))
        response = self.request("/api/v2/dictionaries")
        self.assertIsNone(response.header("access-control-allow-origin"))

    def test_scripts_of_any_origin_may_read_all_responses(self) -> None:
        for url in URLS:
            response = self.exchange_headers(url, Origin="https://a.example")
            self.assertEqual(response.header("access-control-allow-origin"), "*", url)
            self.assertEqual("statusCode" in response.json, response.code != 200)

    def test_an_exact_origin_may_send_more_than_the_others(self) -> None:
        policy = CORSPolicy(frozenset(["https://a.example"]), is_quotable_path)
        self.web = self.make_web(quotable=True, ingress=Ingress(cors_policy=policy))
        preflight = {"Access-Control-Request-Method": "GET"}
        for origin, allowed, methods in (
            ("https://a.example", "https://a.example", "GET, HEAD, POST"),
            ("https://b.example", "*", "GET, HEAD"),
        ):
            response = self.exchange_headers(
                "/random", "OPTIONS", Origin=origin, **preflight
            )
            self.assertEqual(response.header("access-control-allow-origin"), allowed)
            self.assertEqual(response.header("access-control-allow-methods"), methods)
            self.assertEqual(response.header("vary"), "origin")

    def test_other_methods_and_headers_are_those_of_all_urls(self) -> None:
        """Responses are compressed, and OPTIONS lists the methods."""
        response = self.exchange_headers("/tags", "OPTIONS")
        self.assertEqual(response.header("allow"), "GET, HEAD, OPTIONS")
        for number in range(20):
            (self.folder / f"dictionary-{number}").write_text("Love.\n")
        self.web.reactor.advance(60)
        response = self.exchange_headers("/tags", **{"Accept-Encoding": "gzip"})
        self.assertEqual(response.header("content-encoding"), "gzip")
        self.assertEqual(len(json.loads(decompress(response.body))["results"]), 22)

    def test_malformed_http_is_a_400(self) -> None:
        """It has no path."""
        for request in (b"nonsense\r\n\r\n", b"GET /tags HTTP/1.1\r\nno colon\r\n\r\n"):
            client = self.web.connect()
            client.send(request)
            self.assertEqual(client.codes, [400], request)

    def test_a_preflight_is_answered_without_credentials(self) -> None:
        passwords = self.temporary_folder / "passwords"
        passwords.write_text("alice:secret\n")
        portal = make_portal([make_password_file(passwords)])
        self.web = self.make_web(quotable=True, portal=portal)
        for url in URLS:
            response = self.exchange_headers(
                url,
                "OPTIONS",
                Origin="https://a.example",
                **{"Access-Control-Request-Method": "GET"},
            )
            self.assertEqual((response.code, response.body), (204, b""))
            self.assertEqual(response.header("access-control-allow-origin"), "*")
            self.assertEqual(
                response.header("access-control-allow-methods"), "GET, HEAD"
            )

    def test_clients_are_authenticated(self) -> None:
        """Before anything is said about a URL."""
        passwords = self.temporary_folder / "passwords"
        passwords.write_text("alice:secret\n")
        portal = make_portal([make_password_file(passwords)])
        self.web = self.make_web(quotable=True, portal=portal)
        for method in ("GET", "POST"):
            for url in URLS:
                response = self.finish(self.web.request(method, url))
                self.assert_quotable_error(response, 401, "requires authentication")
                self.assertTrue(response.headers.hasHeader("www-authenticate"))
        response = self.request("/random", {"Authorization": "Bearer alice.secret"})
        self.assertEqual(response.code, 200)

    def test_a_wrong_method_is_a_405(self) -> None:
        for url in URLS:
            response = self.finish(self.web.request("POST", url))
            self.assert_quotable_error(response, 405, "GET")
            self.assertIn("GET", response.header("allow") or "")

    def test_head_is_get_without_the_body(self) -> None:
        head = self.exchange_headers("/quotes", "HEAD")
        get = self.exchange_headers("/quotes")
        self.assertEqual((head.code, head.body), (200, b""))
        self.assertEqual(head.header("content-length"), get.header("content-length"))

    def test_a_trailing_slash_is_ignored(self) -> None:
        for url in ("/quotes/", "/authors/john-lennon/", "/tags/"):
            response = self.request(url)
            self.assertEqual(response.code, 200)
            self.assertEqual(response.json, self.request(url[:-1]).json)

    def test_a_slash_in_a_segment_is_no_separator(self) -> None:
        for url in ("/quotes/%2Frandom", "/authors/a%2Fb"):
            self.assert_quotable_error(self.request(url), 404)

    def test_browsers_get_the_pages_with_the_same_urls(self) -> None:
        """Which are those of the other resource."""

        class Pages(Resource):
            isLeaf = True

            def render(self, request: Any) -> bytes:
                request.setHeader(b"content-length", b"4")
                return b"page"

        self.web = self.make_web(resource=Pages(), quotable=True)
        pages = f"/quotes/{'0' * 24}", "/authors"
        for url in pages:
            for accept in (BROWSER, "text/html", "text/*", "text/html, */*;q=0.1"):
                response = self.exchange_headers(url, Accept=accept)
                self.assertEqual(response.body, b"page", (url, accept))
                self.assertIn("accept", response.header("vary") or "")
            for accept in (
                *("*/*", "application/json", "application/json, text/plain, */*"),
                *("text/html;q=0.5, application/json", ""),
            ):
                response = self.exchange_headers(url, Accept=accept)
                self.assertEqual(response.header("content-type"), "application/json")
                self.assertIn("accept", response.header("vary") or "")
        for url in {*URLS} - {*pages}:
            response = self.exchange_headers(url, Accept=BROWSER)
            self.assertEqual(response.header("content-type"), "application/json")

    def test_an_error_of_the_service_is_one_of_quotable(self) -> None:
        """Such as one that asks the client to try again."""
        self.web = self.make_web(quotable=True, running=1, waiting=0)
        busy = self.web.connect()
        busy.send(get_request("/search/quotes?query=love"))
        self.assertEqual(len(self.web.running_processes()), 1)
        response = self.exchange_headers("/search/quotes?query=life")
        self.assert_quotable_error(response, 503, "Try again")
        self.assertEqual(response.header("retry-after"), "1")
