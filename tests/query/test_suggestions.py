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

# Parameters of other APIs, of quotes and of searches, that mean nothing here.
UNRELATED_NAMES = (
    "analyze_wildcard analyzer api_key apikey callback curated cursor cx debug "
    "default_operator df explain expand facet fields fl fmt format fq fuzzyMaxEdits "
    "hidden highlight hl html id ids json key lang language lenient lr "
    "matchThreshold mode nonce order orientation pageToken pretty private raw "
    "request_cache routing safe scroll sfw since slug sort sortBy t timeout token "
    "track_total_hits ts until user v version wt $filter $orderby $select"
)


class SuggestionTests(SynchronousTestCase):
    """Tests of L{suggest_name}."""

    def test_a_synonym_suggests_the_fields_with_its_meaning(self) -> None:
        """The APIs have different names for the number of results."""
        for synonyms, v1, v2 in (
            ("q pattern", ["term"], ["term"]),
            ("query text search keyword $search", ["term"], ["term", "q"]),
            ("skip from start start_index $skip", ["offset"], ["offset"]),
            ("count size per_page hitsPerPage $top n", ["nresults"], ["limit"]),
            ("page_size pageSize max-results take", ["nresults"], ["limit"]),
            ("file tags category book source dict", ["dictionary"], ["dictionary"]),
            ("case caseless i", ["ignore_case"], ["ignore_case"]),
            ("word words whole", ["whole_word"], ["whole_word"]),
            ("regexp re", ["regex"], ["regex"]),
            ("context", ["n_before", "n_after"], []),
            ("before", ["n_before"], []),
            ("after", ["n_after"], []),
            ("by authorId", [], ["author"]),
            ("minLen", [], ["min_length"]),
        ):
            for synonym in synonyms.split():
                for known_names, suggested in ((V1, v1), (V2, v2)):
                    names = " or ".join(f'"{name}"' for name in suggested)
                    expected = f" Try {names}." if suggested else ""
                    self.assertEqual(suggest_name(synonym, known_names), expected)
        self.assertEqual(suggest_name("limit", V1), ' Try "nresults".')
        self.assertEqual(suggest_name("nresults", V2), ' Try "limit".')

    def test_a_page_is_explained_as_an_offset(self) -> None:
        for name in ("page", "p", "pageNumber", "page_no"):
            for known_names, limit in ((V1, "nresults"), (V2, "limit")):
                self.assertEqual(
                    suggest_name(name, known_names),
                    f' Try "offset", which is (page - 1) * {limit}.',
                )
        self.assertEqual(suggest_name("page", ["seed"]), "")

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
        for known_names in (V1, V2, ACTIONS, []):
            for name in ("", "zzz", "x" * 9999, *UNRELATED_NAMES.split()):
                self.assertEqual(suggest_name(name, known_names), "", name)
        self.assertEqual(suggest_name("q", ["whole_word", "seed"]), "")
