"""
Tests for L{twisted_quotes.query.parsing}.
"""

from __future__ import annotations

import json
import sys
from itertools import product
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET, convert
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.errors import BadRequest, QuotesError, UnknownAction
from twisted_quotes.query.fields import fields_of
from twisted_quotes.query.json_body import parse_integer
from twisted_quotes.query.parsing import parse_parameters, parse_query
from twisted_quotes.query.queries import ACTIONS, All, List, Query, Random, Search
from twisted_quotes.query.quote_queries import FindQuotes, SampleQuotes, StreamQuotes

ACTION = 'one of "search", "all", "random", "list"'
BOOLEAN = "true, false, 1, 0, yes, no, on or off, or without a value for true"
NAMES = ["action", *fields_of(Search)]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


def parse(**fields: object) -> Query:
    """Parse a body with these fields."""
    return parse_query(json.dumps(fields).encode())


class _ErrorTestCase(SynchronousTestCase):
    def error_message(self, body: bytes | dict[str, Any]) -> str:
        """Return the message of the L{BadRequest} for a body."""
        if isinstance(body, dict):
            body = json.dumps(body).encode()
        return str(self.assertRaises(BadRequest, parse_query, body).message)

    def search_error_message(self, **fields: object) -> str:
        """Return the message for a search that is valid except for these fields."""
        return self.error_message({"action": "search", "term": "cat", **fields})


class ValidBodyTests(SynchronousTestCase):
    """Tests of bodies that become queries."""

    def test_fields_become_attributes_of_a_query(self) -> None:
        """Those that are left out have their defaults."""
        everything: dict[str, Any] = {
            "term": "cat",
            "dictionary": "pets/cats",
            "nresults": 2,
            "offset": 3,
            "ignore_case": True,
            "whole_word": True,
            "regex": True,
            "n_before": 1000,
            "n_after": 0,
        }
        for fields, query in (
            ({"action": "search", "term": "cat"}, Search(term="cat")),
            ({"term": "cat", "action": "search"}, Search(term="cat")),
            ({"action": "search", **everything}, Search(**everything)),
            ({"action": "all"}, All()),
            ({"action": "all", "nresults": -5}, All(nresults=-5)),
            ({"action": "random"}, Random()),
            ({"action": "random", "unit": "quote"}, Random()),
            (
                {"action": "random", "term": "cat", "seed": -3},
                Random(term="cat", seed=-3),
            ),
            ({"action": "list", "offset": 2}, List(offset=2)),
        ):
            self.assertEqual(parse(**fields), query)
        self.assertIs(All().dictionary, UNSET)

    def test_numbers_may_have_any_number_of_digits(self) -> None:
        for digits in (19, 20, 30, 309, 4301, 60_000):
            number = "9" * digits
            body = f'{{"action": "random", "nresults": {number}, "seed": -{number}}}'
            query = parse_query(body.encode())
            self.assertEqual(query.nresults, sys.maxsize)
            self.assertEqual(query, parse_query(body.encode()))

    def test_a_term_may_have_1024_characters_of_any_kind(self) -> None:
        """It may look like an option, and begin or end with spaces."""
        for term in ("-f/etc/passwd", "\u00e9" * 1024, "\U0001f408" * 1024, " a\t"):
            self.assertEqual(parse(action="search", term=term), Search(term=term))

    def test_a_dictionary_name_may_have_4096_characters(self) -> None:
        name = "n" * 4096
        self.assertEqual(parse(action="all", dictionary=name), All(dictionary=name))

    def test_a_null_is_the_same_as_no_field(self) -> None:
        """This holds for the fields of other actions too."""
        for action, fields in (("search", {"term": "cat"}), ("all", {}), ("list", {})):
            nulls = dict.fromkeys([*fields_of(Random), *fields_of(Search)])
            self.assertEqual(
                parse(**{**nulls, "action": action, **fields}),
                parse(action=action, **fields),
            )

    def test_characters_may_be_escaped(self) -> None:
        for term, expected in (
            (b"\\u00e9", "\u00e9"),
            (b"\xc3\xa9", "\u00e9"),
            (b"\\ud83d\\ude00", "\N{GRINNING FACE}"),
        ):
            body = b'{"action":"search","term":"' + term + b'"}'
            self.assertEqual(parse_query(body), Search(term=expected))


