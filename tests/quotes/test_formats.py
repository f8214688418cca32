"""
Tests for L{twisted_quotes.quotes.formats}.
"""

from __future__ import annotations

import re
from io import BytesIO
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.quotes import formats
from twisted_quotes.quotes.formats import QuoteFormat, QuoteSpan, detect_format

BLANK, PERCENT = QuoteFormat("blank-line"), QuoteFormat("percent")
ONE_PER_LINE = QuoteFormat("one-per-line")
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

    def is_no_text(line: bytes) -> bool:
        is_comment = percent and line.startswith(b"%%")
        return is_comment or not line.decode("utf-8", "replace").strip()

    quotes: list[tuple[int, list[bytes]]] = []
    current: list[bytes] = []
    for number, line in enumerate([*data.split(b"\n"), b"%" if percent else b""]):
        if line.removesuffix(b"\r") == b"%" if percent else is_no_text(line):
            first = number - len(current)
            while current and is_no_text(current[-1]):
                current.pop()
            while current and is_no_text(current[0]):
                del current[0]
                first += 1
            if current:
                quotes.append((first + 1, current))
            current = []
        else:
            current.append(line)
    return quotes


class SplitTests(SynchronousTestCase):
    """Tests of L{QuoteFormat.split}."""

    def split(self, data: bytes, quote_format: QuoteFormat = BLANK) -> list[bytes]:
        """Return the bytes of all quotes."""
        return [quote for _, quote in quote_format.split(BytesIO(data), 0)]

    def test_blank_lines_separate_quotes(self) -> None:
        """Lines of whitespace are blank. Several in a row are one separator."""
        self.assertEqual(
            self.split(b"\n \none\n  two\n\n\t\n\r\n  three\r\nfour\n\n"),
            [b"one\n  two", b"  three\r\nfour"],
        )

    def test_a_line_of_any_whitespace_is_blank(self) -> None:
        for blank in map(chr, range(0x110000)):
            if blank.isspace() and blank != "\n":
                data = f"one\n{blank} {blank}\ntwo\n{blank}".encode()
                self.assertEqual(self.split(data), [b"one", b"two"], ascii(blank))
                self.assertEqual(self.split(blank.encode()), [])
        self.assertEqual(len(self.split("one\n\u200b\ntwo".encode())), 1)

    def test_percent_lines_separate_quotes(self) -> None:
        """Blank lines are then part of the quotes, except at their edges."""
        self.assertEqual(
            self.split(b"%\n\n one\n\ntwo\n \n\n%\n%\r\n \n%\n50%\n % \n%", PERCENT),
            [b" one\n\ntwo", b"50%\n % "],
        )

    def test_comments_are_not_part_of_quotes(self) -> None:
        """Only files with percent lines have them, as in C{strfile -C}."""
        data = b"%% $Id$\n\n%% Public\n%\n%% 1\n\none\n%% 1a\n1 %%\n\n%% end\n%\ntwo"
        quotes = self.split(data, PERCENT)
        self.assertEqual(list(map(PERCENT.decode, quotes)), ["one\n1 %%", "two"])
        self.assertEqual(BLANK.decode(b"%% one"), "%% one")

    def test_the_lines_of_a_quote_are_those_of_its_text(self) -> None:
        file = BytesIO(b"\n\nPadded.\n-- Ann\n\n%\n\nNext.")
        self.assertEqual(
            [span for span, _ in PERCENT.split(file, 0)],
            [QuoteSpan(2, 16, 3), QuoteSpan(21, 26, 8)],
        )

    def test_whitespace_and_separators_are_no_quotes(self) -> None:
        for data in (b"", b"\n", b" \n\t", b"\r\n\r\n"):
            self.assertEqual(self.split(data), [])
            self.assertEqual(self.split(b"%\n" + data + b"\n%\r\n", PERCENT), [])

    def test_a_quote_has_its_offsets_and_line_number(self) -> None:
        """Offsets are counted from the start of the file, lines from 1."""
        file = BytesIO(b"\n\none\ntwo\r\n\n\nthree")
        self.assertEqual(
            [span for span, _ in BLANK.split(file, 3)],
            [QuoteSpan(5, 12, 3), QuoteSpan(16, 21, 7)],
        )

    def test_each_line_may_be_a_quote(self) -> None:
        """The line that names the format is not one."""
        data = b"# format: one-per-line\r\n\n one \r\n\n\t\ntwo\nthree"
        self.assertEqual(self.split(data, ONE_PER_LINE), [b" one ", b"two", b"three"])
        self.assertEqual(
            [span.line for span, _ in ONE_PER_LINE.split(BytesIO(data), 0)], [3, 6, 7]
        )
        self.assertEqual(self.split(b"# format: blank-line\none\ntwo"), [b"one\ntwo"])

    def test_another_delimiter_may_separate_quotes(self) -> None:
        quote_format = QuoteFormat("percent", "*")
        data = b"one\n%\n%%\n*\n** comment\ntwo\n*"
        self.assertEqual(self.split(data, quote_format), [b"one\n%\n%%", b"two"])

    def test_a_long_quote_is_cut(self) -> None:
        """It is cut at line ends, or between characters of a long line."""
        with patch.object(formats, "MAX_QUOTE_BYTES", 8):
            self.assertEqual(
                self.split(b"one\ntwo\nthree\nfour\n\nfive"),
                [b"one\ntwo", b"three", b"four", b"five"],
            )
            self.assertEqual(
                self.split("a\u00e9\u65e5\u65e5\u65e5b".encode()),
                ["a\u00e9\u65e5".encode(), "\u65e5\u65e5b".encode()],
            )
            self.assertEqual(self.split(b"\x80" * 12), [b"\x80" * 5, b"\x80" * 7])

    @settings(max_examples=400)
    @given(FILE, st.integers(1, 9), st.booleans())
    def test_any_file_is_split_like_in_the_simplest_way(
        self, data: bytes, block: int, percent: bool
    ) -> None:
        """It does not depend on the block size."""
        with patch.object(formats, "_BLOCK_SIZE", block):
            split = list((PERCENT if percent else BLANK).split(BytesIO(data), 0))
            self.assertEqual(
                detect_format(BytesIO(data)) == PERCENT,
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


class DecodeTests(SynchronousTestCase):
    """Tests of L{QuoteFormat.decode}."""

    def test_bytes_are_decoded(self) -> None:
        """Line ends become line feeds, invalid bytes U+FFFD."""
        self.assertEqual(BLANK.decode(b"a\r\n\xff\0\rb"), "a\n\ufffd\0\rb")

    def test_rotated_text_is_read_in_clear(self) -> None:
        quote_format = QuoteFormat("percent", rot13=True)
        self.assertEqual(quote_format.decode(b"Fb \xc3\xa9 1."), "So \u00e9 1.")

    def test_marks_for_terminals_are_removed(self) -> None:
        text = BLANK.decode(b"Nobody _\bk_\be_\be_\bp_\bs \x1b[1mit\x1b[m.")
        self.assertEqual(text, "Nobody keeps it.")


class FormatTests(SynchronousTestCase):
    """Tests of L{detect_format}."""

    def check(self, quote_format: QuoteFormat, *texts: str) -> None:
        """Check the format of each text."""
        for text in texts:
            with self.subTest(text=text):
                self.assertEqual(detect_format(BytesIO(text.encode())), quote_format)

    def test_percent_lines_separate_the_quotes_of_a_fortune_file(self) -> None:
        self.check(PERCENT, "one\n%\ntwo", "One.\nTwo.\nThree.\n%", "%\r\none\n\ntwo")

    def test_most_files_have_blank_lines_between_quotes(self) -> None:
        self.check(BLANK, "", "one", "One.\n\nTwo.\n\nThree.", "%% a\none\n %\ntwo")

    def test_two_percent_signs_separate_quotes_where_no_single_one_does(self) -> None:
        """In a file with lines that are one, lines that start with two are comments."""
        old = QuoteFormat("percent", "%%")
        self.check(old, "One.\n%%\nTwo.\n%%\r\nThree.", "one\n\n%%", "%%\none\n %\ntwo")
        self.check(PERCENT, "%%\n%\none", "one\n%%\ntwo\n%", "%\n%%")
        self.check(old, "one\n\n" * 300_000 + "%%")
        quotes = [data for _, data in old.split(BytesIO(b"%%\na\n%\n%%\r\n\nb\n%%"), 0)]
        self.assertEqual(quotes, [b"a\n%", b"b"])

    def test_a_quote_may_be_on_each_line(self) -> None:
        """Most lines end a sentence or in an attribution."""
        self.check(
            ONE_PER_LINE,
            "One.\nTwo!\nThree?",
            "One.\r\nTwo.\r\nthree\r\n\r\n",
            "Stay hungry. - Ann Author\nBe kind. (Bob Writer)\nthree\n",
            "One.\tAnn Author\nTwo. ~ Bob Writer\n\u201cThree.\u201d",
            "\u4e00\u3002\n\u4e8c\u3002\n\u4e09\u3002",
        )

    def test_a_text_without_blank_lines_is_one_quote(self) -> None:
        self.check(
            BLANK,
            "One.\nTwo.",
            "One.\nTwo.\n-- Ann Author",
            "One.\nTwo.\nThree.\n\N{EM DASH} Ann Author, A Title",
            "A poem has lines,\nand few of them end\na sentence.\n",
            "Some words are\nwrapped. They end\nanywhere. Even\nhere.",
        )

    def test_the_first_line_may_name_the_format(self) -> None:
        self.check(ONE_PER_LINE, "# format: one-per-line\none\n\ntwo\n%\n")
        self.check(BLANK, "# format: blank-line\r\nOne.\nTwo.\nThree.\n%\n")
        self.check(PERCENT, "# format: percent\nOne.\n\nTwo.")
        self.check(BLANK, "# format: other\none", "\n# format: percent\none")

    def test_a_percent_line_may_be_far_away(self) -> None:
        self.check(PERCENT, "one\n\n" * 300_000 + "%")
