"""
Tests for L{twisted_quotes.text.quotes}.
"""

from __future__ import annotations

import re
from io import BytesIO
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.text import quotes
from twisted_quotes.text.quotes import (
    QuoteSpan,
    decode_quote,
    has_percent_lines,
    quote_id,
    split_quotes,
)

LINES = st.sampled_from(
    (
        *(b"one", b"  two", b"\xc3\xa9", b"\xff", b"\0", b"%", b"%%", b" %"),
        *(b"", b" ", b"\t", b"\xc2\xa0", b"\xe2\x80\x83"),
    )
)
FILE = st.lists(
    st.tuples(LINES, st.sampled_from((b"\n", b"\r\n", b"\r", b"\n\n", b"\n%\n")))
).map(lambda lines: b"".join(line + end for line, end in lines))


def plain_quotes(data: bytes, percent: bool) -> list[tuple[int, list[bytes]]]:
    """Split in the simplest way: a quote's first line number and its lines."""
    quotes: list[tuple[int, list[bytes]]] = []
    current: list[bytes] = []
    end = b"%" if percent else b""
    for number, line in enumerate([*data.removesuffix(b"\n").split(b"\n"), end], 1):
        if (
            line.removesuffix(b"\r") == b"%"
            if percent
            else not line.decode("utf-8", "replace").strip()
        ):
            if b"".join(current).decode("utf-8", "replace").strip():
                quotes.append((number - len(current), current))
            current = []
        else:
            current.append(line)
    return quotes


class SplitTests(SynchronousTestCase):
    """Tests of L{split_quotes} and L{has_percent_lines}."""

    def split_quotes(self, data: bytes, percent: bool = False) -> list[bytes]:
        """Return the bytes of all quotes."""
        return [quote for _, quote in split_quotes(BytesIO(data), 0, percent)]

    def test_blank_lines_separate_quotes(self) -> None:
        """Lines of whitespace are blank. Several in a row are one separator."""
        self.assertEqual(
            self.split_quotes(b"\n \none\n  two\n\n\t\n\r\n  three\r\nfour\n\n"),
            [b"one\n  two", b"  three\r\nfour"],
        )

    def test_a_line_of_any_whitespace_is_blank(self) -> None:
        for blank in map(chr, range(0x110000)):
            if blank.isspace() and blank != "\n":
                data = f"one\n{blank} {blank}\ntwo\n{blank}".encode()
                self.assertEqual(
                    self.split_quotes(data), [b"one", b"two"], ascii(blank)
                )
                self.assertEqual(self.split_quotes(blank.encode()), [])
        self.assertEqual(len(self.split_quotes("one\n\u200b\ntwo".encode())), 1)

    def test_percent_lines_separate_quotes(self) -> None:
        """Blank lines are then part of the quotes. No quote is empty."""
        self.assertEqual(
            self.split_quotes(
                b"%\none\n\ntwo\n%\n%\r\n \n%\n50%\n%%\n % \n%", percent=True
            ),
            [b"one\n\ntwo", b"50%\n%%\n % "],
        )

    def test_whitespace_and_separators_are_no_quotes(self) -> None:
        for data in (b"", b"\n", b" \n\t", b"\r\n\r\n"):
            self.assertEqual(self.split_quotes(data), [])
            self.assertEqual(
                self.split_quotes(b"%\n" + data + b"\n%\r\n", percent=True), []
            )

    def test_a_quote_has_its_offsets_and_line_number(self) -> None:
        """Offsets are counted from the start of the file, lines from 1."""
        file = BytesIO(b"\n\none\ntwo\r\n\n\nthree")
        self.assertEqual(
            [span for span, _ in split_quotes(file, 3, False)],
            [QuoteSpan(5, 12, 3), QuoteSpan(16, 21, 7)],
        )

    def test_a_long_quote_is_cut(self) -> None:
        """It is cut at line ends, or between characters of a long line."""
        with patch.object(quotes, "MAX_QUOTE_BYTES", 8):
            self.assertEqual(
                self.split_quotes(b"one\ntwo\nthree\nfour\n\nfive"),
                [b"one\ntwo", b"three", b"four", b"five"],
            )
            self.assertEqual(
                self.split_quotes("a\u00e9\u65e5\u65e5\u65e5b".encode()),
                ["a\u00e9\u65e5".encode(), "\u65e5\u65e5b".encode()],
            )
            self.assertEqual(
                self.split_quotes(b"\x80" * 12), [b"\x80" * 5, b"\x80" * 7]
            )

    @settings(max_examples=400)
    @given(FILE, st.integers(1, 9), st.booleans())
    def test_any_file_is_split_like_in_the_simplest_way(
        self, data: bytes, block: int, percent: bool
    ) -> None:
        """It does not depend on the block size."""
        with patch.object(quotes, "_BLOCK_SIZE", block):
            split = list(split_quotes(BytesIO(data), 0, percent))
            self.assertEqual(
                has_percent_lines(BytesIO(data)),
                re.search(rb"(?m)^%\r?$(?!\r)", data) is not None,
            )
        self.assertEqual(
            [(span.line, data.split(b"\n")) for span, data in split],
            [
                (line, [*lines[:-1], lines[-1].removesuffix(b"\r")])
                for line, lines in plain_quotes(data, percent)
            ],
        )
        for span, quote in split:
            self.assertEqual(data[span.start : span.end], quote)


class QuoteTextTests(SynchronousTestCase):
    """Tests of the text and the id of a quote."""

    def test_bytes_are_decoded(self) -> None:
        """Line ends become line feeds, invalid bytes U+FFFD."""
        self.assertEqual(decode_quote(b"a\r\n\xff\0\rb"), "a\n\ufffd\0\rb")

    def test_the_id_depends_on_the_text_only(self) -> None:
        self.assertEqual(quote_id("To be"), quote_id("To be"))
        self.assertNotEqual(quote_id("To be"), quote_id("To be "))
        self.assertRegex(quote_id("\u00e9"), r"\A[0-9a-f]{24}\Z")
