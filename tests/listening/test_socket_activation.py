"""
Tests for L{twisted_quotes.listening.socket_activation}.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.listening.socket_activation import (
    activated_socket_names,
    initial_environment,
    resolve_socket_indexes,
    unused_sockets,
)

INDEX_0, INDEX_1, INDEX_2 = (f"systemd:domain=INET:index={i}" for i in range(3))


class SocketNamesTests(SynchronousTestCase):
    """Tests of the variables of systemd."""

    def test_each_socket_has_a_name_that_may_be_empty(self) -> None:
        """There are no sockets without a number, or for another process."""
        for variables, names in (
            ({"LISTEN_FDS": "2", "LISTEN_FDNAMES": "a:b"}, ("a", "b")),
            ({"LISTEN_FDS": "2", "LISTEN_FDNAMES": "a"}, ("a", "")),
            ({"LISTEN_FDS": "1", "LISTEN_FDNAMES": "a:b"}, ("a",)),
            ({"LISTEN_FDS": "2"}, ("", "")),
            ({}, ()),
            ({"LISTEN_FDS": "x"}, ()),
            ({"LISTEN_FDS": "1", "LISTEN_PID": "8"}, ()),
        ):
            environment = {"LISTEN_PID": "7", **variables}
            self.assertEqual(activated_socket_names(environment, 7), names)

    def test_later_changes_of_the_environment_are_not_seen(self) -> None:
        os.environ["ADDED_SINCE"] = "1"
        self.addCleanup(os.environ.pop, "ADDED_SINCE")
        self.assertNotIn("ADDED_SINCE", initial_environment())
        self.assertIn("PATH", initial_environment())


class EndpointTests(SynchronousTestCase):
    """Tests of endpoints that name sockets."""

    def test_names_are_replaced_with_indexes(self) -> None:
        """Endpoints of other types are not changed, and Twisted reports invalid ones.

        A unit with two ListenStream= gives both sockets the same name.
        """
        for names, descriptions, resolved in (
            ("ab", ["systemd:domain=INET:name=b"], [INDEX_1]),
            ("ab", ["systemd:INET:name=b"], [INDEX_1]),
            ("ab", [INDEX_1], [INDEX_1]),
            ("ab", ["systemd:INET:1"], [INDEX_1]),
            ("ab", ["haproxy:systemd:domain=INET:name=b"], [f"haproxy:{INDEX_1}"]),
            ("ab", ["tcp:8000"], ["tcp:8000"]),
            ("ab", ["unix:/run/systemd:mode=660"], ["unix:/run/systemd:mode=660"]),
            ("a", ["systemd:domain=INET"], ["systemd:domain=INET"]),
            ("a", [f"{INDEX_0}:name=a"], [f"{INDEX_0}:name=a"]),
            (
                "aba",
                ["tcp:1", "systemd:domain=INET:name=a"],
                ["tcp:1", INDEX_0, INDEX_2],
            ),
        ):
            self.assertEqual(resolve_socket_indexes(descriptions, names), resolved)

    def test_a_missing_socket_is_an_error(self) -> None:
        """The message lists the sockets that exist."""
        for parameter, names, message in (
            ("name=c", ("a", ""), "'c': systemd handed over 0 (a), 1 (without a name)"),
            ("index=2", ("a", ""), "2: systemd handed over 0 (a), 1 (without a name)"),
            ("index=-1", ("a",), "-1: systemd handed over 0 (a)"),
            ("index=0", (), "0: systemd handed over no socket"),
        ):
            with self.assertRaises(ValueError) as raised:
                resolve_socket_indexes([f"systemd:domain=INET:{parameter}"], names)
            self.assertEqual(str(raised.exception), f"there is no socket {message}")

    def test_a_socket_in_two_endpoints_is_an_error(self) -> None:
        with self.assertRaises(ValueError) as raised:
            resolve_socket_indexes([INDEX_0, "systemd:domain=INET:name=a"], ("a",))
        self.assertIn("another --listen names that socket", str(raised.exception))

    def test_unused_sockets_are_found(self) -> None:
        self.assertEqual(unused_sockets(["tcp:1", INDEX_0], ("a", "b")), ["1 (b)"])
        self.assertEqual(unused_sockets([], ("",)), ["0 (without a name)"])
