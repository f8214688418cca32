"""
Formats of dictionaries: how a file separates its quotes, and how it writes them.

Blank lines separate quotes. In a file with lines that are just C{%}, those do, and
lines that start with C{%%} are comments, as in strfile(1) (contract, section 3).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from re import MULTILINE, compile
from typing import NamedTuple

from .lines import Readable

MAX_QUOTE_BYTES = 4 * 1024 * 1024
"""The maximum size of a quote. A longer one is cut, at a line end if possible."""

_BLOCK_SIZE = 1024 * 1024

# The UTF-8 of all that str.isspace() accepts, except the line feed.
_BLANKS = (
    rb"(?:[ \t\r\f\v\x1c-\x1f]|\xc2[\x85\xa0]|\xe1\x9a\x80"
    rb"|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe2\x81\x9f|\xe3\x80\x80)*+"
)
_PERCENT_LINE = compile(rb"^%\r?(?:\n|\Z)", MULTILINE)
_BLANK_LINES = compile(rb"\n(?:%b\n)++" % _BLANKS)
_BLANK_START = compile(rb"(?:%b\n)*+" % _BLANKS)
_BLANK_OR_COMMENT_START = compile(rb"(?:(?:%%%%[^\n]*+|%b)\n)*+" % _BLANKS)
_BLANK_LINE = compile(_BLANKS)
_BLANK_OR_COMMENT_LINE = compile(rb"%%%%[^\n]*+|%b" % _BLANKS)
_COMMENT_LINE = compile(r"^%%[^\n]*+(?:\n|\Z)", MULTILINE)


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

    @ivar percent_separated: whether lines that are just C{%} separate the quotes.
    """

    percent_separated: bool

    @classmethod
    def detect(cls, file: Readable) -> QuoteFormat:
        """
        Return the format of a file.

        @param file: open at the start of its text. It is read up to the block with
            the first separator that is not a blank line.
        """
        buffered = b""
        while block := file.read(_BLOCK_SIZE):
            buffered += block
            complete = buffered.rfind(b"\n") + 1
            if _PERCENT_LINE.search(buffered, 0, complete):
                return cls(percent_separated=True)
            # Three bytes are enough to see whether an incomplete line matches.
            buffered = buffered[complete:][:3]
        return cls(percent_separated=_PERCENT_LINE.search(buffered) is not None)

    def decode(self, data: bytes) -> str:
        """Return the text of a quote, in which a CRLF is a line feed."""
        text = data.decode("utf-8", "replace").replace("\r\n", "\n")
        if self.percent_separated and "%%" in text:
            text = _COMMENT_LINE.sub("", text).removesuffix("\n")
        return text

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
        separator = _PERCENT_LINE if self.percent_separated else _BLANK_LINES
        complete = len(data) if at_end else data.rfind(b"\n") + 1
        position = 0
        pieces: list[tuple[int, int]] = []
        for match in separator.finditer(data, 0, complete):
            pieces += _cut_long_quote(data, position, match.start())
            position = match.end()
        pieces += _cut_long_quote(data, position, len(data))
        return [*pieces, (len(data), len(data))] if at_end else pieces

    def _trim(self, data: bytes, start: int, end: int) -> tuple[int, int]:
        """Return the range of a quote without blank lines and comments at its edges."""
        if self.percent_separated:
            leading, is_no_text = _BLANK_OR_COMMENT_START, _BLANK_OR_COMMENT_LINE
        else:
            leading, is_no_text = _BLANK_START, _BLANK_LINE
        first_line = leading.match(data, start, end)
        assert first_line is not None  # It matches no bytes, too.
        start = first_line.end()
        while start < end:
            last_line = data.rfind(b"\n", start, end) + 1 or start
            if not is_no_text.fullmatch(data, last_line, end):
                break
            end = max(start, last_line - 1)
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
