"""
Formats of dictionaries: how a file separates its quotes, and how it writes them.

Blank lines separate quotes. In a file with lines that are just C{%}, those do, and
lines that start with C{%%} are comments, as in strfile(1). Without such lines, those
that are just C{%%} separate quotes, as in files for the first versions of fortune(6).
A file with a quote on each line needs no separators (contract, section 3).
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from re import Pattern, compile, escape
from typing import Literal, NamedTuple, TypeAlias, get_args

from twisted_quotes.text.lines import Readable

from .attribution import parse_attribution
from .inline_attribution import ends_quote
from .terminal import remove_terminal_marks

Separation: TypeAlias = Literal["blank-line", "percent", "one-per-line"]

MAX_QUOTE_BYTES = 4 * 1024 * 1024
"""The maximum size of a quote. A longer one is cut, at a line end if possible."""

_BLOCK_SIZE = 64 * 1024

# The UTF-8 of all that str.isspace() accepts, except the line feed.
_BLANKS = (
    rb"(?:[ \t\r\f\v\x1c-\x1f]|\xc2[\x85\xa0]|\xe1\x9a\x80"
    rb"|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe2\x81\x9f|\xe3\x80\x80)*+"
)
# It starts with a literal, which is found faster than the start of a line.
_PERCENT_LINE = compile(rb"\n(%%?)(?=\r?\n)")
_FORMAT_LINE = compile(
    rb"# format: (blank-line|percent|one-per-line)[ \t]*+\r?(?:\n|\Z)"
)
_SAMPLE_SIZE = 1024 * 1024
_MIN_LINES = 3


class QuoteSpan(NamedTuple):
    """
    The position of a quote in its file.

    @ivar start: the offset of the first byte.
    @ivar end: the offset after the last byte, without the line end.
    @ivar line: the number of the first line, counted from 1.
    """

    start: int
    end: int
    line: int


@dataclass(frozen=True)
class QuoteFormat:
    """
    The format of a dictionary.

    @ivar separation: what separates the quotes.
    @ivar delimiter: the text of the lines between quotes, if these separate them.
    @ivar rot13: whether the letters are rotated.
    """

    separation: Separation
    delimiter: str = "%"
    rot13: bool = False

    def decode(self, data: bytes) -> str:
        """Return the text of a quote, in which a CRLF is a line feed."""
        text = data.decode("utf-8", "replace").replace("\r\n", "\n")
        if self.separation == "percent" and self._comment in text:
            lines = text.split("\n")
            text = "\n".join(x for x in lines if not x.startswith(self._comment))
        if self.rot13:
            text = codecs.encode(text, "rot_13")
        if "\b" in text or "\x1b" in text:
            text = remove_terminal_marks(text)
        return text

    @cached_property
    def _comment(self) -> str:
        return 2 * self.delimiter

    @cached_property
    def _separator(self) -> Pattern[bytes]:
        """What matches a separator, after a line end for those without a delimiter."""
        if self.separation == "percent":
            delimiter = escape(self.delimiter.encode())
            # It starts with a literal, which is found faster than the start of a line.
            return compile(rb"%b(?<![^\n]%b)\r?(?:\n|\Z)" % (delimiter, delimiter))
        if self.separation == "blank-line":
            return compile(rb"\n(?=[\s\x1c-\x1f\xc2\xe1-\xe3])(?:%b\n)++" % _BLANKS)
        return compile(rb"\n(?:%b\n)*+" % _BLANKS)

    @cached_property
    def _text_starts(self) -> frozenset[int]:
        """The first bytes of most lines with text: a set is faster than a pattern."""
        return frozenset(range(0x21, 0x7F)) - {*b"#", *self.delimiter.encode()}

    @cached_property
    def _no_text(self) -> Pattern[bytes]:
        """What matches a line that is not part of a quote at its edges."""
        blanks = _BLANKS
        if self.separation == "percent":
            comment = escape(self._comment.encode())
            blanks = rb"(?:%b[^\n]*+|%b)" % (comment, _BLANKS)
        return compile(blanks + rb"|" + _FORMAT_LINE.pattern)

    def split(self, file: Readable, start: int) -> Iterator[tuple[QuoteSpan, bytes]]:
        """
        Split a file into quotes, a block at a time.

        Blank lines and comments at the start and at the end of a quote are not part
        of it.

        @param file: open at the start of its text.
        @param start: the offset of that start.
        @return: the position and the bytes of each quote.
        """
        buffered, line, at_end = b"", 1, False
        while not at_end:
            block = file.read(_BLOCK_SIZE)
            buffered += block
            at_end = not block
            if at_end:
                buffered += b"\n\n"  # This ends the last line, and the last quote.
            counted_end = 0
            pieces = self._split_block(buffered, at_end)
            rest = pieces.pop()[0]
            for piece in pieces:
                first, last = self._trim(buffered, *piece)
                if first < last:
                    line += buffered.count(b"\n", counted_end, first)
                    counted_end = first
                    span = QuoteSpan(start + first, start + last, line)
                    yield span, buffered[first:last]
            line += buffered.count(b"\n", counted_end, rest)
            start += rest
            buffered = buffered[rest:]

    def _split_block(self, data: bytes, at_end: bool) -> list[tuple[int, int]]:
        """
        Return the range of each quote with the blank lines at its edges.

        The last range has only a start, that of the rest for the next block.
        """
        complete = len(data) if at_end else data.rfind(b"\n") + 1
        position = 0
        pieces: list[tuple[int, int]] = []
        for match in self._separator.finditer(data, 0, complete):
            end, next_position = match.span()
            if end - position > MAX_QUOTE_BYTES:
                pieces += _cut_long_quote(data, position, end)
            else:
                pieces.append((position, end))
            position = next_position
        pieces += _cut_long_quote(data, position, len(data))
        return [*pieces, (len(data), len(data))] if at_end else pieces

    def _trim(self, data: bytes, start: int, end: int) -> tuple[int, int]:
        """Return the range of a quote without blank lines and comments at its edges."""
        text_starts, is_no_text = self._text_starts, self._no_text.fullmatch
        while start < end and data[start] not in text_starts:
            line_end = data.find(b"\n", start, end)
            line_end = end if line_end < 0 else line_end
            if not is_no_text(data, start, line_end):
                break
            start = min(end, line_end + 1)
        if start < end and data[end - 1] == 0x0A:
            end -= 1
        while start < end:
            line_start = data.rfind(b"\n", start, end) + 1 or start
            if line_start < end and data[line_start] in text_starts:
                break
            if not is_no_text(data, line_start, end):
                break
            end = max(start, line_start - 1)
        # The carriage return of the line end.
        if end > start and data[end - 1] == 0x0D:
            end -= 1
        return start, end


def _cut_long_quote(data: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield pieces of up to L{MAX_QUOTE_BYTES}; the last one may be empty."""
    while end - start > MAX_QUOTE_BYTES:
        cut = data.rfind(b"\n", start, start + MAX_QUOTE_BYTES) + 1
        if not cut:
            cut = start + MAX_QUOTE_BYTES
            # The bytes of a character stay together (RFC 3629).
            while data[cut] & 0xC0 == 0x80 and cut > start + MAX_QUOTE_BYTES - 3:
                cut -= 1
        yield start, cut
        start = cut
    yield start, end