class NotAnObjectTests(_ErrorTestCase):
    """Tests of bodies that are not JSON objects."""

    def test_a_body_that_is_not_json_is_named_so(self) -> None:
        """Even if a field is wrong before the body breaks off."""
        for body in (
            b"action=all",
            b'{"action": "all", "\xff": 1}',
            b'{"action": "search", "term": 5,',
            b'{"action": "dance", ',
        ):
            self.assertIn("The body is not JSON: ", self.error_message(body))

    def test_json_that_is_not_an_object_is_named(self) -> None:
        for body, description in (
            (b"[1]", "an array"),
            (b"5", "5"),
            (b"null", "null"),
            (b'"x"', '"x"'),
        ):
            message = self.error_message(body)
            self.assertIn(f"The body is {description}. ", message)
            self.assertIn('{"action": "search"', message)


class ActionTests(_ErrorTestCase):
    """Tests of the field C{action}."""

    def test_an_action_that_is_missing_or_no_string_is_a_bad_request(self) -> None:
        for fields, problem in (
            ({"term": "cat"}, "missing"),
            ({"action": 5}, "5"),
            ({"action": None}, "null"),
            ({"action": [1]}, "an array"),
        ):
            self.assertEqual(
                self.error_message(fields),
                f'The field "action" is {problem}. It must be {ACTION}.',
            )

    def test_an_unknown_action_is_another_error(self) -> None:
        """It names the action, a similar one, and all that are known."""
        for action, start in (
            ("serch", 'The action "serch" is not known. The nearest is "search".'),
            ("ALL", 'The action "ALL" is not known. The nearest is "all".'),
            ("z" * 5000, f'The action "{"z" * 60}…" is not known.'),
        ):
            error = self.assertRaises(UnknownAction, parse, action=action, term="cat")
            self.assertEqual(error.message, f"{start} It must be {ACTION}.")


class UnknownFieldTests(_ErrorTestCase):
    """Tests of fields that the action does not have."""

    def test_an_unknown_field_is_named_with_a_similar_one(self) -> None:
        """It is unknown even if it is null. A long name is cut."""
        for name, value, words in (
            ("nresult", 1, '"nresult" is not known. The nearest is "nresults". '),
            ("Term", 1, '"Term" is not known. The nearest is "term". '),
            ("zzz", None, '"zzz" is not known. The fields are action, term, '),
            ("x" * 5000, 1, f'"{"x" * 60}…" is not known. The fields are '),
        ):
            message = self.search_error_message(**{name: value})
            self.assertIn(f"The field {words}", message)
            self.assertLess(len(message), 400)

    def test_the_fields_of_the_action_are_listed(self) -> None:
        message = self.error_message({"action": "all", "zzz": 1})
        fields = "dictionary, ignore_case, whole_word, regex, nresults, offset, unit"
        self.assertTrue(message.endswith(f"The fields are action, {fields}."), message)

    def test_a_field_of_another_action_is_refused(self) -> None:
        for action, name in (
            ("search", "seed"),
            ("all", "term"),
            ("all", "n_before"),
            ("random", "n_after"),
            ("list", "dictionary"),
        ):
            term = {"term": "x"} if action == "search" else {}
            self.assertEqual(
                self.error_message({"action": action, **term, name: 0}),
                f'The field "{name}" does not go with the action "{action}".',
            )


