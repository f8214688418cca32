"""
Tests for L{twisted_quotes.query.json_body}.
"""

from __future__ import annotations

import json
import sys

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.errors import BadRequest
from twisted_quotes.query.json_body import (
    EXAMPLE_BODY,
    decode_json,
    describe_value,
    parse_integer,
)


class DecodeTests(SynchronousTestCase):
    """Tests of L{decode_json}."""

    def decode_error(self, body: bytes | str) -> BadRequest:
        """Return the error for a body that is not JSON."""
        body = body.encode() if isinstance(body, str) else body
        error: BadRequest = self.assertRaises(BadRequest, decode_json, body)
        return error

    def error_message(self, body: bytes | str) -> str:
        """Return the specific part of the message for a body that is not JSON."""
        message = self.decode_error(body).message
        start = "The body is not JSON: "
        end = f" Send one JSON object in UTF-8, such as {EXAMPLE_BODY}."
        self.assertTrue(message.startswith(start) and message.endswith(end), message)
        return str(message[len(start) : -len(end)])

    def test_an_error_names_the_position_and_what_is_expected_there(self) -> None:
        """The C{json} module describes it."""
        for body, part in (
            ('{"a" 1}', "expecting ':' delimiter at line 1, column 6."),
            ('{\n "a": 1,\n "b": ?}', "expecting value at line 3, column 7."),
            ("{'a': 1}", "property name enclosed in double quotes at line 1, column 2"),
            ("{} {}", "extra data at line 1, column 4."),
            ('{"a": "b\n"}', "invalid control character at line 1, column 9."),
            ('{"a": "b', "unterminated string starting at line 1, column 7."),
            ('{"\u00e9": x', "expecting value at line 1, column 7."),
            ("\ufeff{}", "it starts with a byte order mark."),
            ("", "it is empty."),
            (" \n", "it is empty."),
            ("[" * 60_000, "it is nested too deeply."),
            ('{"a":' * 6_000, "it is nested too deeply."),
            (b'{"\xc3\xa9":\n"\xff"}', "a byte is not UTF-8 at line 2, column 2."),
            ('{"a": 1}'.encode("utf-16"), "a byte is not UTF-8 at line 1, column 1."),
        ):
            self.assertIn(part, self.error_message(body))

    def test_an_excerpt_shows_where_the_json_ends(self) -> None:
        """It is short, and has no control characters."""
        for body, shown in (
            ('{"a": "all" "b": 1}', '{"a": "all" |"b": 1}'),
            ("{'a': 1}", "{|'a': 1}"),
            ("action=all", "|action=all"),
            ('{"a": True}', '{"a": |True}'),
            ('{"a": 1', '{"a": 1|'),
            ('{"a": "b\n\x9b"}', '{"a": "b|\u240a\ufffd"}'),
            (b'{"a": "\xff"}', '{"a": "|\ufffd"}'),
            ('{"a": "' + "b" * 99 + '", ' + "c" * 99, "b" * 37 + '", |' + "c" * 20),
        ):
            expected = f" The text there: `{shown.replace('|', ' <-- HERE ')}`."
            self.assertEqual(self.decode_error(body).excerpt, expected)
        for body in ("", "[" * 60_000):
            self.assertEqual(self.decode_error(body).excerpt, "")

    def test_a_message_shows_no_text_of_the_body(self) -> None:
        """Messages are logged, search terms are not."""
        for body in ('{"term": "secret', '{"term": "secret" x', '{"term": secret}'):
            self.assertNotIn("secret", self.error_message(body))

    @settings(max_examples=100)
    @given(st.text(st.sampled_from("{}[]\",:'\\u0tn1eE+-. a\n"), max_size=12))
    def test_a_valid_body_is_decoded_like_the_json_module_does(self, text: str) -> None:
        """Other bodies raise no other error than L{BadRequest}."""
        try:
            value = decode_json(text.encode())
        except BadRequest as error:
            self.assertRegex(error.message, r"\AThe (body|field) .*\.\Z")
        else:
            self.assertEqual(value, json.loads(text))

    def test_a_name_may_occur_in_two_objects_but_not_twice_in_one(self) -> None:
        text = b'{"a": {"b": 1}, "b": 2}'
        self.assertEqual(decode_json(text), {"a": {"b": 1}, "b": 2})
        error = self.assertRaises(BadRequest, decode_json, b'{"a": {"b": 1, "b": 2}}')
        self.assertIn('"b" occurs more than once', error.message)


class DescribeTests(SynchronousTestCase):
    """Tests of L{describe_value} and L{parse_integer}."""

    def test_values_are_described_as_json_of_limited_length(self) -> None:
        for value, description in (
            ({}, "an object"),
            ([1], "an array"),
            (None, "null"),
            (True, "true"),
            (1.0, "1.0"),
            (-5, "-5"),
            ("\u00e9\0", '"\u00e9\\u0000"'),
            ("\ud800", '"?"'),
            ("x" * 60, f'"{"x" * 60}"'),
            ("x" * 61, f'"{"x" * 60}…"'),
            ("\0" * 61, '"' + r"\u0000" * 60 + '…"'),
            (10**60, f"1{'0' * 59}…"),
        ):
            self.assertEqual(describe_value(value), description)

    def test_integers_may_have_any_number_of_digits(self) -> None:
        """Those beyond the limit stay larger than all others."""
        self.assertEqual(parse_integer("-12"), -12)
        for digits in (309, 4301, 60_000):
            self.assertGreater(parse_integer("9" * digits), sys.maxsize)
            self.assertLess(parse_integer("-" + "9" * digits), -sys.maxsize)
