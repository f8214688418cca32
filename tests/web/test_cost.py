"""
Tests of the CPU time that hostile headers and parameters take.

The time must be at most linear in the length of the value.
"""

from __future__ import annotations

from collections.abc import Iterator
from time import process_time

from twisted_quotes.web.authentication.credentials import make_portal
from twisted_quotes.web.ingress.cors import CORSPolicy
from twisted_quotes.web.ingress.request import Ingress
from twisted_quotes.web.ingress.trusted_proxies import TrustedProxies

from .authentication.cases import make_password_file
from .clients import WebTestCase

SHORT, LONG = 1_000, 15_000

# The shortest of several runs counts. For a quadratic parser, the ratio is
# (LONG / SHORT) ** 2.
MAX_RATIO = 4 * LONG / SHORT
REPEATS = 3

# A shorter time is not measured, in seconds.
NEGLIGIBLE = 0.004

PIECES = (
    b" ",
    b"\t",
    b",",
    b";",
    b'"',
    b"\\",
    b'\\"',
    b"=",
    b"*",
    b"/",
    b"a/b,",
    b"a/b;a=b,",
    b"*/*;q=0.1,",
    b';a="b",',
    b';a="\\',
    b";q=1",
    b"q=",
    b'"a",',
    b'W/"',
    b"W/",
    b"%41",
    b"%e2%82%ac",
    b"a%cc%81",
    b"\xff",
    b"\\u0061",
    b"0",
    b"1.",
    b"a.",
    b"a:",
    b"[",
    b"(",
    b"&",
    b"a&",
    b"a=b&",
    b"a=b;",
    b"192.0.2.1,",
    b"for=192.0.2.1,",
    b"a=b,",
    b"/a",
)

HEADER_TEMPLATES = (b"%b", b"a/b %b x", b'a/b;x="%b"', b'a/b;x="%b', b'"%b"', b"1%b!")

HEADERS = (
    b"Accept Accept-Encoding Authorization Connection Content-Encoding Content-Length "
    b"Content-Type Cookie Expect Host If-None-Match Range Transfer-Encoding "
    b"X-Request-ID"
).split()

INGRESS_HEADERS = (
    b"Forwarded X-Forwarded-For X-Forwarded-Host X-Forwarded-Prefix X-Forwarded-Proto "
    b"Origin Access-Control-Request-Headers Access-Control-Request-Method"
).split()

TARGETS = (
    b"/ http:// http://a/ /api/v2/quotes/ /api/v2/quotes? /api/v2/quotes?author= "
    b"/api/v2/quotes?dictionary= /api/v2/quotes/random?seed= /wait? /wait?seconds="
).split()


def header_values(size: int) -> Iterator[bytes]:
    """Yield values of about a size, each a repeated piece in a template."""
    for frame in HEADER_TEMPLATES:
        for piece in PIECES:
            yield frame % (piece * (size // len(piece)))


class CostTests(WebTestCase):
    def measure_cost(self, request: bytes) -> float:
        """Return the CPU time of a request, in seconds."""
        client = self.web.connect()
        began = process_time()
        client.send(request)
        took = process_time() - began
        self.web.end_processes()
        client.disconnect()
        return took

    def assert_linear(self, before: bytes, after: bytes, escape: bool = False) -> None:
        """
        Assert that the time is at most linear in the length of the value.

        @param before: the part of the request before the value.
        @param after: the part of the request after the value.
        @param escape: whether the value is in a URL.
        """
        for short, long in zip(header_values(SHORT), header_values(LONG), strict=True):
            few, many = (
                before + (_escape_target(each) if escape else each) + after
                for each in (short, long)
            )
            if self.measure_cost(many) < NEGLIGIBLE:
                continue
            took = min(self.measure_cost(many) for _ in range(REPEATS))
            limit = MAX_RATIO * min(self.measure_cost(few) for _ in range(REPEATS))
            self.assertLess(took, max(limit, NEGLIGIBLE), few[:100])

    def test_headers(self) -> None:
        """Each header that is parsed; /metrics has a parser of its own."""
        pairs = [(b"/api/v2/quotes", name) for name in HEADERS]
        for path, name in (*pairs, (b"/metrics", b"Accept")):
            host = b"Host: a\r\n" * (name != b"Host")
            head = b"GET %b HTTP/1.1\r\n%b%b: " % (path, host, name)
            self.assert_linear(head, b"\r\n\r\n")

    def test_headers_of_proxies_and_of_other_origins(self) -> None:
        origins = frozenset(["https://app.example"])
        trusted = TrustedProxies.parse("192.0.2.0/24")
        self.web = self.make_web(ingress=Ingress(trusted, "/a", CORSPolicy(origins)))
        for name in INGRESS_HEADERS:
            head = b"OPTIONS /a/ HTTP/1.1\r\nHost: a\r\n" + name + b": "
            self.assert_linear(head, b"\r\n\r\n")

    def test_credentials(self) -> None:
        passwords = self.temporary_folder / "passwords"
        passwords.write_text("alice:secret\n")
        self.web = self.make_web(portal=make_portal([make_password_file(passwords)]))
        for scheme in (b"", b"Basic ", b"Bearer ", b"Bearer a."):
            head = b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: " + scheme
            self.assert_linear(head, b"\r\n\r\n")

    def test_targets(self) -> None:
        for target in TARGETS:
            self.assert_linear(
                b"GET " + target, b" HTTP/1.1\r\nHost: a\r\n\r\n", escape=True
            )
        self.flushLoggedErrors()


def _escape_target(value: bytes) -> bytes:
    return value.replace(b" ", b"+").replace(b"\t", b"%09")
