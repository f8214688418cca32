"""
Tests for L{bench.questions}.
"""

from __future__ import annotations

import json
from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from bench.queries import UnusedTerms, all_query, encode_query, search_query, zipf_terms

TERMS = [f"term {number}" for number in range(100)]


class BodyTests(SynchronousTestCase):
    """Tests of the bodies of requests."""

    def test_a_body_is_a_question_in_one_line(self) -> None:
        """It is read back as it was meant, and a file of them has one a line."""
        question = search_query("love", "large", nresults=10)
        self.assertEqual(json.loads(encode_query(question)), question)
        self.assertNotIn("\n", encode_query(all_query("medium")))


class ZipfTests(SynchronousTestCase):
    """Tests of L{zipf_terms}."""

    def test_the_first_is_drawn_far_more_often(self) -> None:
        """The second comes half as often as the first, the tenth a tenth as often."""
        drawn = Counter(zipf_terms(TERMS, 50_000, seed=1))
        self.assertApproximates(drawn[TERMS[0]] / drawn[TERMS[1]], 2, 0.2)
        self.assertApproximates(drawn[TERMS[0]] / drawn[TERMS[9]], 10, 2)

    def test_a_seed_gives_the_same_again(self) -> None:
        """All servers have the same mix in a round, and another in the next."""
        first = list(zipf_terms(TERMS, 50, seed=1))
        self.assertEqual(list(zipf_terms(TERMS, 50, seed=1)), first)
        self.assertNotEqual(list(zipf_terms(TERMS, 50, seed=2)), first)


class FreshTermsTests(SynchronousTestCase):
    """Tests of L{UnusedTerms}."""

    def test_a_used_term_is_not_offered_again(self) -> None:
        """Those that were offered and not used are."""
        fresh = UnusedTerms(TERMS)
        self.assertEqual(fresh.next_terms("ours", 10), TERMS[:10])
        fresh.mark_used("ours", 4)
        self.assertEqual(fresh.next_terms("ours", 10), TERMS[4:14])

    def test_each_server_has_its_own(self) -> None:
        """What one was asked is still new to another."""
        fresh = UnusedTerms(TERMS)
        fresh.mark_used("ours", 50)
        self.assertEqual(fresh.next_terms("webhook", 2), TERMS[:2])

    def test_near_the_end_fewer_are_offered(self) -> None:
        """Rather too few than one of them twice."""
        fresh = UnusedTerms(TERMS)
        fresh.mark_used("ours", 98)
        self.assertEqual(fresh.next_terms("ours", 10), TERMS[98:])
