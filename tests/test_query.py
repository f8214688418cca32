"""
Tests for L{twisted_quotes.query}.
"""

from __future__ import annotations

from msgspec import UNSET
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.query import FIELDS, All, Search, action_of

BOTH = ("search", "all")


class QueryTests(SynchronousTestCase):
    """The queries themselves."""

    def test_search_is_complete_with_defaults(self) -> None:
        """A search that says only its term has every other field's default."""
        self.assertEqual(
            Search(term="cat"),
            Search(
                term="cat",
                dictionary=UNSET,
                nresults=0,
                offset=0,
                ignore_case=False,
                whole_word=False,
                regex=False,
                n_before=0,
                n_after=0,
            ),
        )

    def test_all_is_complete_with_defaults(self) -> None:
        """The whole dictionary is asked for from its start to its end."""
        query = All()
        self.assertEqual((query.dictionary, query.offset), (UNSET, 0))
        self.assertIsNone(query.most)

    def test_a_query_cannot_be_changed(self) -> None:
        """Queries are values."""
        with self.assertRaises(AttributeError):
            Search(term="cat").term = "dog"  # type: ignore[misc]

    def test_most_is_the_number_asked_for(self) -> None:
        """A number above 0 is a limit."""
        self.assertEqual(All(nresults=1).most, 1)

    def test_no_number_and_none_below_1_is_a_limit(self) -> None:
        """0 and less mean all."""
        self.assertEqual([All(nresults=n).most for n in (0, -1)], [None, None])

    def test_action_of_is_the_word_in_the_request(self) -> None:
        """Each query knows the action it came from."""
        self.assertEqual(action_of(Search(term="cat")), "search")
        self.assertEqual(action_of(All()), "all")


class FieldsTests(SynchronousTestCase):
    """What the instructions and the errors read off the queries."""

    def test_every_field_has_its_actions_and_default(self) -> None:
        """The fields are those of API v1, the required ones first."""
        self.assertEqual(
            [(field.name, field.actions, field.default) for field in FIELDS],
            [
                ("action", BOTH, None),
                ("term", ("search",), None),
                ("dictionary", BOTH, ""),
                ("nresults", BOTH, "0"),
                ("offset", BOTH, "0"),
                ("ignore_case", BOTH, "false"),
                ("whole_word", BOTH, "false"),
                ("regex", BOTH, "false"),
                ("n_before", ("search",), "0"),
                ("n_after", ("search",), "0"),
            ],
        )

    def test_every_field_says_what_is_allowed(self) -> None:
        """Each field has the words that an error closes with."""
        self.assertEqual(
            {field.name: field.allowed for field in FIELDS},
            {
                "action": '"search" or "all"',
                "term": "a string of 1 to 1024 characters, "
                "without NUL or line breaks, not only blanks",
                "dictionary": "a file name in the library, with / for sub-folders, "
                "of 1 to 4096 characters, without NUL",
                "nresults": "a whole number",
                "offset": "a whole number, 0 or more",
                "ignore_case": "true or false",
                "whole_word": "true or false",
                "regex": "true or false",
                "n_before": "a whole number from 0 to 1000",
                "n_after": "a whole number from 0 to 1000",
            },
        )

    def test_every_field_says_what_it_means(self) -> None:
        """No field stands in the instructions without an explanation."""
        self.assertEqual([f.name for f in FIELDS if not f.meaning.strip()], [])
