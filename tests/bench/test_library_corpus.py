"""
Tests for L{bench.library_corpus}.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.trial.unittest import SynchronousTestCase

from bench.corpus import COMMON_TERM, RARE_TERM
from bench.library_corpus import (
    FORTUNE_FILES,
    QUOTES_PER_COMMON_TERM,
    QUOTES_PER_FILE,
    distinct_quote_terms,
    fortune_quotes,
    make_quotes,
    write_libraries,
)


class QuoteTests(SynchronousTestCase):
    def test_every_run_uses_the_same_quotes(self) -> None:
        """There are no duplicates."""
        quotes = list(make_quotes(500))
        self.assertEqual(list(make_quotes(500)), quotes)
        self.assertEqual(len({quote[:5] for quote in quotes}), 500)

    def test_the_terms_have_a_known_number_of_matches(self) -> None:
        """A rare term is in the last quote only."""
        quotes = list(make_quotes(500))
        common = [number for number, x in enumerate(quotes) if COMMON_TERM in x]
        self.assertEqual(common, list(range(0, 500, QUOTES_PER_COMMON_TERM)))
        self.assertEqual([x for x in quotes if RARE_TERM in x], quotes[-1:])

    def test_distinct_terms_are_in_one_quote_each(self) -> None:
        """Neither a cache nor the number of matches makes a difference."""
        quotes = list(make_quotes(300))
        terms = list(distinct_quote_terms(quotes))
        self.assertEqual(len(set(terms)), len(terms))
        for term in terms[::50]:
            self.assertEqual(sum(term in quote for quote in quotes), 1, term)
            self.assertRegex(term, "^[a-z][a-z ]{6,}[a-z]$")

    def test_there_are_terms_for_a_full_run(self) -> None:
        """At 8,000 requests per second, in five rounds of two seconds."""
        terms = distinct_quote_terms(fortune_quotes())
        self.assertEqual(len(list(islice(terms, 80_000))), 80_000)


class LibraryTests(SynchronousTestCase):
    def test_libraries_that_are_compared_have_the_same_text(self) -> None:
        """Only the number of files differs, or only the part that is kept."""
        folder = Path(self.enterContext(TemporaryDirectory()), "libraries")
        libraries = write_libraries(folder, 20)
        many = [path.read_text() for path in sorted(libraries.many.iterdir())]
        self.assertEqual(len(many), 20)
        for text in many:
            self.assertEqual(text.count("\n\n"), QUOTES_PER_FILE)
            self.assertTrue(7000 <= len(text) <= 8000, len(text))
        few = [path.read_text() for path in sorted(libraries.few.iterdir())]
        self.assertEqual(few, [many[0], many[10], many[19]])
        [joined] = libraries.joined.iterdir()
        self.assertEqual(joined.read_text(), "".join(many))
        fortunes = [path.read_text() for path in sorted(libraries.fortunes.iterdir())]
        self.assertEqual(len(fortunes), FORTUNE_FILES)
        self.assertTrue(all(65_000 <= len(text) <= 75_000 for text in fortunes))
        [joined] = libraries.joined_fortunes.iterdir()
        self.assertEqual(joined.read_text(), "".join(fortunes))
