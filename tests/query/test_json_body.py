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

MARKS = "Strings and names have double quotation marks around them."


class DecodeTests(SynchronousTestCase):
    """Bodies that are JSON, and bodies that are not."""

    def refusal_message(self, body: bytes | str) -> str:
        """What is said of a body that is not JSON, without how it begins and ends."""
        body = body.encode() if isinstance(body, str) else body
        message = self.assertRaises(BadRequest, decode_json, body).message
        start = "The body is not JSON: "
        end = f" Send one JSON object in UTF-8, such as {EXAMPLE_BODY}."
        self.assertTrue(message.startswith(start) and message.endswith(end), message)
        return str(message[len(start) : -len(end)])

    def test_the_place_is_named_and_what_is_expected_there(self) -> None:
        """With the one character that stands there instead."""
        for body, words in (
            ('{"a" 1}', '1, column 6, a colon is expected, not "1".'),
            (
                '{"a": 1 "b": 2}',
                "1, column 9, a comma or a closing bracket is expected",
            ),
            ('{\n "a": 1,\n "b": ?}', '3, column 7, a value is expected, not "?".'),
            ('{"a": ', "1, column 7, a value is expected, but the body ends there."),
            ("{} {}", '1, column 4, the end of the body is expected, not "{".'),
            ('{"a": "b', "1, column 7, a string begins that does not end."),
            ('"a\nb"', "1, column 3, a string has a control character; write a line"),
            ('"\\d"', "1, column 2, a backslash begins no escape; write a backslash"),
            ('"\\u12"', "\\u is not followed by four hexadecimal digits."),
            ("[01]", '1, column 3, a comma or a closing bracket is expected, not "1".'),
            ("\x1f", "1, column 1, a value is expected, not U+001F."),
        ):
            self.assertIn(
                f"at line {words}" if words[0].isdigit() else words,
                self.refusal_message(body),
            )

    def test_bytes_that_are_no_text_are_counted(self) -> None:
        """The first one that is not UTF-8 is named."""
        self.assertEqual(self.refusal_message(b'{"a": "\xff"}'), "byte 8 is not UTF-8.")
        self.assertIn(
            "It looks like UTF-16.", self.refusal_message('{"a": 1}'.encode("utf-16"))
        )
        self.assertIn(
            "not UTF-16", self.refusal_message('{"a": 1}'.encode("utf-16-le"))
        )
        self.assertIn("byte order mark: leave it out", self.refusal_message("\ufeff{}"))

    def test_common_mistakes_get_a_hint(self) -> None:
        """Those that come from other languages and tools."""
        for body, words in (
            ("{'a': 1}", MARKS),
            ("{a: 1}", MARKS),
            ('{"a": b}', MARKS),
            ("{\u201ca\u201d: 1}", MARKS),
            ('{"a": 1, }', "Leave out the comma before it."),
            ("[1,]", "Leave out the comma before it."),
            ('{"a": True}', "JSON writes true, false and null."),
            ('{"a": None}', "JSON writes true, false and null."),
            ('{"a": NaN}', "it has no NaN. A number has digits."),
            ('{"a": -Infinity}', "it has no -Infinity."),
            ('{"a": 1, // b\n "c": 2}', "JSON has no comments."),
            ("action=search&term=love", "That looks like a form."),
            ("", "it is empty."),
            (" \n", "it is empty."),
        ):
            self.assertIn(words, self.refusal_message(body))

    def test_no_text_of_a_body_is_shown(self) -> None:
        """Messages are logged, and what is looked for is not."""
        for body in ('{"term": "secret', '{"term": "secret" x', '{"term": secret}'):
            self.assertNotIn("secret", self.refusal_message(body))

    @settings(max_examples=100)
    @given(st.text(st.sampled_from("{}[]\",:'\\u0tn1eE+-. a\n"), max_size=12))
    def test_what_is_not_refused_is_what_json_reads(self, text: str) -> None:
        """Nothing is read in another way, and nothing else goes wrong."""
        try:
            value = decode_json(text.encode())
        except BadRequest as error:
            self.assertRegex(error.message, r"\AThe (body|field) .*\.\Z")
        else:
            self.assertEqual(value, json.loads(text))

    def test_a_name_may_occur_in_two_objects(self) -> None:
        """But not twice in one of them."""
        text = b'{"a": {"b": 1}, "b": 2}'
        self.assertEqual(decode_json(text), {"a": {"b": 1}, "b": 2})
        error = self.assertRaises(BadRequest, decode_json, b'{"a": {"b": 1, "b": 2}}')
        self.assertIn('"b" stands more than once', error.message)


class DescribeTests(SynchronousTestCase):
    """What is said of a value."""

    def test_values_are_shown_as_json_up_to_a_length(self) -> None:
        """Containers are named, and nothing makes a long message."""
        for value, words in (
            ({}, "an object"),
            ([1], "an array"),
            (None, "null"),
            (True, "true"),
            (1.0, "1.0"),
            (-5, "-5"),
            ("\u00e9\0", '"\u00e9\\u0000"'),
            ("\ud800", '"?"'),
            ("x" * 60, f'"{"x" * 60}"'),
            ("x" * 61, f'"{"x" * 60}..."'),
            (10**60, f"1{'0' * 59}..."),
        ):
            self.assertEqual(describe_value(value), words)

    def test_integers_may_have_any_number_of_digits(self) -> None:
        """Each is read in no time, and the largest ones are large still."""
        self.assertEqual(parse_integer("-12"), -12)
        for digits in (309, 4301, 60_000):
            self.assertGreater(parse_integer("9" * digits), sys.maxsize)
            self.assertLess(parse_integer("-" + "9" * digits), -sys.maxsize)
