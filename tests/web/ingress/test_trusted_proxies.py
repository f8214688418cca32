"""
Tests for L{twisted_quotes.web.ingress.trusted_proxies}.
"""

from __future__ import annotations

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.web.ingress.trusted_proxies import TrustedProxies, parse_node


def tcp_peer(host: str) -> IAddress:
    return (IPv6Address if ":" in host else IPv4Address)("TCP", host, 1)


class NodeTests(SynchronousTestCase):
    def test_addresses_may_have_ports_and_brackets(self) -> None:
        for node, address in (
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.1:8080", "192.0.2.1"),
            ("192.0.2.1:_secret", "192.0.2.1"),
            ("2001:DB8::0:1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:8080", "2001:db8::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
        ):
            self.assertEqual(str(parse_node(node)), address)

    def test_anything_else_is_no_address(self) -> None:
        for node in (
            *("", "unknown", "_hidden", "localhost", "a.example", "192.0.2"),
            *("192.0.2.256", "192.0.2.1:", "192.0.2.1:123456", "192.0.2.1:80:80"),
            *("192.0.2.1/32", " 192.0.2.1", "192.0.2.1\n", "[192.0.2.1", "[::1]x"),
            *("[192.0.2.1]:_", "::1%eth0", "[::1%eth0]", "12345::", "\u0661.1.1.1"),
            *("0" * 100, ":" * 45, "1" * 10_000),
        ):
            self.assertIsNone(parse_node(node), node)


class TrustedProxiesTests(SynchronousTestCase):
    def assert_trusts(self, text: str, *peers: IAddress, expected: bool = True) -> None:
        trusted = TrustedProxies.parse(text)
        for peer in peers:
            self.assertEqual(trusted.trusts(peer), expected, peer)

    def test_addresses_and_networks_are_separated_by_commas_or_blanks(self) -> None:
        for text in ("127.0.0.1,10.0.0.0/8,::1", " 127.0.0.1  10.0.0.0/8, ::1 "):
            hosts = ("127.0.0.1", "10.255.0.1", "::1")
            self.assert_trusts(text, *map(tcp_peer, hosts))
            others = ("127.0.0.2", "11.0.0.0", "::2", "not an address")
            self.assert_trusts(
                text, *map(tcp_peer, others), UNIXAddress(None), expected=False
            )

    def test_an_ipv4_mapped_address_is_the_ipv4_address(self) -> None:
        self.assert_trusts("127.0.0.1", tcp_peer("::ffff:127.0.0.1"))

    def test_the_scope_of_an_address_makes_no_difference(self) -> None:
        self.assert_trusts("fe80::/10", tcp_peer("fe80::1%eth0"))

    def test_unix_sockets_are_trusted_only_if_named(self) -> None:
        self.assert_trusts("unix", UNIXAddress(None), UNIXAddress(b"/run/quotes"))
        self.assert_trusts("unix", tcp_peer("127.0.0.1"), expected=False)
        self.assert_trusts("0.0.0.0/0,::/0", UNIXAddress(None), expected=False)

    def test_none_are_trusted_by_default(self) -> None:
        self.assertEqual(TrustedProxies.parse("none"), TrustedProxies())
        self.assert_trusts(
            "none", tcp_peer("127.0.0.1"), UNIXAddress(None), expected=False
        )

    def test_anything_else_is_an_error(self) -> None:
        for text in ("", ",", "localhost", "10.0.0.1/8", "unix:", "UNIX", "none,::1"):
            with self.assertRaises(ValueError):
                TrustedProxies.parse(text)
