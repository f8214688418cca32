"""
Tests for L{twisted_quotes.web.ingress.forwarded}.

The proxies at 10.0.0.0/8 are trusted, and one of them has sent each request.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis.strategies import dictionaries, sampled_from, text
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.web.http.urls import parse_base_path
from twisted_quotes.web.ingress.forwarded import (
    MAX_FORWARDED_LENGTH,
    MAX_PROXIES,
    Forwarded,
    parse_forwarded,
    read_forwarded,
)
from twisted_quotes.web.ingress.trusted_proxies import TrustedProxies, parse_node

from .cases import make_request

TRUSTED = TrustedProxies.parse("10.0.0.0/8")
CLIENT = "192.0.2.1"


def read(**headers: str | list[str]) -> Forwarded:
    """Read what the headers of a request say; C{x_for} is C{X-Forwarded-For}."""
    renamed = {
        name.replace("x_", "x_forwarded_"): lines for name, lines in headers.items()
    }
    return read_forwarded(make_request(**renamed), TRUSTED)


class ParseForwardedTests(SynchronousTestCase):
    """Tests of the syntax of RFC 7239."""

    def test_valid_values(self) -> None:
        """Most are the examples of the RFC."""
        for value, elements in (
            ('for="_gazonk"', [{"for": "_gazonk"}]),
            (
                'For="[2001:db8:cafe::17]:4711"',
                [{"for": "[2001:db8:cafe::17]:4711"}],
            ),
            (
                "for=192.0.2.60;proto=http;by=203.0.113.43",
                [{"for": "192.0.2.60", "proto": "http", "by": "203.0.113.43"}],
            ),
            ("for=a, for=b", [{"for": "a"}, {"for": "b"}]),
            ("for=a,for=b", [{"for": "a"}, {"for": "b"}]),
            ("for=a ; proto=b", [{"for": "a", "proto": "b"}]),
            (";for=a;;, ,\tfor=b,", [{"for": "a"}, {"for": "b"}]),
            (r'host="a\"b\\c,d;e=f"', [{"host": r'a"b\c,d;e=f'}]),
            ('for=""', [{"for": ""}]),
            ("", []),
        ):
            self.assertEqual(parse_forwarded(value), elements)

    def test_a_malformed_value_has_no_elements(self) -> None:
        for value in (
            *(
                "a",
                "for",
                "for=",
                "=a",
                "for a",
                "for =a",
                "for= a",
                "a b=c",
                "for=a b",
            ),
            *('for="a', 'for=a"', 'for="a"b', 'for="a\\"', 'for="x, for=a', "for=a:1"),
            *("for=a, b", "for=a;for=b", "for=a;FOR=a", "for=[::1]", "for=a\x00"),
            f"for=a;secret={'x' * MAX_FORWARDED_LENGTH}",
        ):
            self.assertEqual(parse_forwarded(value), [], value)


class ClientTests(SynchronousTestCase):
    """Tests of the address of the client."""

    def assert_client(self, expected: str | None, **headers: str | list[str]) -> None:
        self.assertEqual(read(**headers).address, expected, headers)

    def test_without_headers_nothing_is_known(self) -> None:
        self.assertEqual(read(), Forwarded())

    def test_the_client_is_the_last_address_that_is_no_proxy(self) -> None:
        for addresses in (
            [CLIENT],
            ["192.0.2.66", CLIENT],
            [CLIENT, "10.0.0.1"],
            ["10.0.0.66", CLIENT, "10.0.0.2", "10.0.0.1"],
            ["", "nonsense", CLIENT, "10.0.0.1"],
        ):
            elements = [f"for={each or 'unknown'}" for each in addresses]
            for separator in (",", ", ", " , "):
                self.assert_client(CLIENT, x_for=separator.join(addresses))
                self.assert_client(CLIENT, forwarded=separator.join(elements))
            self.assert_client(CLIENT, x_for=addresses)
            self.assert_client(CLIENT, forwarded=elements)

    def test_if_all_are_proxies_the_first_one_is_the_client(self) -> None:
        self.assert_client("10.0.0.2", x_for="10.0.0.2, 10.0.0.1")
        self.assert_client("10.0.0.2", forwarded="for=10.0.0.2, for=10.0.0.1")

    def test_behind_an_unknown_address_no_other_is_believed(self) -> None:
        for unknown in ("unknown", "_hidden", "nonsense", "192.0.2.256", "a.example"):
            for last, expected in (("", None), (", {}10.0.0.1", "10.0.0.1")):
                x_for, forwarded = last.format(""), last.format("for=")
                self.assert_client(expected, x_for=f"{CLIENT}, {unknown}{x_for}")
                self.assert_client(
                    expected, forwarded=f"for={CLIENT}, for={unknown}{forwarded}"
                )
        self.assert_client("10.0.0.1", forwarded=f"for={CLIENT},by=x,for=10.0.0.1")

    def test_ports_and_brackets_are_no_part_of_the_address(self) -> None:
        for node, address in (
            (f"{CLIENT}:4711", CLIENT),
            ("[2001:db8::1]:80", "2001:db8::1"),
            (f"[::ffff:{CLIENT}]", CLIENT),
        ):
            self.assert_client(address, x_for=node)
            self.assert_client(address, forwarded=f'for="{node}"')

    def test_a_very_long_list_is_read_from_its_end(self) -> None:
        long = ",".join(["10.0.0.1"] * 1000)
        self.assert_client(CLIENT, x_for=f"{long},{CLIENT}")
        self.assert_client("10.0.0.1", x_for=f"{CLIENT},{long}")
        just_read = ",".join([CLIENT] + ["10.0.0.1"] * (MAX_PROXIES - 1))
        self.assert_client(CLIENT, x_for=just_read)
        self.assert_client("10.0.0.1", x_for=f"{just_read},10.0.0.1")

    def test_forwarded_counts_if_x_forwarded_for_does_not_contradict(self) -> None:
        forwarded = f"for={CLIENT};proto=https;host=a.example"
        both = read(forwarded=forwarded, x_for=CLIENT, x_proto="HTTPS")
        self.assertEqual(both, Forwarded(CLIENT, True, b"a.example"))

    def test_a_scheme_or_host_that_x_forwarded_contradicts_does_not_count(self) -> None:
        """The client may have sent the one, and the proxy the other."""
        forwarded = f"for={CLIENT};proto=https;host=a.example"
        for headers, expected in (
            ({"x_proto": "http"}, Forwarded(CLIENT, None, b"a.example")),
            ({"x_host": "b.example"}, Forwarded(CLIENT, True, None)),
        ):
            for x_for in ({"x_for": CLIENT}, {}):
                both = read(forwarded=forwarded, **x_for, **headers)
                self.assertEqual(both, expected)
        both = read(forwarded=f"for={CLIENT}", x_for=CLIENT, x_host="b.example")
        self.assertEqual(both, Forwarded(CLIENT))

    def test_nothing_counts_if_the_headers_contradict(self) -> None:
        """One of them may be from the client: proxies pass on what they do not know."""
        for forwarded in (
            "for=192.0.2.66;proto=https;host=a.example",
            "for=_hidden;proto=https;host=a.example",
            'for="unterminated',
            f"for={CLIENT}, proto",
            ",",
        ):
            found = read(
                forwarded=forwarded, x_for=CLIENT, x_proto="https", x_prefix="/a"
            )
            self.assertEqual(found, Forwarded(prefix="/a"), forwarded)

    def test_an_empty_header_says_nothing(self) -> None:
        self.assert_client(CLIENT, forwarded="", x_for=CLIENT)
        self.assert_client(CLIENT, forwarded=f"for={CLIENT}", x_for="")


class SchemeAndHostTests(SynchronousTestCase):
    """Tests of the scheme and the host that the client uses."""

    def test_both_headers(self) -> None:
        expected = Forwarded(CLIENT, True, b"a.example:8443")
        for headers in (
            {"forwarded": f'for={CLIENT};proto=https;host="a.example:8443"'},
            {"forwarded": f'for={CLIENT};Proto=HTTPS;Host="a.example:8443"'},
            {"x_for": CLIENT, "x_proto": "https", "x_host": "a.example:8443"},
            {"x_for": CLIENT, "x_proto": " HTTPS ", "x_host": "a.example:8443"},
        ):
            self.assertEqual(read(**headers), expected)

    def test_no_address_is_needed(self) -> None:
        expected = Forwarded(None, False, b"a.example")
        for headers in (
            {"forwarded": "proto=http;host=a.example"},
            {"x_proto": "http", "x_host": "a.example"},
        ):
            self.assertEqual(read(**headers), expected)

    def test_other_schemes_are_not_believed(self) -> None:
        for scheme in ("ftp", "https://", "on", "1", "wss"):
            self.assertIsNone(read(x_proto=scheme).secure)
            self.assertIsNone(read(forwarded=f'proto="{scheme}"').secure)

    def test_what_the_proxy_of_the_client_says_counts(self) -> None:
        """Not what the client or a proxy between proxies says."""
        for headers in (
            {
                "forwarded": "for=192.0.2.66;proto=http;host=c.example, "
                f"for={CLIENT};proto=https;host=a.example, "
                "for=10.0.0.1;proto=http;host=b.example"
            },
            {
                "x_for": f"192.0.2.66, {CLIENT}, 10.0.0.1",
                "x_proto": "http, https, http",
                "x_host": "c.example, a.example, b.example",
            },
            {"x_for": f"{CLIENT}, 10.0.0.1", "x_proto": "https", "x_host": "a.example"},
            {
                "x_for": f"192.0.2.66, {CLIENT}",
                "x_proto": "http, https",
                "x_host": "c.example, a.example",
            },
        ):
            self.assertEqual(read(**headers), Forwarded(CLIENT, True, b"a.example"))

    def test_lists_that_do_not_match_the_addresses_are_not_believed(self) -> None:
        found = read(
            x_for=f"{CLIENT}, 10.0.0.2, 10.0.0.1",
            x_proto="https, https",
            x_host="c.example, b.example",
        )
        self.assertEqual(found, Forwarded(CLIENT))


class PrefixTests(SynchronousTestCase):
    def test_a_path_is_a_prefix_whatever_the_other_headers(self) -> None:
        for value, prefix in (("/a", "/a"), ("/a/b.c/", "/a/b.c"), ("/", "")):
            self.assertEqual(read(x_prefix=value), Forwarded(prefix=prefix))
            self.assertEqual(
                read(x_prefix=value, x_for=CLIENT), Forwarded(CLIENT, prefix=prefix)
            )

    def test_anything_else_is_no_prefix(self) -> None:
        for value in (
            *("", "a", "//evil.example", "/a//b", "/..", "/a/../b", "/a b", "/a,/b"),
            *("https://evil.example", '/"><script>', "/%2e%2e", "/a?b", "/\xe9"),
            "/" + "a" * 10_000,
        ):
            self.assertEqual(read(x_prefix=value), Forwarded(), value)
        self.assertEqual(read(x_prefix=["/a", "/b"]), Forwarded())


class HostileTests(SynchronousTestCase):
    @given(
        dictionaries(
            sampled_from(["forwarded", "x_for", "x_proto", "x_host", "x_prefix"]),
            text('for=10.192;, "\\:[]_/hostp\x01\xe9', max_size=40),
        )
    )
    def test_no_value_is_an_error_or_is_believed_unless_valid(
        self, headers: dict[str, str]
    ) -> None:
        found = read(**headers)
        if found.address is not None:
            self.assertEqual(str(parse_node(found.address)), found.address)
        if found.prefix is not None:
            self.assertEqual(parse_base_path(found.prefix or "/"), found.prefix)
