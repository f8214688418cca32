"""
Tests for L{bench.queries}.
"""

from __future__ import annotations

import json
from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from bench.queries import (
    all_query,
    encode_query,
    quotes_path,
    search_query,
    zipf_terms,
)

TERMS = [f"term {number}" for number in range(100)]


class QueryTests(SynchronousTestCase):
    def test_a_body_is_a_query_in_one_line(self) -> None:
        """A file of bodies has one per line."""
        query = search_query("love", "large", nresults=10)
        self.assertEqual(json.loads(encode_query(query)), query)
        self.assertNotIn("\n", encode_query(all_query("medium")))

    def test_a_path_of_quotes_is_encoded(self) -> None:
        """It has no blanks, so that it can be the target of a request."""
        self.assertEqual(
            quotes_path("a & b", limit=2), "/api/v2/quotes?term=a+%26+b&limit=2"
        )

    def test_zipf_terms_have_a_zipf_distribution(self) -> None:
        """The second has half the frequency of the first, the tenth a tenth."""
        counts = Counter(zipf_terms(TERMS, 50_000, seed=1))
        self.assertApproximates(counts[TERMS[0]] / counts[TERMS[1]], 2, 0.2)
        self.assertApproximates(counts[TERMS[0]] / counts[TERMS[9]], 10, 2)

    def test_zipf_terms_depend_on_the_seed_only(self) -> None:
        """All servers get the same terms in a round, and others in the next."""
        first = zipf_terms(TERMS, 50, seed=1)
        self.assertEqual(zipf_terms(TERMS, 50, seed=1), first)
        self.assertNotEqual(zipf_terms(TERMS, 50, seed=2), first)
