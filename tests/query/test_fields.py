"""
Tests for L{twisted_quotes.query.fields}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.query.fields import fields_of
from twisted_quotes.query.queries import ACTIONS, All, FindQuotes, SampleQuotes, Search

TEXT = "a string of 1 to 1024 characters, without NUL or line breaks, not only blanks"


class FieldsTests(SynchronousTestCase):
    """What the instructions and the errors read off the queries."""

    def test_every_field_has_its_default(self) -> None:
        """The fields are those of API v1, the required ones first."""
        self.assertEqual(
            [(f.name, f.default, f.required) for f in fields_of(Search).values()],
            [
                ("term", "", True),
                ("dictionary", "", False),
                ("ignore_case", "false", False),
                ("whole_word", "false", False),
                ("regex", "false", False),
                ("nresults", "0", False),
                ("offset", "0", False),
                ("n_before", "0", False),
                ("n_after", "0", False),
                ("unit", '"line"', False),
            ],
        )

    def test_every_action_has_its_own_fields(self) -> None:
        """What goes with a search does not go with everything."""
        only_search = fields_of(Search).keys() - fields_of(All).keys()
        self.assertEqual(only_search, {"term", "n_before", "n_after"})
        self.assertEqual(set(fields_of(ACTIONS["list"])), {"nresults", "offset"})
        self.assertFalse(fields_of(ACTIONS["random"])["term"].required)
        self.assertEqual(
            fields_of(SampleQuotes).keys() - fields_of(FindQuotes).keys(), {"seed"}
        )

    def test_every_field_says_what_is_allowed(self) -> None:
        """Each field has the words that an error closes with."""
        allowed = {f.name: f.allowed for f in fields_of(Search).values()}
        self.assertEqual(
            allowed,
            {
                "term": TEXT,
                "dictionary": "a file name in the library, with / for sub-folders, "
                'of 1 to 4096 characters, without NUL, or "*" for every dictionary',
                "nresults": "a whole number",
                "offset": "a whole number, 0 or more",
                "ignore_case": "true or false",
                "whole_word": "true or false",
                "regex": "true or false",
                "n_before": "a whole number from 0 to 1000",
                "n_after": "a whole number from 0 to 1000",
                "unit": '"line" or "quote"',
            },
        )
        random = fields_of(ACTIONS["random"])
        self.assertEqual(random["unit"].allowed, '"quote"')
        self.assertEqual(random["seed"].allowed, "a whole number")
        quotes = fields_of(FindQuotes)
        self.assertEqual(quotes["author"].allowed, TEXT)
        self.assertEqual(quotes["limit"].allowed, "a whole number from 1 to 1000")

    def test_every_field_says_what_it_means(self) -> None:
        """No field stands in the instructions without an explanation."""
        for kind in (*ACTIONS.values(), FindQuotes, SampleQuotes):
            for field in fields_of(kind).values():
                self.assertTrue(field.description.strip(), field.name)
