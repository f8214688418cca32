"""
Tests of the key by which clients are told apart.
"""

from __future__ import annotations

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.web.peers import client_of


class ClientTests(SynchronousTestCase):
    """Tests of L{client_of}."""

    def assert_key(self, host: str, key: str) -> None:
        """A host has a key, whatever its port."""
        kind = IPv6Address if ":" in host else IPv4Address
        for port in (1, 2):
            self.assertEqual(client_of(kind("TCP", host, port)), key)

    def test_an_ipv4_address_is_a_client(self) -> None:
        """Two addresses are two clients."""
        self.assert_key("192.0.2.1", "192.0.2.1")
        self.assert_key("192.0.2.2", "192.0.2.2")

    def test_an_ipv6_network_of_64_bits_is_a_client(self) -> None:
        """Who has one address in it has them all."""
        self.assert_key("2001:db8::1", "2001:db8::/64")
        self.assert_key("2001:db8::ffff:1", "2001:db8::/64")
        self.assert_key("2001:db8:0:1::1", "2001:db8:0:1::/64")
        self.assert_key("fe80::1%lo", "fe80::/64")

    def test_an_ipv4_address_in_ipv6_form_is_the_same_client(self) -> None:
        """A socket that listens for both shows it so."""
        self.assert_key("::ffff:192.0.2.1", "192.0.2.1")

    def test_who_has_no_address_cannot_be_told_apart(self) -> None:
        """Neither can who has one that is not an address of the internet."""
        self.assertIsNone(client_of(UNIXAddress(b"/run/quotes")))
        self.assertIsNone(client_of(IPv4Address("TCP", "a.b", 1)))
