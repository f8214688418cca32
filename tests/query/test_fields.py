"""
Tests for L{twisted_quotes.query.fields}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.query.fields import fields_of
from twisted_quotes.query.queries import ACTIONS, All, Search
from twisted_quotes.query.quote_queries import FindQuotes, SampleQuotes

TEXT = "a string of 1 to 1024 characters, without NUL or line breaks, not only blanks"
COUNT = "a whole number from 0 to 1000"
DICTIONARY = (
    "a file name in the library, with / for sub-folders, "
    'of 1 to 4096 characters, without NUL, or "*" for every dictionary'
)


class FieldsTests(SynchronousTestCase):
    """Tests of L{fields_of}."""

    def test_a_search_has_all_fields_of_the_contract(self) -> None:
        """The required ones are first."""
        self.assertEqual(
            [
                (f.name, f.default, f.required, f.is_text, f.allowed)
                for f in fields_of(Search).values()
            ],
            [
                ("term", "", True, True, TEXT),
                ("dictionary", "", False, True, DICTIONARY),
                ("ignore_case", "false", False, False, "true or false"),
                ("whole_word", "false", False, False, "true or false"),
                ("regex", "false", False, False, "true or false"),
                ("nresults", "0", False, False, "a whole number"),
                ("offset", "0", False, False, "a whole number, 0 or more"),
                ("n_before", "0", False, False, COUNT),
                ("n_after", "0", False, False, COUNT),
                ("unit", '"line"', False, True, '"line" or "quote"'),
            ],
        )

    def test_each_query_has_its_own_fields(self) -> None:
        """The others are those of a search."""
        only_search = fields_of(Search).keys() - fields_of(All).keys()
        self.assertEqual(only_search, {"term", "n_before", "n_after"})
        self.assertEqual(set(fields_of(ACTIONS["list"])), {"nresults", "offset"})
        random, quotes = fields_of(ACTIONS["random"]), fields_of(FindQuotes)
        self.assertEqual(fields_of(SampleQuotes).keys() - quotes.keys(), {"seed"})
        self.assertFalse(random["term"].required)
        for field, allowed in (
            (random["unit"], '"quote"'),
            (random["seed"], "a whole number"),
            (quotes["author"], TEXT),
            (quotes["limit"], "a whole number from 1 to 1000"),
        ):
            self.assertEqual(field.allowed, allowed)

    def test_every_field_has_a_description(self) -> None:
        for query_type in (*ACTIONS.values(), FindQuotes, SampleQuotes):
            for field in fields_of(query_type).values():
                self.assertTrue(field.description.strip(), field.name)
