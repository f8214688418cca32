"""
Tests for L{bench.questions}.
"""

from __future__ import annotations

import json
from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from bench.questions import FreshTerms, body, everything, search, zipf

TERMS = [f"term {number}" for number in range(100)]


class BodyTests(SynchronousTestCase):
    """Tests of the bodies of requests."""

    def test_a_body_is_a_question_in_one_line(self) -> None:
        """It is read back as it was meant, and a file of them has one a line."""
        question = search("love", "large", nresults=10)
        self.assertEqual(json.loads(body(question)), question)
        self.assertNotIn("\n", body(everything("medium")))


class ZipfTests(SynchronousTestCase):
    """Tests of L{zipf}."""

    def test_the_first_is_drawn_far_more_often(self) -> None:
        """The second comes half as often as the first, the tenth a tenth as often."""
        drawn = Counter(zipf(TERMS, 50_000, seed=1))
        self.assertApproximates(drawn[TERMS[0]] / drawn[TERMS[1]], 2, 0.2)
        self.assertApproximates(drawn[TERMS[0]] / drawn[TERMS[9]], 10, 2)

    def test_a_seed_gives_the_same_again(self) -> None:
        """All servers have the same mix in a round, and another in the next."""
        first = list(zipf(TERMS, 50, seed=1))
        self.assertEqual(list(zipf(TERMS, 50, seed=1)), first)
        self.assertNotEqual(list(zipf(TERMS, 50, seed=2)), first)


class FreshTermsTests(SynchronousTestCase):
    """Tests of L{FreshTerms}."""

    def test_a_used_term_is_not_offered_again(self) -> None:
        """Those that were offered and not used are."""
        fresh = FreshTerms(TERMS)
        self.assertEqual(fresh.offer("ours", 10), TERMS[:10])
        fresh.use("ours", 4)
        self.assertEqual(fresh.offer("ours", 10), TERMS[4:14])

    def test_each_server_has_its_own(self) -> None:
        """What one was asked is still new to another."""
        fresh = FreshTerms(TERMS)
        fresh.use("ours", 50)
        self.assertEqual(fresh.offer("webhook", 2), TERMS[:2])

    def test_near_the_end_fewer_are_offered(self) -> None:
        """Rather too few than one of them twice."""
        fresh = FreshTerms(TERMS)
        fresh.use("ours", 98)
        self.assertEqual(fresh.offer("ours", 10), TERMS[98:])