class WrongFieldTests(_ErrorTestCase):
    """Tests of values that are not allowed."""

    def test_a_missing_term_is_described(self) -> None:
        for fields in ({"action": "search"}, {"action": "search", "term": None}):
            self.assertEqual(
                self.error_message(fields),
                'The field "term" is missing: the action "search" needs a string of '
                "1 to 1024 characters, without NUL or line breaks, not only blanks.",
            )

    def test_a_wrong_term_is_described_but_not_shown(self) -> None:
        """Messages are logged, search terms are not."""
        for term, problem in (
            ("", "is empty"),
            (" ", "has only blanks"),
            ("\t \u00a0\n", "has only blanks"),
            ("x" * 1025, "has 1025 characters"),
            ("secret\0", "has a NUL"),
            ("secret\nb", "has a line break"),
            ("\rsecret", "has a line break"),
        ):
            message = self.search_error_message(term=term)
            self.assertIn(f'The field "term" {problem}. It must be a string ', message)
            self.assertNotIn("secret", message)

    def test_a_wrong_value_is_shown_with_what_is_allowed(self) -> None:
        """It is shown as JSON. No other type is converted to the right one."""
        numbers = (True, 1.0, 1.5, "1")
        cases: tuple[tuple[str, str, str, tuple[object, ...]], ...] = (
            ("search", "term", "a string of 1 to", (5, 1.5)),
            ("search", "nresults offset n_before n_after", "a whole number", numbers),
            (
                "search",
                "n_before n_after",
                "a whole number from 0 to 1000.",
                (-1, 1001),
            ),
            ("search", "offset", "a whole number, 0 or more.", (-1,)),
            ("search", "ignore_case whole_word regex", "true or false.", (1,)),
            (
                "search",
                "ignore_case whole_word regex",
                "true or false, without quotation marks.",
                ("true", "False", ""),
            ),
            (
                "search",
                "nresults",
                "a whole number, without quotation marks.",
                ("5", "x"),
            ),
            ("search", "unit", '"line" or "quote".', ("word", 1)),
            ("search", "dictionary", "a file name in the library", ("", "a\0b", 5)),
            ("random", "seed", "a whole number", numbers),
            ("random", "unit", '"quote".', ("line",)),
        )
        for action, names, allowed, values in cases:
            for name, value in product(names.split(), values):
                term = {"term": "cat"} if action == "search" else {}
                self.assertIn(
                    f'The field "{name}" is {json.dumps(value)}. It must be {allowed}',
                    self.error_message({"action": action, **term, name: value}),
                )

    def test_a_long_value_is_not_shown_as_a_whole(self) -> None:
        for name, value, description in (
            ("term", ["a"], "an array"),
            ("offset", {}, "an object"),
            ("n_after", 10**30, f"1{'0' * 30}"),
            ("n_after", 10**60, f"1{'0' * 59}…"),
            ("dictionary", "x" * 4097, f'"{"x" * 60}…"'),
        ):
            self.assertIn(
                f'The field "{name}" is {description}. It must be ',
                self.search_error_message(**{name: value}),
            )
        for number, description in (
            (b"1e400", "Infinity"),
            (b"NaN", "NaN"),
            (b"-" + b"9" * 60_000, f"-{'9' * 59}…"),
        ):
            self.assertIn(
                f'The field "offset" is {description}. It must be ',
                self.error_message(b'{"action": "all", "offset": ' + number + b"}"),
            )

    def test_a_repeated_field_is_named(self) -> None:
        """Whether it is known or not, right or wrong, escaped or not."""
        for fields, name in (
            (b'"term": "cat"', "term"),
            (b'"term": 5', "term"),
            (b'"t\\u0065rm": "dog"', "term"),
            (b'"zzz": 1, "zzz": 1', "zzz"),
            (b'"offset": null, "offset": 1', "offset"),
        ):
            body = b'{"action": "search", "term": "cat", ' + fields + b"}"
            self.assertEqual(
                self.error_message(body),
                f'The field "{name}" occurs more than once. Give each field once.',
            )

    def test_a_field_with_a_lone_surrogate_is_named(self) -> None:
        for field, name in (
            (b'"term": "\\ud800"', "term"),
            (b'"dictionary": "a\\udc00b"', "dictionary"),
            (b'"action": "\\udbff"', "action"),
            (b'"\\udfff": 1', "?"),
        ):
            self.assertIn(
                f'The field "{name}" has half of a surrogate pair',
                self.error_message(b"{" + field + b"}"),
            )


