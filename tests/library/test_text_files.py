"""
Tests of files in a library that are not text.
"""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.errors import DictionaryNotText
from twisted_quotes.library import dictionary
from twisted_quotes.library.library import Library
from twisted_quotes.quotes.encodings import START_SIZE


class TextFilesTests(SynchronousTestCase):
    """Tests with a library of a text and another file."""

    def setUp(self) -> None:
        self.root = Path(self.enterContext(TemporaryDirectory()))
        self.path = self.root / "other"
        (self.root / "text").write_text("one")
        self.library = Library(self.root)

    def assert_not_text(self) -> None:
        """Check that the other file is not in the library, and what the error says."""
        self.assertEqual(self.library.names(), ["text"])
        error = self.assertRaises(DictionaryNotText, self.library.open, "other")
        self.assertIn('The file "other" is not a dictionary: it is not', error.message)

    def test_files_that_are_not_text_are_no_dictionaries(self) -> None:
        for data in (b"one\0", gzip.compress(b"one"), b"%PDF-1.7\n", b"\x89PNG\r\n"):
            self.path.write_bytes(data)
            self.assert_not_text()

    def test_a_nul_later_in_a_file_makes_no_difference(self) -> None:
        self.path.write_bytes(b"x" * START_SIZE + b"\0")
        self.assertEqual(self.library.names(), ["other", "text"])
        self.library.open("other").close()

    def test_a_large_text_in_utf_16_is_not_read(self) -> None:
        self.patch(dictionary, "MAX_WIDE_SIZE", 8)
        self.path.write_bytes("\ufeffone".encode("utf-16-le"))
        self.library.open("other").close()
        self.path.write_bytes("\ufefffour".encode("utf-16-le"))
        self.assertRaises(DictionaryNotText, self.library.open, "other")
        self.assertEqual(self.library.names(), ["text"])

    def test_a_change_is_noticed(self) -> None:
        """A text that becomes other data in place is noticed when it is opened."""
        self.path.write_bytes(b"\0")
        self.assert_not_text()
        self.path.write_bytes(b"one")
        self.assertEqual(self.library.names(), ["other", "text"])
        self.path.write_bytes(b"\0")
        self.assertRaises(DictionaryNotText, self.library.open, "other")
        self.assert_not_text()
        (self.root / "new").write_bytes(b"two")
        (self.root / "new").rename(self.path)
        self.library.open("other").close()
        self.assertEqual(self.library.names(), ["other", "text"])

    def test_each_file_is_read_and_logged_once(self) -> None:
        self.path.write_bytes(b"\0")
        with capturedLogs() as events:
            for _ in range(3):
                self.assert_not_text()
        self.assertEqual(
            list(map(formatEvent, events)),
            ["The file 'other' is not text, and is not served."],
        )
        opened = []
        real = os.open

        def counting_open(path: str, *arguments: object, **more: object) -> int:
            opened.append(path)
            return real(path, *arguments, **more)  # type: ignore[arg-type]

        self.patch(os, "open", counting_open)
        self.library.names()
        self.assertEqual(opened, [])

    def test_removed_files_are_forgotten(self) -> None:
        for number in range(1100):
            self.path.with_name(str(number)).write_text("one")
        self.library.names()
        for number in range(1100):
            self.path.with_name(str(number)).unlink()
        self.library.names()
        self.assertEqual(list(self.library._text_files._texts), ["text"])
