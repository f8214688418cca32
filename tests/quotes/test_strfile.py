"""
Tests for L{twisted_quotes.quotes.strfile}.
"""

from __future__ import annotations

import os
from pathlib import Path
from struct import pack
from tempfile import TemporaryDirectory

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.quotes.strfile import (
    StrfileHeader,
    parse_strfile_header,
    read_strfile_header,
)


def strfile_header(flags: int = 0, delimiter: bytes = b"%", version: int = 2) -> bytes:
    """Return the first bytes of a file from strfile, for two quotes."""
    return pack(">5Ic3x", version, 2, 30, 10, flags, delimiter)


class ParseTests(SynchronousTestCase):
    """Tests of L{parse_strfile_header}."""

    def test_it_has_the_delimiter_and_the_flags(self) -> None:
        for data, delimiter, rot13 in (
            (strfile_header(), "%", False),
            (strfile_header(version=1) + b"\0\0\0\1", "%", False),
            (strfile_header(flags=4), "%", True),
            (strfile_header(flags=1 | 2 | 8, delimiter=b"*"), "*", False),
        ):
            self.assertEqual(
                parse_strfile_header(data), StrfileHeader(delimiter, rot13)
            )

    def test_other_files_have_none(self) -> None:
        for data in (
            b"",
            strfile_header()[:-1],
            strfile_header(version=3),
            strfile_header(flags=16),
            strfile_header(delimiter=b"\n"),
            strfile_header(delimiter=b"\xe9"),
            strfile_header(delimiter=b"a"),
            b"a text of many words, and no header",
        ):
            self.assertIsNone(parse_strfile_header(data), data)


class ReadTests(SynchronousTestCase):
    """Tests of L{read_strfile_header}."""

    def setUp(self) -> None:
        self.folder = Path(self.enterContext(TemporaryDirectory()))
        self.path = self.folder / "book"
        self.companion = self.folder / "book.dat"

    def test_it_is_in_the_file_beside_the_dictionary(self) -> None:
        self.assertIsNone(read_strfile_header(str(self.path)))
        self.companion.write_bytes(strfile_header(flags=4) + bytes(12))
        self.assertEqual(
            read_strfile_header(str(self.path)), StrfileHeader("%", rot13=True)
        )

    def test_only_regular_files_are_read(self) -> None:
        """Not folders, links, or pipes, which could block."""
        self.companion.mkdir()
        self.assertIsNone(read_strfile_header(str(self.path)))
        self.companion.rmdir()
        os.mkfifo(self.companion)
        self.assertIsNone(read_strfile_header(str(self.path)))
        self.companion.unlink()
        target = self.folder / "target"
        target.write_bytes(strfile_header())
        self.companion.symlink_to(target)
        self.assertIsNone(read_strfile_header(str(self.path)))
