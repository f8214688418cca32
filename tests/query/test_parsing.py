"""
Tests for L{twisted_quotes.query.parsing}.
"""

from __future__ import annotations

import json
import sys
from typing import Any
from urllib.parse import urlencode

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.errors import BadRequest, QuotesError, UnknownAction
from twisted_quotes.query.fields import fields_of
from twisted_quotes.query.parsing import parse_parameters, parse_query
from twisted_quotes.query.queries import (
    ACTIONS,
    All,
    FindQuotes,
    List,
    Query,
    Random,
    SampleQuotes,
    Search,
    StreamQuotes,
)

ACTION = '"search", "all", "random" or "list"'
NAMES = ["action", *fields_of(Search)]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


def parse(**fields: object) -> Query:
    """Parse a body with these fields."""
    return parse_query(json.dumps(fields).encode())


class _RefusalTestCase(SynchronousTestCase):
    def refusal_message(self, body: bytes | dict[str, Any]) -> str:
        """The message of the 400 that a body gets."""
        if isinstance(body, dict):
            body = json.dumps(body).encode()
        message: str = self.assertRaises(BadRequest, parse_query, body).message
        return message

    def search_refusal_message(self, **fields: object) -> str:
        """The same for a search that is fine but for these fields."""
        return self.refusal_message({"action": "search", "term": "cat", **fields})


