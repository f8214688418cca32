"""
Tests for L{twisted_quotes.library.indexes.format}.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.library.dictionary import Dictionary
from twisted_quotes.library.indexes.format import (
    Index,
    IndexDamaged,
    consecutive_ranges,
    load_index,
    write_index,
)
from twisted_quotes.quotes.attribution import parse_attribution
from twisted_quotes.quotes.quote import quote_id
from twisted_quotes.text.normalization import normalize_for_search

PIECES = st.sampled_from(
    (
        *(b"one", b"caf\xc3\xa9", b"cafe\xcc\x81", b"\xe2\x80\x9ctwo\xe2\x80\x9d"),
        *(b"\n", b"\r\n", b"\n\n", b"\n%\n", b" ", b"\t", b"-- Author", b"\xff", b"\0"),
    )
)
FILE = st.builds(
    lambda bom, pieces: b"\xef\xbb\xbf" * bom + b"".join(pieces),
    st.booleans(),
    st.lists(PIECES, max_size=20),
)


class IndexTestCase(SynchronousTestCase):
    """Writes files and their indexes."""

    def setUp(self) -> None:
        self.temporary_folder = Path(self.enterContext(TemporaryDirectory()))

    def write_index_of(self, data: bytes) -> Index:
        """Write a file and its index."""
        path = self.temporary_folder / "file"
        path.write_bytes(data)
        folder = self.temporary_folder / "index"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        with Dictionary(os.open(path, os.O_RDONLY)) as dictionary:
            write_index(dictionary, str(folder))
        return load_index(str(folder))

    def column_lines(self, index: Index, name: str) -> list[str]:
        """Return the lines of a column."""
        return Path(index.folder, name).read_text("utf-8").split("\n")[:-1]


class WriteTests(IndexTestCase):
    """Tests for the content of an index."""

    def test_writing_stops_when_it_should(self) -> None:
        """The index is incomplete then."""
        path, folder = self.temporary_folder / "file", self.temporary_folder / "index"
        path.write_bytes(b"one\n\ntwo\n\nthree\n")
        folder.mkdir()
        answers = iter([False, True])
        with Dictionary(os.open(path, os.O_RDONLY)) as dictionary:
            self.assertFalse(
                write_index(dictionary, str(folder), lambda: next(answers))
            )
        self.assertRaises(FileNotFoundError, load_index, str(folder))

    def test_each_quote_is_one_line_in_each_column(self) -> None:
        """Texts and authors are normalized."""
        three = "\u201cThree\u201d\n-- Cafe\u0301"
        index = self.write_index_of(f"\n\nOne\n  two\n\n{three}\n".encode())
        self.assertEqual(index.count, 2)
        self.assertEqual(
            self.column_lines(index, "texts"), ["One two", '"Three" -- Caf\u00e9']
        )
        self.assertEqual(self.column_lines(index, "authors"), ["", "Caf\u00e9"])
        self.assertEqual(
            self.column_lines(index, "ids"),
            [quote_id("One\n  two"), quote_id(three)],
        )

    def test_spans_have_the_offsets_and_the_first_line_of_each_quote(self) -> None:
        """They count the byte order mark."""
        index = self.write_index_of(b"\xef\xbb\xbfone\r\n\r\ntwo\nthree")
        with index.open() as columns:
            self.assertEqual(columns.read_spans(0, 2), [(3, 6, 1), (10, 19, 3)])
            self.assertEqual(columns.read_spans(1, 2), [(10, 19, 3)])

    def test_the_mean_size_of_a_text_is_never_0(self) -> None:
        self.assertEqual(self.write_index_of(b"").mean_size, 1)
        self.assertEqual(self.write_index_of(b"abcd\n\nab").mean_size, 5)

    def test_a_percent_line_at_the_end_makes_a_fortune_file(self) -> None:
        self.assertEqual(self.write_index_of(b"a\n\nb\n%").count, 1)
        self.assertEqual(self.write_index_of(b"a\n\nb\n").count, 2)

    def test_the_columns_match_the_quotes_at_the_spans_for_any_file(self) -> None:

        @settings(max_examples=200)
        @given(FILE)
        def check(data: bytes) -> None:
            index = self.write_index_of(data)
            with index.open() as columns:
                spans = columns.read_spans(0, index.count)
            texts = [
                index.quote_format.decode(data[span.start : span.end]) for span in spans
            ]
            self.assertEqual(
                self.column_lines(index, "texts"),
                [normalize_for_search(t) for t in texts],
            )
            self.assertEqual(
                self.column_lines(index, "authors"),
                [normalize_for_search(parse_attribution(t) or "") for t in texts],
            )
            self.assertEqual(
                self.column_lines(index, "ids"), [quote_id(t) for t in texts]
            )
            for text, span in zip(texts, spans, strict=True):
                self.assertTrue(text.strip("\n"))
                self.assertEqual(span.line, data.count(b"\n", 0, span.start) + 1)

        check()


class LoadTests(IndexTestCase):
    """Tests for loading an index."""

    def test_a_missing_or_unfinished_index_is_not_found(self) -> None:
        self.assertRaises(
            FileNotFoundError, load_index, str(self.temporary_folder / "none")
        )
        index = self.write_index_of(b"one")
        os.remove(Path(index.folder, "summary.json"))
        self.assertRaises(FileNotFoundError, load_index, index.folder)

    def test_a_damaged_index_is_an_error(self) -> None:
        for name, data in (
            ("texts", b"one"),
            ("spans", b""),
            ("summary.json", b""),
            ("summary.json", b"[]"),
            ("summary.json", b"{}"),
            ("summary.json", b"\xff"),
            (
                "summary.json",
                b'{"count": 2, "sizes": [4, 1, 25, 24]}',
            ),
        ):
            index = self.write_index_of(b"one")
            Path(index.folder, name).write_bytes(data)
            self.assertRaises(IndexDamaged, load_index, index.folder)

    def test_an_open_index_stays_readable_after_its_removal(self) -> None:
        index = self.write_index_of(b"one")
        with index.open() as columns:
            shutil.rmtree(index.folder)
            self.assertEqual(columns.read_spans(0, 1), [(0, 3, 1)])
            self.assertEqual(os.read(columns.texts, 9), b"one\n")
        with self.assertRaises(FileNotFoundError), index.open():
            pass

    def test_all_files_are_closed(self) -> None:
        """Even if a column is missing."""
        before = os.listdir("/proc/self/fd")
        index = self.write_index_of(b"one")
        with index.open():
            pass
        os.remove(Path(index.folder, "spans"))
        with self.assertRaises(FileNotFoundError), index.open():
            pass
        self.assertEqual(len(os.listdir("/proc/self/fd")), len(before))


class ConsecutiveRangesTests(SynchronousTestCase):
    """Tests for L{consecutive_ranges}."""

    def test_consecutive_numbers_are_one_range(self) -> None:
        self.assertEqual(list(consecutive_ranges([])), [])
        self.assertEqual(
            list(consecutive_ranges([0, 1, 2, 5, 7, 8])), [(0, 3), (5, 6), (7, 9)]
        )
