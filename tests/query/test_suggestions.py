"""
Tests for L{twisted_quotes.query.suggestions}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.query.fields import fields_of
from twisted_quotes.query.queries import ACTIONS, Search
from twisted_quotes.query.quote_queries import FindQuotes, SampleQuotes
from twisted_quotes.query.suggestions import suggest_name

V1, V2 = ["action", *fields_of(Search)], list(fields_of(FindQuotes))


class SuggestionTests(SynchronousTestCase):
    """Tests of L{suggest_name}."""

    def test_a_synonym_suggests_the_fields_with_its_meaning(self) -> None:
        """The APIs have different names for the number of results."""
        for synonyms, v1, v2 in (
            ("q query text search keyword pattern", ["term"], ["term"]),
            ("page skip from start", ["offset"], ["offset"]),
            ("count size per_page perPage n max results", ["nresults"], ["limit"]),
            ("file tags book source dict name", ["dictionary"], ["dictionary"]),
            ("case caseless i", ["ignore_case"], ["ignore_case"]),
            ("word words whole", ["whole_word"], ["whole_word"]),
            ("regexp re", ["regex"], ["regex"]),
            ("context", ["n_before", "n_after"], []),
            ("before", ["n_before"], []),
            ("after", ["n_after"], []),
            ("by", [], ["author"]),
        ):
            for synonym in synonyms.split():
                for known_names, suggested in ((V1, v1), (V2, v2)):
                    names = " and ".join(f'"{name}"' for name in suggested)
                    expected = f" Try {names}." if suggested else ""
                    self.assertEqual(suggest_name(synonym, known_names), expected)
        self.assertEqual(suggest_name("limit", V1), ' Try "nresults".')
        self.assertEqual(suggest_name("nresults", V2), ' Try "limit".')

    def test_a_synonym_suggests_an_action_where_an_action_is_expected(self) -> None:
        for synonym, action in (
            ("find", "search"),
            ("query", "search"),
            ("shuffle", "random"),
            ("dictionaries", "list"),
        ):
            self.assertEqual(suggest_name(synonym, ACTIONS), f' Try "{action}".')

    def test_a_similar_name_is_suggested_in_any_case(self) -> None:
        for name, known_names, suggested in (
            ("nresult", V1, "nresults"),
            ("IgnoreCase", V1, "ignore_case"),
            ("n_bfore", V1, "n_before"),
            ("TERM", V1, "term"),
            ("terms", V1, "term"),
            ("sed", fields_of(SampleQuotes), "seed"),
            ("serch", ACTIONS, "search"),
        ):
            self.assertEqual(
                suggest_name(name, known_names), f' The nearest is "{suggested}".'
            )

    def test_other_names_suggest_nothing(self) -> None:
        """A few letters in common are not similar enough."""
        for name in ("letter", "writer", "filter", "after", "title"):
            self.assertEqual(suggest_name(name, ["term", "limit", "offset"]), "", name)
        for name in ("", "zzz", "sort", "order", "format", "id", "api_key", "x" * 9999):
            for known_names in (V1, V2, ACTIONS, []):
                self.assertEqual(suggest_name(name, known_names), "", name)