class AnyBodyTests(SynchronousTestCase):
    """Tests of generated bodies."""

    def check(self, body: bytes) -> None:
        """Check that a body becomes a query or raises a L{QuotesError}."""
        try:
            self.assertIsInstance(parse_query(body), Search | All | Random | List)
        except QuotesError as error:
            self.assertRegex(error.message, r"(?s)\A[A-Z].*\.\Z")

    @settings(max_examples=100)
    @given(st.binary())
    def test_any_bytes(self, body: bytes) -> None:
        self.check(body)

    @settings(max_examples=100)
    @given(JSON)
    def test_any_json(self, value: object) -> None:
        self.check(json.dumps(value).encode())

    @settings(max_examples=100)
    @given(
        st.sampled_from(list(ACTIONS)),
        st.dictionaries(st.sampled_from(NAMES) | st.text(), JSON),
        st.binary(max_size=3),
    )
    def test_any_fields(
        self, action: str, fields: dict[str, object], more: bytes
    ) -> None:
        body = json.dumps({"action": action, **fields}).encode()
        self.check(body)
        self.check(body + more)
        self.check(body[: len(body) // 2])


class ParameterTests(SynchronousTestCase):
    """Tests of L{parse_parameters}."""

    def parse(self, query_string: str) -> FindQuotes:
        return parse_parameters(query_string.encode(), FindQuotes)

    def error_message(self, query_string: str | bytes) -> str:
        """Return the message of the L{BadRequest} for a query string."""
        if isinstance(query_string, str):
            query_string = query_string.encode()
        error = self.assertRaises(
            BadRequest, parse_parameters, query_string, SampleQuotes
        )
        return str(error.message)

    def test_parameters_become_attributes_of_a_query(self) -> None:
        """Only numbers and booleans are parsed as such. A semicolon is text."""
        for query_string, query in (
            ("", FindQuotes()),
            (
                "limit=7&offset=0&ignore_case=true&regex=false&term=true",
                FindQuotes(limit=7, ignore_case=True, term="true"),
            ),
            ("term=5&author=1", FindQuotes(term="5", author="1")),
            ("term=a%3Bb%26c", FindQuotes(term="a;b&c")),
            ("term=a;b", FindQuotes(term="a;b")),
            ("term=caf\u00e9+x", FindQuotes(term="caf\u00e9 x")),
            ("dictionary=a&dictionary=b/c", FindQuotes(dictionary=("a", "b/c"))),
            ("q=a+-b%0A%22c%22", FindQuotes(q='a -b\n"c"')),
            ("ignore_case=AUTO", FindQuotes()),
        ):
            self.assertEqual(self.parse(query_string), query)
        self.assertEqual(parse_parameters(b"", SampleQuotes), SampleQuotes())
        self.assertIs(parse_parameters(b"", StreamQuotes).limit, UNSET)
        self.assertEqual(parse_parameters(b"limit=5", StreamQuotes).limit, 5)

    def test_a_boolean_has_several_spellings(self) -> None:
        """In any case. Without a value it is true."""
        for name in ("ignore_case", "whole_word", "regex"):
            self.assertEqual(self.parse(name), convert({name: True}, FindQuotes))
            for value, texts in (
                (True, ("", "true", "1", "yes", "on", "True", "Yes", "oN")),
                (False, ("false", "0", "no", "off", "False", "NO", "oFF")),
            ):
                for text in texts:
                    query = self.parse(f"{name}={text}")
                    self.assertEqual(query, convert({name: value}, FindQuotes))

    def test_tracking_parameters_are_ignored(self) -> None:
        """Similar ones are not."""
        tracking = "fbclid=x&utm_source=a&utm_source=b&gclid&msclkid=%20&mc_eid=1"
        self.assertEqual(self.parse(f"limit=5&{tracking}"), FindQuotes(limit=5))
        for name in ("utm_", "fbclid2", "xgclid", "FBCLID"):
            self.assertIn(f'"{name}" is not known', self.error_message(f"{name}=1"))

    def test_an_error_names_the_parameter(self) -> None:
        """It does not show a term or an author."""
        for query_string, words in (
            ("lmit=1", 'The parameter "lmit" is not known. The nearest is "limit". '),
            ("nonsense", '"nonsense" is not known. The parameters are dictionary, '),
            ("=1", '"" is not known'),
            (
                "limit=1&limit=2",
                'The parameter "limit" occurs more than once. Give each parameter once',
            ),
            ("limit=0", 'The parameter "limit" is "0". It must be a whole number '),
            ("limit=1001", "It must be a whole number from 1 to 1000."),
            ("regex=maybe", f'"regex" is "maybe". It must be {BOOLEAN}.'),
            ("limit", 'The parameter "limit" is "". It must be a whole number '),
            ("term", 'The parameter "term" is empty. '),
            ("term=%20", 'The parameter "term" has only blanks. '),
            ("term=secret%0A", '"term" has a line break. '),
            ("author=secret%0A", '"author" has a line break. '),
        ):
            message = self.error_message(query_string)
            self.assertIn(words, message)
            self.assertNotIn("secret", message)
            self.assertNotIn("field", message)

    def test_a_search_as_typed_has_words_and_no_term(self) -> None:
        for query_string, words in (
            ("q=", 'The parameter "q" is empty. It must be a string of 1 to 1024'),
            ("q=%22%20%22", 'The parameter "q" has no words. '),
            ("q=secret&term=a", 'The parameter "term" does not go with "q". '),
            ("q=secret&regex=no", 'The parameter "regex" does not go with "q". '),
            ("q=" + "secret+" * 33, 'The parameter "q" has 33 words, and 32 are '),
            ("q=secret%00", 'The parameter "q" has a NUL. '),
        ):
            message = self.error_message(query_string)
            self.assertIn(words, message)
            self.assertNotIn("secret", message)

    def test_an_error_shows_the_value_of_a_repeated_parameter(self) -> None:
        message = self.error_message("dictionary=a&dictionary=b%00&dictionary=c")
        self.assertIn('"dictionary" is "b\\u0000". It must be a file', message)

    def test_a_query_names_at_most_a_hundred_dictionaries(self) -> None:
        self.assertEqual(len(self.parse("dictionary=a&" * 100).dictionary), 100)
        message = self.error_message("dictionary=a&" * 101)
        self.assertIn('"dictionary" occurs 101 times; 100 are allowed. ', message)

    def test_a_parameter_of_another_url_is_refused(self) -> None:
        error = self.assertRaises(BadRequest, parse_parameters, b"seed=1", FindQuotes)
        self.assertEqual(
            error.message, 'The parameter "seed" does not go with this URL.'
        )

    def test_a_query_string_that_is_not_utf_8_is_refused(self) -> None:
        for query_string in (b"%ff=1", b"term=%ff", b"term=\xff", b"\xff"):
            self.assertIn("not UTF-8", self.error_message(query_string))

    def test_other_numbers_and_booleans_are_refused(self) -> None:
        nested = ("[" * 3000, '{"a":' * 1000, "-" * 3000)
        numbers = (
            "x",
            "1.0",
            "1e1",
            "+1",
            "01",
            "0x1",
            "1_0",
            "%201",
            "true",
            "%D9%A1",
        )
        for name, value in product(("seed", "limit", "offset"), numbers + nested):
            self.assertIn(
                "must be a whole number", self.error_message(f"{name}={value}")
            )
        for value in ("2", "-1", "01", "t", "null", "%20true", *nested):
            self.assertIn(f"must be {BOOLEAN}", self.error_message(f"regex={value}"))

    def test_a_number_may_have_any_number_of_digits(self) -> None:
        for digits in (30, 309, 4301, 9000):
            number = "9" * digits
            self.assertEqual(
                self.parse(f"offset={number}").offset, parse_integer(number)
            )
            parse_parameters(f"seed=-{number}".encode(), SampleQuotes)
            self.assertIn("from 1 to 1000", self.error_message(f"limit={number}"))
