"""
Tests for L{twisted_quotes.query.queries}.
"""

from __future__ import annotations

import sys
from typing import Any

import msgspec
from msgspec import UNSET
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.query.queries import ACTIONS, All, List, Random, Search, action_name
from twisted_quotes.query.quote_queries import FindQuotes, SampleQuotes
from twisted_quotes.query.selection import Pattern, Selection, author_group


class QueryTests(SynchronousTestCase):
    """Tests of the query classes."""

    def test_a_query_has_the_defaults_of_the_contract(self) -> None:
        """Those of a search are tested with its fields."""
        everything = All()
        self.assertEqual((everything.dictionary, everything.offset), (UNSET, 0))
        self.assertEqual((everything.unit, everything.n_before), ("line", 0))
        self.assertEqual(everything.n_after, 0)
        random = Random()
        self.assertEqual((random.limit, random.unit, random.seed), (1, "quote", UNSET))
        self.assertEqual(List(), List(nresults=0, offset=0))
        self.assertEqual((FindQuotes().limit, FindQuotes().offset), (20, 0))
        self.assertEqual((SampleQuotes().limit, SampleQuotes().seed), (1, UNSET))

    def test_a_query_cannot_be_changed(self) -> None:
        with self.assertRaises(AttributeError):
            Search(term="cat").term = "dog"  # type: ignore[misc]

    def test_only_a_positive_number_is_a_limit(self) -> None:
        self.assertEqual([All(nresults=n).limit for n in (1, 0, -1)], [1, None, None])
        self.assertIsNone(Random(nresults=0).limit)

    def test_numbers_fit_into_64_bits(self) -> None:
        """Different large seeds stay different."""
        for huge in (2**63, 2**64, 10**900):
            query = All(nresults=huge, offset=huge)
            self.assertEqual((query.limit, query.offset), (sys.maxsize, sys.maxsize))
            self.assertEqual(List(nresults=huge), List(nresults=sys.maxsize))
            self.assertIsNone(All(nresults=-huge).limit)
        seeds = [sys.maxsize, 2**63, 2**64, 2**100, 2**128 - 1, -(2**70), -(2**71)]
        for kind in (Random, SampleQuotes):
            drawn = [kind(seed=seed).seed for seed in seeds]
            self.assertEqual(drawn[0], sys.maxsize)
            self.assertEqual(len(set(drawn)), len(seeds))
            self.assertEqual(drawn, [kind(seed=seed).seed for seed in seeds])
            self.assertTrue(msgspec.msgpack.encode(drawn))

    def test_the_end_is_the_sum_of_offset_and_limit_within_64_bits(self) -> None:
        self.assertEqual(All(nresults=3, offset=2).end, 5)
        self.assertEqual(All(nresults=sys.maxsize, offset=1).end, sys.maxsize)
        self.assertIsNone(All(offset=sys.maxsize).end)

    def test_every_query_has_the_name_of_its_action(self) -> None:
        self.assertEqual(list(ACTIONS), ["search", "all", "random", "list"])
        for query in (Search(term="cat"), All(), Random(), List()):
            self.assertIs(ACTIONS[action_name(query)], type(query))

    def test_the_selection_has_the_term_with_its_flags_and_the_author(self) -> None:
        flags: dict[str, Any] = {"ignore_case": True, "regex": True}
        pattern = Pattern("a", ignore_case=True, regex=True)
        for query, selection in (
            (Search(term="a", **flags), Selection(pattern)),
            (Random(term="a", **flags), Selection(pattern)),
            (Random(), Selection()),
            (All(ignore_case=True), Selection()),
            (
                FindQuotes(term="a", author="b", **flags),
                Selection(pattern, (author_group("b"),)),
            ),
        ):
            self.assertEqual(query.selection, selection)
