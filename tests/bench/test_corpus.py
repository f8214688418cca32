"""
Tests for L{bench.corpus}.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

from twisted.trial.unittest import SynchronousTestCase

from bench.corpus import (
    COMMON_TERM,
    COPIES_PER_SENTENCE,
    RARE_TERM,
    SENTENCE_COUNT,
    distinct_terms,
    make_big_block,
    make_sentences,
    small_lines,
    write_big,
    write_library,
)
from bench.errors import BenchmarkError


class SmallTests(SynchronousTestCase):
    def test_every_run_uses_the_same_sentences(self) -> None:
        """There are no duplicates."""
        self.assertEqual(make_sentences(), make_sentences())
        self.assertEqual(len(set(make_sentences())), SENTENCE_COUNT)

    def test_each_term_has_the_same_number_of_matches(self) -> None:
        """All responses have the same size, and no matches are adjacent."""
        texts = make_sentences()[:5]
        lines = small_lines(texts)
        terms = distinct_terms(texts)
        self.assertGreater(len(terms), 15_000)
        for term in terms[::7]:
            numbers = [number for number, line in enumerate(lines) if term in line]
            self.assertEqual(len(numbers), COPIES_PER_SENTENCE, term)
            self.assertGreater(numbers[1] - numbers[0], 1)

    def test_a_part_of_two_sentences_is_not_a_term(self) -> None:
        """It would have more matches than others."""
        text = make_sentences()[0]
        self.assertEqual(distinct_terms([text, text]), [])
        self.assertNotEqual(distinct_terms([text]), [])

    def test_terms_are_distinct_and_need_no_escaping(self) -> None:
        """A cache does not help a server; a term has only letters and inner spaces."""
        terms = distinct_terms(make_sentences()[:20])
        self.assertEqual(len(set(terms)), len(terms))
        for term in terms[::50]:
            self.assertRegex(term, "^[a-z][a-z ]+[a-z]$")


class BigTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(TemporaryDirectory()))

    def test_a_rare_term_is_in_the_last_line_only(self) -> None:
        """A search must read the whole file; each line of text has its own number."""
        block = make_big_block(make_sentences())
        write_big(self.folder / "big", block, 2)
        text = (self.folder / "big").read_text("utf-8")
        lines = text.splitlines()
        self.assertEqual(
            [RARE_TERM in line for line in lines].index(True), len(lines) - 1
        )
        texts = [line for line in lines if line]
        self.assertEqual(len({line[:11] for line in texts}), len(texts))
        self.assertEqual(len(text), 2 * len(block) + len(lines[-1]) + 1)

    def test_a_common_term_is_in_every_twentieth_line(self) -> None:
        """A search for the first ten ends early."""
        lines = make_big_block(make_sentences()).decode().splitlines()
        numbers = [number for number, line in enumerate(lines) if COMMON_TERM in line]
        self.assertEqual(numbers, list(range(0, len(lines), 20)))

    def test_every_fifth_line_ends_a_quote(self) -> None:
        """So that the service has quotes to count."""
        lines = make_big_block(make_sentences()).decode().splitlines()
        blank = [number for number, line in enumerate(lines) if not line]
        self.assertEqual(blank, list(range(4, len(lines), 5)))

    def test_missing_disk_space_is_an_error(self) -> None:
        """No large dictionary is written."""
        self.patch(shutil, "disk_usage", lambda _: SimpleNamespace(free=10**9))
        library = self.folder / "library"
        error = self.assertRaises(
            BenchmarkError, write_library, library, make_sentences(), True
        )
        self.assertIn("1050 MB of free space", str(error))
        self.assertEqual([each.name for each in library.iterdir()], ["small"])

    def test_large_dictionaries_are_optional(self) -> None:
        """The loads on the small dictionary do not need them."""
        library = self.folder / "library"
        write_library(library, make_sentences(), big=False)
        [small] = library.iterdir()
        self.assertEqual(small.stat().st_size, 60_000)
