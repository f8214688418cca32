"""
Tests for L{twisted_quotes.web.http.clients}.
"""

from __future__ import annotations

from base64 import b64encode

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.library import library
from twisted_quotes.web.authentication.credentials import make_portal
from twisted_quotes.web.http.clients import client_key_for_address

from ..authentication.cases import make_password_file
from ..clients import FakeSocket, WebTestCase, query_request


class ClientKeyTests(SynchronousTestCase):
    def assert_key(self, host: str, key: str) -> None:
        """Assert that the host has the key, whatever its port."""
        kind = IPv6Address if ":" in host else IPv4Address
        for port in (1, 2):
            self.assertEqual(client_key_for_address(kind("TCP", host, port)), key)

    def test_an_ipv4_address_is_a_client(self) -> None:
        self.assert_key("192.0.2.1", "192.0.2.1")
        self.assert_key("192.0.2.2", "192.0.2.2")

    def test_an_ipv6_network_of_64_bits_is_a_client(self) -> None:
        self.assert_key("2001:db8::1", "2001:db8::/64")
        self.assert_key("2001:db8::ffff:1", "2001:db8::/64")
        self.assert_key("2001:db8:0:1::1", "2001:db8:0:1::/64")
        self.assert_key("fe80::1%lo", "fe80::/64")

    def test_an_ipv4_mapped_address_is_the_same_client(self) -> None:
        self.assert_key("::ffff:192.0.2.1", "192.0.2.1")

    def test_clients_without_an_ip_address_cannot_be_told_apart(self) -> None:
        self.assertIsNone(client_key_for_address(UNIXAddress(b"/run/quotes")))
        self.assertIsNone(client_key_for_address(IPv4Address("TCP", "a.b", 1)))


class FairnessTests(WebTestCase):
    """Tests of several clients that search at the same time."""

    def setUp(self) -> None:
        super().setUp()
        self.web = self.make_web(running=1, waiting=2)

    def send_search(self, client: str, term: str, headers: str = "") -> FakeSocket:
        socket = self.web.connect(client)
        body = {"action": "search", "term": term}
        socket.send(query_request(body, headers=headers))
        return socket

    def running_terms(self) -> list[str]:
        """Return the terms of the running greps."""
        return [each.arguments[-1] for each in self.web.running_processes()]

    def end_grep(self) -> None:
        [grep] = self.web.running_processes()
        grep.end(1)

    def test_searches_run_in_turn_by_client(self) -> None:
        for client, term in (
            ("192.0.2.1", "a"),
            ("192.0.2.1", "b"),
            ("192.0.2.2", "c"),
        ):
            self.send_search(client, term)
        order = []
        for _ in range(3):
            order += self.running_terms()
            self.end_grep()
        self.assertEqual(order, ["a", "c", "b"])

    def test_more_waiting_searches_than_the_share_are_a_429(self) -> None:
        """The other client's search keeps its position in the queue."""
        sockets = [self.send_search("192.0.2.1", term) for term in "abc"]
        self.send_search("192.0.2.2", "d")
        sockets[2].deliver()
        [response] = sockets[2].responses()
        self.assert_error(response, 429, "of this client")
        self.assertEqual(response.header("retry-after"), "1")
        another = self.send_search("192.0.2.1", "e")
        another.deliver()
        self.assert_error(another.responses()[0], 429)
        self.end_grep()
        self.assertEqual(self.running_terms(), ["d"])

    def test_users_are_told_apart_whatever_their_addresses(self) -> None:
        passwords = self.temporary_folder / "passwords"
        passwords.write_text("alice:x\nbob:x\n")
        portal = make_portal([make_password_file(passwords)])
        self.web = self.make_web(running=1, waiting=9, portal=portal)
        for user, client, term in (
            ("alice", "192.0.2.1", "a"),
            ("alice", "192.0.2.2", "b"),
            ("bob", "192.0.2.1", "c"),
        ):
            encoded_credentials = b64encode(f"{user}:x".encode()).decode()
            self.send_search(
                client, term, f"Authorization: Basic {encoded_credentials}\r\n"
            )
        self.end_grep()
        self.assertEqual(self.running_terms(), ["c"])

    def test_searches_of_much_text_leave_a_slot_to_others(self) -> None:
        self.patch(library, "_LARGE_SIZE", 100)
        (self.folder / "large").write_text("love\n" * 20)
        for dictionary in ("large", "*"):
            self.web = self.make_web(running=2, waiting=9)
            for term in "abc":
                body = {"action": "search", "term": term, "dictionary": dictionary}
                self.web.connect().send(query_request(body))
            self.web.flush_responses()
            self.assertEqual(len(self.web.running_processes()), 1, dictionary)
            self.send_search("192.0.2.2", "d")
            self.assertEqual(self.running_terms()[1:], ["d"])

    def test_regular_expressions_leave_a_slot_to_others(self) -> None:
        for kind in (
            {"action": "search"},
            {"action": "search", "unit": "quote"},
            {"action": "random"},
        ):
            self.web = self.make_web(running=2, waiting=9)
            for term in "abc":
                body = {"term": f"{term}$", "regex": True, **kind}
                self.web.connect().send(query_request(body))
            self.web.flush_responses()
            self.assertEqual(len(self.web.running_processes()), 1, kind)
            self.send_search("192.0.2.2", "d")
            self.assertEqual(self.running_terms()[1:], ["d"])
