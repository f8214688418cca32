"""
Tests for L{twisted_quotes.query.queries}.
"""

from __future__ import annotations

import sys
from typing import Any

import msgspec
from msgspec import UNSET
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.query.queries import (
    ACTIONS,
    All,
    FindQuotes,
    List,
    Pattern,
    Random,
    SampleQuotes,
    Search,
    Selection,
    StreamQuotes,
    action_name,
)


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
                unit="line",
            ),
        )

    def test_all_is_complete_with_defaults(self) -> None:
        """The whole dictionary is asked for from its start to its end."""
        query = All()
        self.assertEqual((query.dictionary, query.offset), (UNSET, 0))
        self.assertEqual((query.unit, query.n_before, query.n_after), ("line", 0, 0))
        self.assertIsNone(query.limit)

    def test_random_draws_one_quote(self) -> None:
        """Who says nothing gets one whole quote, any one, of the default."""
        query = Random()
        self.assertEqual((query.limit, query.unit, query.seed), (1, "quote", UNSET))
        self.assertEqual(query.selection, Selection())
        self.assertIsNone(Random(nresults=0).limit)

    def test_a_query_cannot_be_changed(self) -> None:
        """Queries are values."""
        with self.assertRaises(AttributeError):
            Search(term="cat").term = "dog"  # type: ignore[misc]

    def test_most_is_the_number_asked_for(self) -> None:
        """A number above 0 is a limit."""
        self.assertEqual(All(nresults=1).limit, 1)

    def test_no_number_and_none_below_1_is_a_limit(self) -> None:
        """0 and less mean all."""
        self.assertEqual([All(nresults=n).limit for n in (0, -1)], [None, None])

    def test_numbers_stay_within_64_bits(self) -> None:
        """Larger ones mean as much as the largest, and seeds stay seeds."""
        for huge in (2**63, 2**64, 10**900):
            query = All(nresults=huge, offset=huge)
            self.assertEqual((query.limit, query.offset), (sys.maxsize, sys.maxsize))
            self.assertEqual(List(nresults=huge), List(nresults=sys.maxsize))
            self.assertIsNone(All(nresults=-huge).limit)
            self.assertEqual(StreamQuotes(offset=huge).offset, sys.maxsize)
        seeds = [sys.maxsize, 2**63, 2**64, 2**100, 2**128 - 1, -(2**70), -(2**71)]
        for kind in (Random, SampleQuotes):
            drawn = [kind(seed=seed).seed for seed in seeds]
            self.assertEqual(drawn[0], sys.maxsize)
            self.assertEqual(len(set(drawn)), len(seeds))
            self.assertEqual(drawn, [kind(seed=seed).seed for seed in seeds])
            self.assertTrue(msgspec.msgpack.encode(drawn))

    def test_the_end_of_what_is_wanted_stays_within_64_bits(self) -> None:
        """An offset and a number of entries together are no larger than each."""
        self.assertEqual(All(nresults=3, offset=2).end, 5)
        self.assertEqual(All(nresults=sys.maxsize, offset=1).end, sys.maxsize)
        self.assertIsNone(All(offset=sys.maxsize).end)

    def test_action_of_is_the_word_in_the_request(self) -> None:
        """Each query knows the action it came from."""
        self.assertEqual(action_name(Search(term="cat")), "search")
        self.assertEqual(action_name(All()), "all")
        self.assertEqual(list(ACTIONS), ["search", "all", "random", "list"])
        self.assertEqual(List(), List(nresults=0, offset=0))

    def test_what_is_to_match_is_one_value(self) -> None:
        """The term with all that is said of it, and the author."""
        flags: dict[str, Any] = {"ignore_case": True, "regex": True}
        pattern = Pattern("a", ignore_case=True, regex=True)
        for query in (Search(term="a", **flags), Random(term="a", **flags)):
            self.assertEqual(query.selection, Selection(pattern))
        self.assertEqual(
            FindQuotes(term="a", author="b", **flags).selection,
            Selection(pattern, "b"),
        )
        self.assertEqual(All(ignore_case=True).selection, Selection())

    def test_quotes_come_in_pages(self) -> None:
        """Twenty in order, or one by chance."""
        self.assertEqual((FindQuotes().limit, FindQuotes().offset), (20, 0))
        self.assertEqual((SampleQuotes().limit, SampleQuotes().seed), (1, UNSET))