class AcceptedTests(SynchronousTestCase):
    """Bodies that become queries."""

    def test_search_with_defaults(self) -> None:
        """Only the action and the term have to be there."""
        self.assertEqual(parse(action="search", term="cat"), Search(term="cat"))

    def test_all_with_defaults(self) -> None:
        """Only the action has to be there."""
        self.assertEqual(parse(action="all"), All())
        self.assertIs(All().dictionary, UNSET)

    def test_random_with_defaults(self) -> None:
        """Only the action has to be there; the unit may be said, but is clear."""
        self.assertEqual(parse(action="random"), Random())
        self.assertEqual(parse(action="random", unit="quote"), Random())

    def test_random_with_a_term_and_a_seed(self) -> None:
        """Both are optional."""
        self.assertEqual(
            parse(action="random", term="cat", seed=-3), Random(term="cat", seed=-3)
        )

    def test_list(self) -> None:
        """It takes a part of the list, and nothing else."""
        self.assertEqual(parse(action="list", offset=2), List(offset=2))

    def test_search_with_every_field(self) -> None:
        """Every field arrives where it belongs."""
        fields: dict[str, Any] = {
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
        self.assertEqual(parse(action="search", **fields), Search(**fields))

    def test_the_action_may_stand_anywhere(self) -> None:
        """JSON objects have no order."""
        self.assertEqual(parse(term="cat", action="search"), Search(term="cat"))

    def test_nresults_may_be_below_0(self) -> None:
        """Less than 0 is as good as 0."""
        self.assertEqual(parse(action="all", nresults=-5), All(nresults=-5))

    def test_numbers_may_be_huge(self) -> None:
        """A number is a number, however many digits it has."""
        for digits in (19, 20, 30, 309, 4301, 60_000):
            number = "9" * digits
            body = f'{{"action": "random", "nresults": {number}, "seed": -{number}}}'
            query = parse_query(body.encode())
            self.assertEqual(query.nresults, sys.maxsize)
            self.assertEqual(query, parse_query(body.encode()))

    def test_term_may_look_like_an_option(self) -> None:
        """A term with a leading dash is a term."""
        self.assertEqual(
            parse(action="search", term="-f/etc/passwd"), Search(term="-f/etc/passwd")
        )

    def test_term_is_counted_in_characters(self) -> None:
        """1024 characters are allowed, whatever their bytes."""
        for term in ("é" * 1024, "🐈" * 1024):
            self.assertEqual(parse(action="search", term=term), Search(term=term))

    def test_term_may_start_and_end_with_blanks(self) -> None:
        """Blanks around a term belong to it."""
        self.assertEqual(parse(action="search", term=" a\t"), Search(term=" a\t"))

    def test_dictionary_may_have_4096_characters(self) -> None:
        """The longest name allowed is taken."""
        name = "n" * 4096
        self.assertEqual(parse(action="all", dictionary=name), All(dictionary=name))

    def test_null_is_as_good_as_nothing(self) -> None:
        """Clients send it for what they have no value for, with any action."""
        for action, fields in (("search", {"term": "cat"}), ("all", {}), ("list", {})):
            nulls = dict.fromkeys([*fields_of(Random), *fields_of(Search)])
            self.assertEqual(
                parse(**{**nulls, "action": action, **fields}),
                parse(action=action, **fields),
            )

    def test_text_may_be_escaped_or_not(self) -> None:
        """JSON's two ways to write a character mean the same."""
        for body in (
            b'{"action":"search","term":"\\u00e9"}',
            b'{"action":"search","term":"\xc3\xa9"}',
        ):
            self.assertEqual(parse_query(body), Search(term="é"))


class NotAnObjectTests(_RefusalTestCase):
    """Bodies that are no JSON object."""

    def test_not_json(self) -> None:
        """What is not JSON in UTF-8 is said to be so."""
        for body in (
            b"",
            b"{",
            b"action=all",
            b'{"action": "all",}',
            b'{"action": "all"} more',
            b"{'action': 'all'}",
            b'{"action": "all", "offset": NaN}',
            b'{"action": "all", "dictionary": "\xff"}',
            b'{"action": "all", "\xff": 1}',
            '{"action": "all"}'.encode("utf-16"),
        ):
            self.assertIn("The body is not JSON: ", self.refusal_message(body))

    def test_cut_short_after_a_wrong_field(self) -> None:
        """A body that breaks off is not JSON, whatever stood in it before."""
        for body in (b'{"action": "search", "term": 5,', b'{"action": "dance", '):
            self.assertIn("The body is not JSON: ", self.refusal_message(body))

    def test_too_deep(self) -> None:
        """A body nested without end is refused like any other."""
        for body in (b"[" * 60_000, b'{"action":' * 6_000, b'{"x":' + b"[" * 60_000):
            self.assertIn("it is nested too deeply", self.refusal_message(body))

    def test_other_json(self) -> None:
        """JSON other than an object is named, and an object is shown."""
        for body, came in (
            (b"[1]", "an array"),
            (b"5", "5"),
            (b"null", "null"),
            (b'"x"', '"x"'),
        ):
            message = self.refusal_message(body)
            self.assertIn(f"The body is {came}. ", message)
            self.assertIn('{"action": "search"', message)


class ActionTests(_RefusalTestCase):
    """The field that says what to do."""

    def test_missing(self) -> None:
        """Without an action the message says which there are."""
        self.assertEqual(
            self.refusal_message({"term": "cat"}),
            f'The field "action" is missing. It must be {ACTION}.',
        )

    def test_wrong_type(self) -> None:
        """An action that is no string is shown back."""
        for action, came in ((5, "5"), (None, "null"), ([1], "an array")):
            self.assertEqual(
                self.refusal_message({"action": action}),
                f'The field "action" is {came}. It must be {ACTION}.',
            )

    def test_unknown(self) -> None:
        """An action that is a string but not known is another error."""
        error = self.assertRaises(UnknownAction, parse, action="serch", term="cat")
        self.assertEqual(
            error.message,
            'The action "serch" is not known. The nearest is "search". '
            f"It must be {ACTION}.",
        )

    def test_unknown_and_long(self) -> None:
        """A long action is shown in part."""
        error = self.assertRaises(UnknownAction, parse, action="z" * 5000)
        self.assertIn(f'"{"z" * 60}..."', error.message)
        self.assertLess(len(error.message), 300)

    def test_case_matters(self) -> None:
        """Actions are written in small letters."""
        error = self.assertRaises(UnknownAction, parse, action="ALL")
        self.assertIn('The nearest is "all"', error.message)


class UnknownFieldTests(_RefusalTestCase):
    """Fields that do not belong there."""

    def test_null_is_no_excuse(self) -> None:
        """A field that no action has is unknown, though it holds nothing."""
        self.assertIn(
            'The field "zzz" is not known.', self.search_refusal_message(zzz=None)
        )

    def test_names_the_nearest(self) -> None:
        """A misspelt field is named with the one that was meant."""
        for wrong, right in (
            ("nresult", "nresults"),
            ("ignorecase", "ignore_case"),
            ("n_bfore", "n_before"),
            ("Term", "term"),
        ):
            self.assertIn(
                f'The field "{wrong}" is not known. The nearest is "{right}". ',
                self.search_refusal_message(**{wrong: 1}),
            )

    def test_lists_those_of_the_action(self) -> None:
        """The fields that would be right are listed."""
        message = self.refusal_message({"action": "all", "zzz": 1})
        self.assertTrue(
            message.endswith(
                "The fields are action, dictionary, ignore_case, whole_word, regex, "
                "nresults, offset, unit."
            ),
            message,
        )

    def test_long_name(self) -> None:
        """A long name is shown in part."""
        message = self.search_refusal_message(**{"x" * 5000: 1})
        self.assertIn(f'"{"x" * 60}..."', message)
        self.assertLess(len(message), 400)

    def test_fields_of_a_search_do_not_go_with_all(self) -> None:
        """A term or context is an error with all, not silently ignored."""
        for name, value in (("term", "cat"), ("n_before", 0), ("n_after", 1)):
            self.assertEqual(
                self.refusal_message({"action": "all", name: value}),
                f'The field "{name}" does not go with the action "all".',
            )

    def test_fields_of_other_actions_do_not_go_with_a_search(self) -> None:
        """Nor do they with each other."""
        for action, name in (
            ("search", "seed"),
            ("all", "seed"),
            ("random", "n_before"),
            ("list", "dictionary"),
            ("list", "term"),
        ):
            self.assertIn(
                f'The field "{name}" does not go with the action "{action}".',
                self.refusal_message({"action": action, "term": "x", name: 1})
                if action == "search"
                else self.refusal_message({"action": action, name: 1}),
            )


class WrongFieldTests(_RefusalTestCase):
    """Fields that hold what they may not."""

    def test_term_is_missing(self) -> None:
        """A search without a term is told what a term is."""
        message = self.refusal_message({"action": "search"})
        self.assertIn('The field "term" is missing', message)
        self.assertIn("1 to 1024 characters", message)

    def test_terms_that_are_not_allowed(self) -> None:
        """Empty, blank, too long, with NUL or a line break: none is a term."""
        for term in ("", " ", "\t \u00a0", "x" * 1025, "a\0", "a\nb", "a\n", "\ra"):
            message = self.search_refusal_message(term=term)
            self.assertIn(f'"term" is a string of {len(term)} characters', message)
            self.assertIn("It must be a string of 1 to 1024 characters", message)

    def test_a_term_is_not_shown_back(self) -> None:
        """Messages are logged, terms are not."""
        self.assertNotIn("secret", self.search_refusal_message(term="secret\n"))

    def test_a_term_of_another_type(self) -> None:
        """A term that is no string is named for what it is."""
        for term, came in ((5, "5"), (None, "null"), (["a"], "an array")):
            self.assertIn(
                f'The field "term" is {came}. ', self.search_refusal_message(term=term)
            )

    def test_numbers(self) -> None:
        """A boolean, a broken number or a text is no whole number."""
        for name in ("nresults", "offset", "n_before", "n_after"):
            for value, came in (
                (True, "true"),
                (1.0, "1.0"),
                (1.5, "1.5"),
                ("1", '"1"'),
                ({}, "an object"),
            ):
                self.assertIn(
                    f'The field "{name}" is {came}. It must be a whole number',
                    self.search_refusal_message(**{name: value}),
                )

    def test_numbers_out_of_range(self) -> None:
        """Context is 0 to 1000 lines, an offset 0 or more."""
        for name in ("n_before", "n_after"):
            for value in (-1, 1001, 10**30):
                self.assertEqual(
                    self.search_refusal_message(**{name: value}),
                    f'The field "{name}" is {value}. '
                    "It must be a whole number from 0 to 1000.",
                )
        self.assertEqual(
            self.search_refusal_message(offset=-1),
            'The field "offset" is -1. It must be a whole number, 0 or more.',
        )

    def test_a_number_that_is_not_whole_may_be_huge(self) -> None:
        """Neither it nor a long whole number makes a long message."""
        self.assertEqual(
            self.refusal_message(b'{"action": "all", "offset": 1e400}'),
            'The field "offset" is Infinity. It must be a whole number, 0 or more.',
        )
        message = self.refusal_message(
            b'{"action": "all", "offset": -' + b"9" * 60_000 + b"}"
        )
        self.assertIn(f'The field "offset" is -{"9" * 59}.... It', message)

    def test_flags(self) -> None:
        """Neither a number nor a text is true or false."""
        for name in ("ignore_case", "whole_word", "regex"):
            for value, came in ((1, "1"), ("true", '"true"')):
                self.assertEqual(
                    self.search_refusal_message(**{name: value}),
                    f'The field "{name}" is {came}. It must be true or false.',
                )

    def test_units(self) -> None:
        """An entry is a line or a quote, and what is drawn is always a quote."""
        for unit, came in (("word", '"word"'), (1, "1")):
            self.assertEqual(
                self.search_refusal_message(unit=unit),
                f'The field "unit" is {came}. It must be "line" or "quote".',
            )
        self.assertEqual(
            self.refusal_message({"action": "random", "unit": "line"}),
            'The field "unit" is "line". It must be "quote".',
        )

    def test_seeds(self) -> None:
        """A seed is a whole number."""
        for seed, came in ((True, "true"), (1.5, "1.5"), ("1", '"1"')):
            self.assertEqual(
                self.refusal_message({"action": "random", "seed": seed}),
                f'The field "seed" is {came}. It must be a whole number.',
            )

    def test_dictionaries_that_are_not_allowed(self) -> None:
        """A name is a string of 1 to 4096 characters without NUL."""
        for value, came in (
            ("", '""'),
            ("a\0b", '"a\\u0000b"'),
            ("x" * 4097, f'"{"x" * 60}..."'),
            (5, "5"),
        ):
            message = self.search_refusal_message(dictionary=value)
            self.assertIn(f'The field "dictionary" is {came}. ', message)
            self.assertIn("It must be a file name in the library", message)

    def test_a_field_that_occurs_twice_is_named(self) -> None:
        """Whichever it is, known or not, right or wrong, escaped or not."""
        for fields, name in (
            (b'"term": "dog"', "term"),
            (b'"term": "cat"', "term"),
            (b'"term": 5', "term"),
            (b'"t\\u0065rm": "dog"', "term"),
            (b'"action": "all"', "action"),
            (b'"zzz": 1, "zzz": 1', "zzz"),
            (b'"offset": null, "offset": 1', "offset"),
        ):
            body = b'{"action": "search", "term": "cat", ' + fields + b"}"
            self.assertEqual(
                self.refusal_message(body),
                f'The field "{name}" stands more than once. Give each field once.',
            )

    def test_a_field_with_half_a_character_is_named(self) -> None:
        """An escape can write what no UTF-8 can."""
        for field, name in (
            (b'"term": "\\ud800"', "term"),
            (b'"dictionary": "a\\udc00b"', "dictionary"),
            (b'"action": "\\udbff"', "action"),
            (b'"\\udfff": 1', "?"),
        ):
            self.assertIn(
                f'The field "{name}" has half of a surrogate pair',
                self.refusal_message(b"{" + field + b"}"),
            )
        self.assertEqual(
            parse_query(b'{"action": "search", "term": "\\ud83d\\ude00"}'),
            Search(term="\N{GRINNING FACE}"),
        )


class AnyBodyTests(SynchronousTestCase):
    """What holds for whatever may be sent."""

    def check(self, body: bytes) -> None:
        """A body is a query or a refusal in words, never another error."""
        try:
            self.assertIsInstance(parse_query(body), Search | All | Random | List)
        except QuotesError as error:
            self.assertRegex(error.message, r"(?s)\A[A-Z].*\.\Z")

    @settings(max_examples=100)
    @given(st.binary())
    def test_any_bytes(self, body: bytes) -> None:
        """Bytes of any kind do no harm."""
        self.check(body)

    @settings(max_examples=100)
    @given(JSON)
    def test_any_json(self, value: object) -> None:
        """JSON of any kind does no harm."""
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
        """Fields of any kind do no harm, nor does what follows them."""
        body = json.dumps({"action": action, **fields}).encode()
        self.check(body)
        self.check(body + more)
        self.check(body[: len(body) // 2])

    @settings(max_examples=100)
    @given(
        st.sampled_from(NAMES[1:]),
        st.lists(st.text()) | st.floats(allow_nan=False, allow_infinity=False),
    )
    def test_a_wrong_type_names_the_field(self, name: str, value: object) -> None:
        """Whatever the wrong type, the message says where it stands."""
        body = json.dumps({"action": "search", "term": "cat", name: value})
        error = self.assertRaises(BadRequest, parse_query, body.encode())
        self.assertIn(f'The field "{name}" is ', error.message)


class ParameterTests(SynchronousTestCase):
    """The query of a URL."""

    def parse(self, **parameters: str) -> FindQuotes:
        """Parse what is given once each."""
        return parse_parameters(urlencode(parameters).encode(), FindQuotes)

    def refusal_message(self, query: bytes) -> str:
        """What a URL is refused with."""
        error = self.assertRaises(BadRequest, parse_parameters, query, SampleQuotes)
        return str(error.message)

    def test_nothing_has_to_be_given(self) -> None:
        """Every parameter has a default."""
        self.assertEqual(self.parse(), FindQuotes())
        self.assertEqual(parse_parameters(b"", SampleQuotes), SampleQuotes())

    def test_texts_are_read_as_what_they_should_be(self) -> None:
        """Numbers, flags and texts that look like them."""
        self.assertEqual(
            self.parse(
                limit="7", offset="0", ignore_case="true", regex="false", term="true"
            ),
            FindQuotes(limit=7, ignore_case=True, term="true"),
        )
        self.assertEqual(
            self.parse(term="5", author="1"), FindQuotes(term="5", author="1")
        )

    def test_an_unknown_one_is_named(self) -> None:
        """With the nearest known one, and all that are."""
        message = self.refusal_message(b"lmit=1")
        self.assertIn('"lmit" is not known. The nearest is "limit".', message)
        self.assertIn("seed", message)

    def test_a_wrong_one_is_named(self) -> None:
        """With what came, and what is allowed."""
        for name, value in (("limit", "0"), ("limit", "1001"), ("limit", "x")):
            self.assertEqual(
                self.refusal_message(f"{name}={value}".encode()),
                f'The field "{name}" is "{value}". '
                "It must be a whole number from 1 to 1000.",
            )
        self.assertIn("true or false", self.refusal_message(b"regex=yes"))
        self.assertIn("a whole number", self.refusal_message(b"seed=1.5"))

    def test_what_is_looked_for_is_not_shown_back(self) -> None:
        """Neither a term nor an author."""
        for name in (b"term", b"author"):
            message = self.refusal_message(name + b"=secret%0A")
            self.assertIn("a string of 7 characters that is not allowed", message)
            self.assertNotIn("secret", message)

    def test_one_that_stands_twice_is_named(self) -> None:
        """Nobody guesses which one is meant."""
        self.assertIn(
            '"limit" stands more than once', self.refusal_message(b"limit=1&limit=2")
        )

    def test_what_is_not_utf_8_is_refused(self) -> None:
        """Names and values are text."""
        for query in (b"%ff=1", b"term=%ff", b"term=\xff", b"\xff"):
            self.assertIn("not UTF-8", self.refusal_message(query))

    def test_nothing_is_left_out(self) -> None:
        """A name without a value is a parameter, and a semicolon is text."""
        self.assertEqual(self.parse(term="a;b&c").term, "a;b&c")
        self.assertEqual(parse_parameters(b"term=a;b", FindQuotes).term, "a;b")
        raw = "term=caf\u00e9+x".encode()
        self.assertEqual(parse_parameters(raw, FindQuotes).term, "caf\u00e9 x")
        for query, words in (
            (b"nonsense", '"nonsense" is not known'),
            (b"regex", '"regex" is "". It must be true or false'),
            (b"term", '"term" is a string of 0'),
            (b"=1", '"" is not known'),
        ):
            self.assertIn(words, self.refusal_message(query))

    def test_a_number_is_one_as_in_json(self) -> None:
        """No other way to write it is taken for one."""
        for value in ("1.0", "1e1", "+1", "01", "0x1", "1_0", "%201", "true", "\u0661"):
            self.assertIn(
                "a whole number", self.refusal_message(f"seed={value}".encode())
            )
            self.assertIn(
                "a whole number", self.refusal_message(f"limit={value}".encode())
            )
        for value in ("1", "True", "0", ""):
            self.assertIn(
                "true or false", self.refusal_message(f"whole_word={value}".encode())
            )

    def test_a_number_may_have_any_number_of_digits(self) -> None:
        """JSON has no largest number, and neither has a URL."""
        for digits in (30, 309, 4301, 9000):
            query = parse_parameters(b"offset=" + b"9" * digits, FindQuotes)
            self.assertEqual(query.offset, sys.maxsize)
            parse_parameters(b"seed=-" + b"9" * digits, SampleQuotes)
            self.assertIn(
                "from 1 to 1000", self.refusal_message(b"limit=" + b"9" * digits)
            )

    def test_nesting_is_no_number(self) -> None:
        """However deep it is."""
        for value in (b"[" * 3000, b'{"a":' * 1000, b"-" * 3000):
            for name in (b"limit", b"offset", b"seed", b"regex"):
                self.assertIn("It must be", self.refusal_message(name + b"=" + value))

    def test_a_stream_has_no_limit_unless_it_is_given(self) -> None:
        """A page has one."""
        self.assertIs(parse_parameters(b"", StreamQuotes).limit, UNSET)
        self.assertEqual(parse_parameters(b"limit=5", StreamQuotes).limit, 5)
