"""
Tests for L{twisted_quotes.library.index}.
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
from twisted_quotes.library.index import (
    Index,
    IndexDamaged,
    consecutive_ranges,
    load_index,
    write_index,
)
from twisted_quotes.text.normalization import normalize_for_search
from twisted_quotes.text.quotes import decode_quote, parse_author, quote_id

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
        """Make a folder to write in."""
        temporary_directory = TemporaryDirectory()
        self.addCleanup(temporary_directory.cleanup)
        self.temporary_folder = Path(temporary_directory.name)

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
        """The lines of a column."""
        return Path(index.folder, name).read_text("utf-8").split("\n")[:-1]


class WriteTests(IndexTestCase):
    """Tests of what an index holds."""

    def test_writing_can_stop_before_any_quote(self) -> None:
        """Then the index is not complete."""
        path, folder = self.temporary_folder / "file", self.temporary_folder / "index"
        path.write_bytes(b"one\n\ntwo\n\nthree\n")
        folder.mkdir()
        answers = iter([False, True])
        with Dictionary(os.open(path, os.O_RDONLY)) as dictionary:
            self.assertFalse(
                write_index(dictionary, str(folder), lambda: next(answers))
            )
        self.assertRaises(FileNotFoundError, load_index, str(folder))

    def test_each_quote_is_a_line_of_every_column(self) -> None:
        """Its text in folded form, its author in folded form, and its id."""
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

    def test_it_knows_where_each_quote_stands(self) -> None:
        """A byte order mark is passed over, but counts."""
        index = self.write_index_of(b"\xef\xbb\xbfone\r\n\r\ntwo\nthree")
        with index.open() as columns:
            self.assertEqual(columns.read_spans(0, 2), [(3, 6, 1), (10, 19, 3)])
            self.assertEqual(columns.read_spans(1, 2), [(10, 19, 3)])

    def test_it_knows_how_long_a_line_is(self) -> None:
        """The mean is never 0, not even where there is no quote."""
        self.assertEqual(self.write_index_of(b"").mean_size, 1)
        self.assertEqual(self.write_index_of(b"abcd\n\nab").mean_size, 5)

    def test_percent_lines_are_found_wherever_they_stand(self) -> None:
        """One at the very end makes the whole file one of fortunes."""
        self.assertEqual(self.write_index_of(b"a\n\nb\n%").count, 1)
        self.assertEqual(self.write_index_of(b"a\n\nb\n").count, 2)

    def test_every_quote_of_every_file_comes_back_byte_for_byte(self) -> None:
        """The spans lead to the texts, and these fold to the lines."""

        @settings(max_examples=200)
        @given(FILE)
        def check(data: bytes) -> None:
            index = self.write_index_of(data)
            with index.open() as columns:
                spans = columns.read_spans(0, index.count)
            texts = [decode_quote(data[span.start : span.end]) for span in spans]
            self.assertEqual(
                self.column_lines(index, "texts"),
                [normalize_for_search(t) for t in texts],
            )
            self.assertEqual(
                self.column_lines(index, "authors"),
                [normalize_for_search(parse_author(t) or "") for t in texts],
            )
            self.assertEqual(
                self.column_lines(index, "ids"), [quote_id(t) for t in texts]
            )
            for text, span in zip(texts, spans, strict=True):
                self.assertTrue(text.strip("\n"))
                self.assertEqual(span.line, data.count(b"\n", 0, span.start) + 1)

        check()


class LoadTests(IndexTestCase):
    """Tests of looking at an index that was written."""

    def test_there_is_none(self) -> None:
        """A folder that is not there, or not finished, is no index."""
        self.assertRaises(
            FileNotFoundError, load_index, str(self.temporary_folder / "none")
        )
        index = self.write_index_of(b"one")
        os.remove(Path(index.folder, "summary.json"))
        self.assertRaises(FileNotFoundError, load_index, index.folder)

    def test_one_that_is_not_whole_is_not_used(self) -> None:
        """Whatever is missing, or not as it should be."""
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

    def test_once_open_it_may_be_removed(self) -> None:
        """Who has opened the columns reads on."""
        index = self.write_index_of(b"one")
        with index.open() as columns:
            shutil.rmtree(index.folder)
            self.assertEqual(columns.read_spans(0, 1), [(0, 3, 1)])
            self.assertEqual(os.read(columns.texts, 9), b"one\n")
        with self.assertRaises(FileNotFoundError), index.open():
            pass

    def test_no_file_stays_open(self) -> None:
        """What was opened is closed, also when a column is missing."""
        before = os.listdir("/proc/self/fd")
        index = self.write_index_of(b"one")
        with index.open():
            pass
        os.remove(Path(index.folder, "spans"))
        with self.assertRaises(FileNotFoundError), index.open():
            pass
        self.assertEqual(len(os.listdir("/proc/self/fd")), len(before))


class ConsecutiveNumbersTests(SynchronousTestCase):
    """Tests of numbers that are neighbours."""

    def test_neighbours_are_one_run(self) -> None:
        """Each number is in one run, in order."""
        self.assertEqual(list(consecutive_ranges([])), [])
        self.assertEqual(
            list(consecutive_ranges([0, 1, 2, 5, 7, 8])), [(0, 3), (5, 6), (7, 9)]
        )
