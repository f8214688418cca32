"""
Tests for L{twisted_quotes.query.suggestions}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.query.fields import fields_of
from twisted_quotes.query.queries import ACTIONS, FindQuotes, SampleQuotes, Search
from twisted_quotes.query.suggestions import suggest_name

V1, V2 = ["action", *fields_of(Search)], list(fields_of(FindQuotes))


class SuggestionTests(SynchronousTestCase):
    """Which known name a name that is not known is taken for."""

    def test_other_words_for_a_field(self) -> None:
        """Those of other programs mean the field that has their meaning here."""
        for words, v1, v2 in (
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
            for word in words.split():
                for known, meant in ((V1, v1), (V2, v2)):
                    names = " and ".join(f'"{name}"' for name in meant)
                    expected = f" Try {names}." if meant else ""
                    self.assertEqual(suggest_name(word, known), expected, word)

    def test_each_api_has_its_own_word(self) -> None:
        """What one calls by another name than the other is known in both."""
        self.assertEqual(suggest_name("limit", V1), ' Try "nresults".')
        self.assertEqual(suggest_name("nresults", V2), ' Try "limit".')

    def test_other_words_for_an_action(self) -> None:
        """They are not taken for fields, nor the other way round."""
        for word, action in (
            ("find", "search"),
            ("query", "search"),
            ("shuffle", "random"),
            ("dictionaries", "list"),
        ):
            self.assertEqual(suggest_name(word, ACTIONS), f' Try "{action}".')

    def test_a_name_that_is_near(self) -> None:
        """Slips are known for what they are, in any case."""
        for name, near in (
            ("nresult", "nresults"),
            ("IgnoreCase", "ignore_case"),
            ("n_bfore", "n_before"),
            ("TERM", "term"),
            ("terms", "term"),
        ):
            self.assertEqual(suggest_name(name, V1), f' The nearest is "{near}".')
        self.assertEqual(
            suggest_name("sed", fields_of(SampleQuotes)), ' The nearest is "seed".'
        )
        self.assertEqual(suggest_name("serch", ACTIONS), ' The nearest is "search".')

    def test_a_name_that_is_only_alike_is_not_near(self) -> None:
        """A few letters in common are no hint."""
        for name in ("letter", "writer", "filter", "after", "title"):
            self.assertEqual(suggest_name(name, ["term", "limit", "offset"]), "", name)

    def test_nothing_is_guessed(self) -> None:
        """What is not near, nor another word, gets no hint."""
        for name in ("", "zzz", "sort", "order", "format", "id", "api_key", "x" * 9999):
            for known in (V1, V2, ACTIONS, []):
                self.assertEqual(suggest_name(name, known), "", name)
