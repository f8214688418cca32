"""
Tests of the links that answers give.
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

from twisted_quotes.listening.sockets import authority
from twisted_quotes.web.http.urls import (
    base_url,
    instructions_url,
    is_allowed_host,
    is_valid_host,
)


def make_request(
    host: bytes | None = None, address: IAddress | None = None, secure: bool = False
) -> Request:
    """A request that came to an address, and names a host."""
    channel: Any = DummyChannel()
    if secure:
        channel.transport = channel.SSL()
    made = Request(channel)
    made.host = address or IPv4Address("TCP", "127.0.0.1", 8000)
    if host is not None:
        made.requestHeaders.setRawHeaders(b"host", [host])
    return made


class HostTests(SynchronousTestCase):
    """Tests of what names a host."""

    def test_names_and_addresses_are_hosts(self) -> None:
        """A name, an IPv4 address or a bracketed IPv6 one is a host."""
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

    def test_anything_else_is_no_host(self) -> None:
        """What could break a link, a page or a log line is no host."""
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
    def test_a_host_never_needs_escaping(self, value: bytes) -> None:
        """Whatever passes for a host stands in HTML and in a shell as it is."""
        self.assertFalse(
            is_valid_host(value) and set(value) & set(b" <>&\"'`$;|\\\r\n\0")
        )


class LocalTests(SynchronousTestCase):
    """Tests of names of this machine."""

    def test_loopback_has_many_names(self) -> None:
        """Names below localhost, and addresses of both versions."""
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

    def test_others_have_to_be_named(self) -> None:
        """In any case, and with any port."""
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

    def test_what_looks_like_it_is_not(self) -> None:
        """A name may begin or end with anything."""
        for host in (b"notlocalhost", b"localhost.test", b"127.0.0.1.test", b"0.0.0.0"):
            self.assertFalse(is_allowed_host(host, []), host)


class UrlTests(SynchronousTestCase):
    """Tests of the URLs that are made of a request."""

    def test_the_host_that_was_called_is_in_the_url(self) -> None:
        """A link leads to where the caller called."""
        self.assertEqual(
            base_url(make_request(b"quotes.test:81")), "http://quotes.test:81"
        )

    def test_a_secure_request_gets_a_secure_url(self) -> None:
        """Who called by TLS is sent back by TLS."""
        self.assertEqual(
            base_url(make_request(b"a.test", secure=True)), "https://a.test"
        )

    def test_without_a_host_the_address_of_the_socket_is_in_the_url(self) -> None:
        """A caller that names no host is sent to the address it reached."""
        self.assertEqual(base_url(make_request()), "http://127.0.0.1:8000")

    def test_a_hostile_host_is_not_in_the_url(self) -> None:
        """What is no host is not handed back."""
        self.assertEqual(base_url(make_request(b'"><script>')), "http://127.0.0.1:8000")

    def test_an_ipv6_address_stands_in_brackets(self) -> None:
        """An IPv6 address in a URL can be told from its port."""
        address = IPv6Address("TCP", "::1", 8000)
        self.assertEqual(base_url(make_request(address=address)), "http://[::1]:8000")
        self.assertEqual(authority(address), "[::1]:8000")

    def test_a_unix_socket_has_no_url_of_its_own(self) -> None:
        """Where nobody names a host, links are relative to it."""
        nameless = make_request(address=UNIXAddress("/run/quotes"))
        self.assertEqual(base_url(nameless), "")
        self.assertEqual(instructions_url(nameless), "/api/v1/web")

    def test_the_instructions_are_on_the_host_that_was_called(self) -> None:
        """The link to the instructions leads to where the caller called."""
        self.assertEqual(
            instructions_url(make_request(b"quotes.test")),
            "http://quotes.test/api/v1/web",
        )
