"""
Tests for L{twisted_quotes.quotes.encodings}.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
from io import BytesIO
from zipfile import ZipFile

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.quotes.encodings import detect_encoding


class EncodingTests(SynchronousTestCase):
    """Tests of L{detect_encoding}."""

    def test_text_without_a_byte_order_mark_is_utf_8(self) -> None:
        for start in (
            b"",
            b"one",
            b"\xef\xbb\xbfone",
            b"caf\xe9",
            b"\x1b[1mone",
            b"PK",
        ):
            self.assertEqual(detect_encoding(start), "utf-8", start)

    def test_a_byte_order_mark_names_the_encoding(self) -> None:
        for name, encoding in (
            ("utf-16", "utf-16"),
            ("utf-32", "utf-32"),
        ):
            for order in ("-le", "-be"):
                start = "\ufeffone \u65e5\n".encode(name + order)
                self.assertEqual(detect_encoding(start), encoding)

    def test_other_files_are_not_text(self) -> None:
        archive = BytesIO()
        with ZipFile(archive, "w") as file:
            file.writestr("name", b"one")
        for start in (
            b"one\0two",
            b"o\0n\0e\0",
            gzip.compress(b"one"),
            bz2.compress(b"one"),
            lzma.compress(b"one"),
            archive.getvalue(),
            b"\x89PNG\r\n\x1a\n",
            b"%PDF-1.7\n",
        ):
            self.assertIsNone(detect_encoding(start), start)
