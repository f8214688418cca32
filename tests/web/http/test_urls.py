"""
Tests for L{twisted_quotes.web.http.urls}.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis.strategies import binary
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import Request
from twisted.web.test.requesthelper import DummyChannel

from twisted_quotes.web.http.urls import (
    base_url,
    is_allowed_host,
    is_valid_host,
    next_page_url,
)


def make_request(
    *hosts: bytes, address: IAddress | None = None, secure: bool = False
) -> Request:
    """Make a request that came to an address and names hosts."""
    channel: Any = DummyChannel()
    if secure:
        channel.transport = channel.SSL()
    made = Request(channel)
    made.host = address or IPv4Address("TCP", "127.0.0.1", 8000)
    made.requestHeaders.setRawHeaders(b"host", hosts)
    return made


class ValidHostTests(SynchronousTestCase):
    def test_names_and_addresses_are_valid(self) -> None:
        for value in (
            b"localhost",
            b"LOCALHOST:8000",
            b"localhost:",
            b"a.b-c.example.",
            b"under_score",
            b"127.0.0.1:80",
            b"[::1]",
            b"[fe80::1]:8000",
            b"x" * 63,
            b".".join([b"x" * 63] * 3) + b".example",
        ):
            self.assertTrue(is_valid_host(value), value)

    def test_anything_else_is_invalid(self) -> None:
        for value in (
            b"",
            b":80",
            b"a..b",
            b".a",
            b"-a",
            b"a-",
            b"x" * 64,
            b"a:b",
            b"a:123456",
            b"::1",
            b"[::1",
            b"[x]",
            b"a b",
            b"a/b",
            b"user@a",
            b"a\n",
            b"<script>",
            b"b\xc3\xbccher.example",
            b".".join([b"x" * 60] * 5),
            b"[..]",
            b"[1.2.3.4]",
            b"[::::]",
            b"[12345::]",
            b"a:65536",
            b"a:99999",
        ):
            self.assertFalse(is_valid_host(value), value)

    @given(binary())
    def test_a_valid_host_needs_no_escaping(self, value: bytes) -> None:
        """It is used in HTML and in shell commands."""
        self.assertFalse(
            is_valid_host(value) and set(value) & set(b" <>&\"'`$;|\\\r\n\0")
        )


class AllowedHostTests(SynchronousTestCase):
    def test_loopback_has_many_names(self) -> None:
        for host in (
            b"localhost",
            b"LOCALHOST.:8000",
            b"a.localhost",
            b"127.0.0.1",
            b"127.9.9.9:80",
            b"[::1]",
            b"[::1]:8000",
            b"[::ffff:127.0.0.1]",
        ):
            self.assertTrue(is_allowed_host(host, []), host)

    def test_other_hosts_must_be_allowed(self) -> None:
        """Case, port and a final dot make no difference."""
        for host in (
            b"quotes.test",
            b"QUOTES.test.:81",
            b"192.0.2.1",
            b"[2001:db8::1]:1",
        ):
            self.assertFalse(is_allowed_host(host, []), host)
            self.assertFalse(is_allowed_host(host, ["test", "a.quotes.test"]), host)
            names = ["Quotes.test.", "192.0.2.1", "2001:db8::1"]
            self.assertTrue(is_allowed_host(host, names), host)
            self.assertTrue(is_allowed_host(host, ["*"]), host)

    def test_similar_names_are_not_loopback(self) -> None:
        for host in (b"notlocalhost", b"localhost.test", b"127.0.0.1.test", b"0.0.0.0"):
            self.assertFalse(is_allowed_host(host, []), host)


class BaseUrlTests(SynchronousTestCase):
    def test_the_url_has_the_valid_host_or_else_the_address_of_the_socket(self) -> None:
        ipv6 = IPv6Address("TCP", "::1", 8000)
        for request, url in (
            (make_request(b"quotes.test:81"), "http://quotes.test:81"),
            (make_request(b"a.test", secure=True), "https://a.test"),
            (make_request(), "http://127.0.0.1:8000"),
            (make_request(b'"><script>'), "http://127.0.0.1:8000"),
            (make_request(b"a", b"b"), "http://127.0.0.1:8000"),
            (make_request(address=ipv6), "http://[::1]:8000"),
            (make_request(address=UNIXAddress("/run/quotes")), ""),
        ):
            self.assertEqual(base_url(request), url)


class NextPageTests(SynchronousTestCase):
    def test_the_offset_is_replaced(self) -> None:
        """Everything else stays as it was sent."""
        for target, expected in (
            (b"/q", "/q?offset=7"),
            (b"/q?term=a+b&offset=1&limit=2", "/q?term=a+b&limit=2&offset=7"),
            (b"/q?%6Fffset=1&offsets=2&&regex", "/q?offsets=2&regex&offset=7"),
            (b"/q?term=%C3%A9%26", "/q?term=%C3%A9%26&offset=7"),
            (b'/q?term=\xc3\xa9>"<', "/q?term=%C3%A9%3E%22%3C&offset=7"),
        ):
            request = make_request(b"a.test")
            request.uri, request.path = target, target.partition(b"?")[0]
            self.assertEqual(next_page_url(request, 7), f"http://a.test{expected}")
