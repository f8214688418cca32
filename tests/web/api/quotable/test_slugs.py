"""
Tests for L{twisted_quotes.web.api.quotable.slugs}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.web.api.quotable.slugs import slugify


class SlugifyTests(SynchronousTestCase):
    def test_a_slug_has_the_words_of_a_name(self) -> None:
        for name, slug in (
            ("Albert Einstein", "albert-einstein"),
            ("J. R. R. Tolkien", "j-r-r-tolkien"),
            ("J.R.R. Tolkien", "j-r-r-tolkien"),
            ("Martin Luther King, Jr.", "martin-luther-king-jr"),
            ("Flannery O'Connor", "flannery-oconnor"),
            ("Flannery O\u2019Connor", "flannery-oconnor"),
            ("Karel \u010capek", "karel-capek"),
            ("Karel C\u030capek", "karel-capek"),
            ("\u8001\u5b50", "\u8001\u5b50"),
            ("famous quotes", "famous-quotes"),
            ("pets/cats_2", "pets-cats-2"),
            ("???", ""),
        ):
            self.assertEqual(slugify(name), slug)

    @given(st.text())
    def test_the_slug_of_a_slug_is_itself(self, name: str) -> None:
        """So that a name and its slug are the same in a URL."""
        slug = slugify(name)
        self.assertEqual(slugify(slug), slug)
