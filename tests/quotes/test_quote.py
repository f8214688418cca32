"""
Tests for L{twisted_quotes.quotes.quote}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.quotes.quote import quote_id


class QuoteIDTests(SynchronousTestCase):
    """Tests of L{quote_id}."""

    def test_the_id_depends_on_the_text_only(self) -> None:
        self.assertEqual(quote_id("To be"), quote_id("To be"))
        self.assertNotEqual(quote_id("To be"), quote_id("To be "))
        self.assertRegex(quote_id("\u00e9"), r"\A[0-9a-f]{24}\Z")
