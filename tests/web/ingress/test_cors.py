"""
Tests for L{twisted_quotes.web.ingress.cors}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.web.ingress.cors import CORSPolicy, parse_origin

from .cases import make_request

ALLOWED, OTHER = "https://app.example", "https://evil.example"
EXACT = CORSPolicy(frozenset([ALLOWED]))
ANY = CORSPolicy(frozenset(["*"]))
BOTH = CORSPolicy(frozenset([ALLOWED, "*"]))


class OriginTests(SynchronousTestCase):
    def test_an_origin_is_returned_as_browsers_send_it(self) -> None:
        for text, origin in (
            ("*", "*"),
            ("https://app.example", "https://app.example"),
            ("HTTPS://App.Example", "https://app.example"),
            ("https://app.example:443", "https://app.example"),
            ("http://app.example:80", "http://app.example"),
            ("http://app.example:443", "http://app.example:443"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("http://[::1]:3000", "http://[::1]:3000"),
            ("chrome-extension://abcdef", "chrome-extension://abcdef"),
        ):
            self.assertEqual(parse_origin(text), origin)

    def test_anything_else_is_an_error(self) -> None:
        for text in (
            *("", "null", "app.example", "https://", "https:", "//app.example"),
            *("https://app.example/", "https://app.example/a", "https://a b"),
            *("https://user@app.example", "https://app.example:", "https://*.example"),
            *("https://app.example:65536", "https://b\xfccher.example", "**"),
        ):
            with self.assertRaises(ValueError):
                parse_origin(text)


class HeaderTests(SynchronousTestCase):
    """Tests of the headers of responses."""

    def headers(
        self, policy: CORSPolicy, method: str = "GET", **headers: str
    ) -> dict[str, str]:
        """Return the headers of the response to a request, without a common prefix."""
        request = make_request(method, **headers)
        policy.set_headers(request)
        found = {}
        for name, [value] in request.responseHeaders.getAllRawHeaders():
            short = name.decode().lower().removeprefix("access-control-")
            found[short] = value.decode()
        return found

    def allowed_origin(
        self, policy: CORSPolicy, origin: str, method: str = "GET"
    ) -> str | None:
        return self.headers(policy, method, origin=origin).get("allow-origin")

    def test_without_a_policy_there_are_none(self) -> None:
        self.assertEqual(self.headers(CORSPolicy(), origin=ALLOWED), {})

    def test_only_an_exact_origin_is_allowed(self) -> None:
        for method in ("GET", "HEAD", "POST"):
            self.assertEqual(self.allowed_origin(EXACT, ALLOWED, method), ALLOWED)
        for origin in (
            *(OTHER, "null", "*", "", "http://app.example", "https://app.example:8443"),
            *("https://APP.example", "https://app.example/", f"{ALLOWED}, {ALLOWED}"),
        ):
            self.assertIsNone(self.allowed_origin(EXACT, origin), origin)

    def test_all_origins_may_be_allowed_to_get(self) -> None:
        for origin in (OTHER, "null", "*", ""):
            self.assertEqual(self.allowed_origin(ANY, origin), "*")
            self.assertEqual(self.allowed_origin(BOTH, origin), "*")
            for policy in (ANY, BOTH):
                self.assertIsNone(self.allowed_origin(policy, origin, "POST"))
        self.assertEqual(self.allowed_origin(BOTH, ALLOWED, "POST"), ALLOWED)

    def test_scripts_may_read_some_headers(self) -> None:
        for policy in (EXACT, ANY):
            exposed = self.headers(policy, origin=ALLOWED)["expose-headers"]
            self.assertEqual(exposed, "ETag, Link, Retry-After, X-Request-ID")
        self.assertNotIn("expose-headers", self.headers(EXACT, origin=OTHER))

    def test_the_response_varies_with_the_origin_unless_all_are_allowed(self) -> None:
        """Also without an origin: a cache could use it for another request."""
        for policy in (EXACT, BOTH):
            for headers in ({}, {"origin": ALLOWED}, {"origin": OTHER}):
                self.assertEqual(self.headers(policy, **headers)["vary"], "origin")
        self.assertNotIn("vary", self.headers(ANY, origin=OTHER))

    def test_the_other_headers_of_vary_are_kept(self) -> None:
        request = make_request(origin=ALLOWED)
        request.setHeader("vary", "accept")
        EXACT.set_headers(request)
        found = request.responseHeaders.getRawHeaders("vary")
        self.assertEqual(found, ["accept, origin"])

    def test_credentials_of_the_browser_are_never_allowed(self) -> None:
        for policy in (EXACT, ANY, BOTH):
            self.assertNotIn(
                "allow-credentials", self.preflight_headers(policy, ALLOWED)
            )

    def preflight_headers(self, policy: CORSPolicy, origin: str) -> dict[str, str]:
        return self.headers(
            policy, "OPTIONS", origin=origin, access_control_request_method="POST"
        )

    def test_an_exact_origin_may_post_and_authenticate(self) -> None:
        for policy in (EXACT, BOTH):
            self.assertEqual(
                self.preflight_headers(policy, ALLOWED),
                {
                    "allow-origin": ALLOWED,
                    "allow-methods": "GET, HEAD, POST",
                    "allow-headers": "Accept, Content-Type, If-None-Match, "
                    "X-Request-ID, Authorization",
                    "max-age": "7200",
                    "vary": "origin",
                },
            )

    def test_other_origins_may_get_if_all_are_allowed(self) -> None:
        for origin in (OTHER, "null"):
            self.assertEqual(
                self.preflight_headers(ANY, origin),
                {
                    "allow-origin": "*",
                    "allow-methods": "GET, HEAD",
                    "allow-headers": "Accept, Content-Type, If-None-Match, "
                    "X-Request-ID",
                    "max-age": "7200",
                },
            )
            self.assertEqual(self.preflight_headers(EXACT, origin), {"vary": "origin"})

    def test_what_is_a_preflight(self) -> None:
        headers = {"origin": OTHER, "access_control_request_method": "GET"}
        self.assertTrue(ANY.is_preflight(make_request("OPTIONS", **headers)))
        for policy, method, names in (
            (CORSPolicy(), "OPTIONS", ["origin", "access_control_request_method"]),
            (ANY, "GET", ["origin", "access_control_request_method"]),
            (ANY, "OPTIONS", ["origin"]),
            (ANY, "OPTIONS", ["access_control_request_method"]),
        ):
            request = make_request(method, **{name: headers[name] for name in names})
            self.assertFalse(policy.is_preflight(request), (method, names))