_FORMATS = {each.encode(): QuoteFormat(each) for each in get_args(Separation)}


def detect_format(file: Readable) -> QuoteFormat:
    """
    Return the format of a file without a C{.dat} file.

    It is what a first line C{# format: ...} says. Without one, lines that are just
    C{%} separate the quotes, or else C{%%}, or else blank lines. If the first mebibyte
    has none of these, but at least three lines, and most of them end a sentence or in
    an attribution, each line is a quote.

    @param file: open at the start of its text. It is read up to the block with the
        first C{%} line.
    """
    sample = file.read(_SAMPLE_SIZE)
    if format_line := _FORMAT_LINE.match(sample):
        return _FORMATS[format_line[1]]
    if delimiter := _find_delimiter(file, sample):
        return QuoteFormat("percent", delimiter)
    return _FORMATS[b"one-per-line" if _has_quote_lines(sample) else b"blank-line"]


def _find_delimiter(file: Readable, buffered: bytes) -> str:
    """
    Return C{%} if a file has a line that is just that, or else C{%%} if it has one.

    @param buffered: what has been read from the file.
    @return: an empty string if it has neither.
    """
    delimiter = ""
    block, buffered = buffered, b"\n" + buffered
    while block:
        for line in _PERCENT_LINE.finditer(buffered, 0, buffered.rfind(b"\n") + 1):
            delimiter = line[1].decode()
            if delimiter == "%":
                return delimiter
        # A line that is just a delimiter has at most three bytes more.
        buffered = buffered[-4:]
        block = file.read(_BLOCK_SIZE)
        buffered += block
    last_line = _PERCENT_LINE.search(buffered + b"\n")
    return last_line[1].decode() if last_line else delimiter


def _has_quote_lines(sample: bytes) -> bool:
    """
    Return whether most lines of a text are quotes.

    It is one quote if it has an attribution.
    """
    text = sample.decode("utf-8", "replace").strip()
    lines = text.split("\n")
    if len(lines) < _MIN_LINES or not all(map(str.strip, lines)):
        return False
    is_list = 2 * sum(map(ends_quote, lines)) > len(lines)
    return is_list and parse_attribution(text) is None
