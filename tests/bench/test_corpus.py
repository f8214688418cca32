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
    """Tests of the small dictionary, and of the terms that are in it."""

    def test_it_has_60_kilobytes(self) -> None:
        """With their line feeds the lines have the size that the tables tell."""
        size = sum(len(line) + 1 for line in small_lines(make_sentences()))
        self.assertEqual(size, 60_000)

    def test_it_is_always_the_same(self) -> None:
        """Another run measures the same."""
        self.assertEqual(make_sentences(), make_sentences())
        self.assertEqual(len(set(make_sentences())), SENTENCE_COUNT)

    def test_each_term_is_found_in_as_many_lines_as_any_other(self) -> None:
        """No answer is longer than another, and no matches stand side by side."""
        texts = make_sentences()[:5]
        lines = small_lines(texts)
        terms = distinct_terms(texts)
        self.assertGreater(len(terms), 15_000)
        for term in terms[::7]:
            found = [number for number, line in enumerate(lines) if term in line]
            self.assertEqual(len(found), COPIES_PER_SENTENCE, term)
            self.assertGreater(found[1] - found[0], 1)

    def test_no_two_terms_are_alike(self) -> None:
        """What a server keeps of one answer is of no use for another."""
        terms = distinct_terms(make_sentences()[:20])
        self.assertEqual(len(set(terms)), len(terms))

    def test_what_stands_in_two_sentences_is_no_term(self) -> None:
        """It would be found in more lines than others."""
        [text] = make_sentences()[:1]
        self.assertEqual(distinct_terms([text, text]), [])
        self.assertNotEqual(distinct_terms([text]), [])

    def test_terms_need_no_care(self) -> None:
        """The peers read them with simple means: only letters and blanks inside."""
        for term in distinct_terms(make_sentences()[:2]):
            self.assertRegex(term, "^[a-z][a-z ]+[a-z]$")


class BigTests(SynchronousTestCase):
    """Tests of the big dictionaries."""

    def setUp(self) -> None:
        """Have a folder."""
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def test_a_rare_term_is_in_the_last_line_only(self) -> None:
        """To find it, all must be read; every line before has its own number."""
        block = make_big_block(make_sentences())
        write_big(self.folder / "big", block, 2)
        text = (self.folder / "big").read_text("utf-8")
        lines = text.splitlines()
        self.assertEqual(
            [RARE_TERM in line for line in lines].index(True), len(lines) - 1
        )
        self.assertEqual(len({line[:11] for line in lines}), len(lines))
        self.assertEqual(len(text), 2 * len(block) + len(lines[-1]) + 1)

    def test_a_common_term_is_in_every_twentieth_line(self) -> None:
        """A few of them are found at once."""
        lines = make_big_block(make_sentences()).decode().splitlines()
        found = [number for number, line in enumerate(lines) if COMMON_TERM in line]
        self.assertEqual(found, list(range(0, len(lines), 20)))

    def test_a_full_disk_is_told_before_it_is_full(self) -> None:
        """Without room for the big ones nothing is begun."""
        self.patch(shutil, "disk_usage", lambda _: SimpleNamespace(free=10**9))
        library = self.folder / "library"
        error = self.assertRaises(
            BenchmarkError, write_library, library, make_sentences(), True
        )
        self.assertIn("1050 MB of free space", str(error))
        self.assertEqual([each.name for each in library.iterdir()], ["small"])

    def test_the_big_ones_are_left_out_where_nobody_needs_them(self) -> None:
        """A run of the small loads writes only the small one."""
        library = self.folder / "library"
        write_library(library, make_sentences(), big=False)
        [small] = library.iterdir()
        self.assertEqual(small.stat().st_size, 60_000)
