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

INDEX_DESCRIPTION = "systemd:domain=INET:index={}"


class SocketActivationTests(SynchronousTestCase):
    """Tests of what systemd says in the environment."""

    def activated_sockets(self, **variables: str) -> tuple[str, ...]:
        """What was handed over to the process 7."""
        return activated_socket_names({"LISTEN_PID": "7", **variables}, 7)

    def test_each_socket_may_have_a_name(self) -> None:
        """Where it has none, or not enough names came, it is there all the same."""
        self.assertEqual(
            self.activated_sockets(LISTEN_FDS="2", LISTEN_FDNAMES="a:b"), ("a", "b")
        )
        self.assertEqual(
            self.activated_sockets(LISTEN_FDS="2", LISTEN_FDNAMES="a"), ("a", "")
        )
        self.assertEqual(
            self.activated_sockets(LISTEN_FDS="1", LISTEN_FDNAMES="a:b"), ("a",)
        )
        self.assertEqual(self.activated_sockets(LISTEN_FDS="2"), ("", ""))

    def test_elsewhere_there_is_none(self) -> None:
        """Nor where another process is meant, or no number says how many."""
        self.assertEqual(self.activated_sockets(), ())
        self.assertEqual(self.activated_sockets(LISTEN_FDS="x"), ())
        self.assertEqual(
            activated_socket_names({"LISTEN_PID": "8", "LISTEN_FDS": "1"}, 7), ()
        )

    def test_the_environment_is_that_of_the_start(self) -> None:
        """Whatever has become of it since."""
        os.environ["ADDED_SINCE"] = "1"
        self.addCleanup(os.environ.pop, "ADDED_SINCE")
        self.assertNotIn("ADDED_SINCE", initial_environment())
        self.assertIn("PATH", initial_environment())


class EndpointTests(SynchronousTestCase):
    """Tests of endpoints that name sockets."""

    def test_a_name_becomes_an_index(self) -> None:
        """Also behind another kind of endpoint; the others stay as they are."""
        names = ("a", "b")
        for given, found in (
            ("systemd:domain=INET:name=b", INDEX_DESCRIPTION.format(1)),
            ("systemd:INET:name=b", INDEX_DESCRIPTION.format(1)),
            ("systemd:domain=INET:index=1", INDEX_DESCRIPTION.format(1)),
            ("systemd:INET:1", INDEX_DESCRIPTION.format(1)),
            (
                "haproxy:systemd:domain=INET:name=b",
                f"haproxy:{INDEX_DESCRIPTION.format(1)}",
            ),
            ("tcp:8000", "tcp:8000"),
            ("unix:/run/systemd:mode=660", "unix:/run/systemd:mode=660"),
        ):
            self.assertEqual(resolve_socket_indexes([given], names), [found])

    def test_sockets_of_one_name_are_several_endpoints(self) -> None:
        """A unit with two ListenStream= gives both the same name."""
        self.assertEqual(
            resolve_socket_indexes(
                ["tcp:1", "systemd:domain=INET:name=a"], ("a", "b", "a")
            ),
            ["tcp:1", INDEX_DESCRIPTION.format(0), INDEX_DESCRIPTION.format(2)],
        )

    def test_a_socket_that_is_not_there_is_told(self) -> None:
        """With those that are; an index counts from the first, not from the last."""
        for parameter, names, message in (
            ("name=c", ("a", ""), "'c': systemd handed over 0 (a), 1 (without a name)"),
            ("index=2", ("a", ""), "2: systemd handed over 0 (a), 1 (without a name)"),
            ("index=-1", ("a",), "-1: systemd handed over 0 (a)"),
            ("index=0", (), "0: systemd handed over no socket"),
        ):
            with self.assertRaises(ValueError) as raised:
                resolve_socket_indexes([f"systemd:domain=INET:{parameter}"], names)
            self.assertEqual(str(raised.exception), f"there is no socket {message}")

    def test_a_socket_is_named_once(self) -> None:
        """Nobody can listen on it twice."""
        given = ["systemd:domain=INET:index=0", "systemd:domain=INET:name=a"]
        with self.assertRaises(ValueError) as raised:
            resolve_socket_indexes(given, ("a",))
        self.assertIn("another --listen names that socket", str(raised.exception))

    def test_what_names_no_socket_is_left_to_twisted(self) -> None:
        """It says what is wrong."""
        for given in ("systemd:domain=INET", "systemd:domain=INET:index=0:name=a"):
            self.assertEqual(resolve_socket_indexes([given], ("a",)), [given])

    def test_sockets_that_nobody_listens_on_are_found(self) -> None:
        """Clients would wait there for ever."""
        self.assertEqual(
            unused_sockets(["tcp:1", INDEX_DESCRIPTION.format(0)], ("a", "b")),
            ["1 (b)"],
        )
        self.assertEqual(unused_sockets([], ("",)), ["0 (without a name)"])
