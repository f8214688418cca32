"""
Quotes: how a file is split into them, and their ids.

Blank lines separate quotes. In a file with lines that are just C{%}, those do
(contract, section 3).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from re import MULTILINE, compile
from typing import NamedTuple

from .attribution import parse_attribution
from .lines import Readable

MAX_QUOTE_BYTES = 4 * 1024 * 1024
"""The maximum size of a quote. A longer one is cut, at a line end if possible."""

_BLOCK_SIZE = 1024 * 1024

# The UTF-8 of all that str.isspace() accepts, except the line feed.
_WHITESPACE = (
    rb"(?:[ \t\r\f\v\x1c-\x1f]|\xc2[\x85\xa0]|\xe1\x9a\x80"
    rb"|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe2\x81\x9f|\xe3\x80\x80)*+"
)
_BLANK_LINES = compile(rb"\n(?:%b\n)++" % _WHITESPACE)
_LEADING_BLANK_LINES = compile(rb"(?:%b\n)++" % _WHITESPACE)
_ONLY_WHITESPACE = compile(rb"(?:%b\n)*+%b" % (_WHITESPACE, _WHITESPACE))
_PERCENT_LINE = compile(rb"^%\r?(?:\n|\Z)", MULTILINE)


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
class Quote:
    """
    A quote from a dictionary.

    @ivar line: the number of its first line in the dictionary, counted from 1.
    @ivar match_spans: starts and ends of the matches in the text, in code points.
    @ivar match_spans_truncated: whether there are more matches than these.
    """

    dictionary_name: str
    line: int
    text: str
    match_spans: Sequence[tuple[int, int]] = ()
    match_spans_truncated: bool = False

    @cached_property
    def id(self) -> str:
        return quote_id(self.text)

    @cached_property
    def author(self) -> str | None:
        return parse_attribution(self.text)

    @cached_property
    def last_line(self) -> int:
        return self.line + self.text.count("\n")


def has_percent_lines(file: Readable) -> bool:
    """
    Return whether lines that are just C{%} separate the quotes of a file.

    @param file: open at the start of its text. It is read up to the block with the
        first such line.
    """
    buffered = b""
    while block := file.read(_BLOCK_SIZE):
        buffered += block
        complete = buffered.rfind(b"\n") + 1
        if _PERCENT_LINE.search(buffered, 0, complete):
            return True
        # Three bytes are enough to see whether an incomplete line matches.
        buffered = buffered[complete:][:3]
    return _PERCENT_LINE.search(buffered) is not None


def split_quotes(
    file: Readable, start: int, percent_separated: bool
) -> Iterator[tuple[QuoteSpan, bytes]]:
    """
    Split a file into quotes, a block at a time.

    @param file: open at the start of its text.
    @param start: the offset of that start.
    @param percent_separated: the result of L{has_percent_lines}.
    @return: the position and the bytes of each quote.
    """
    buffered, line, at_end = b"", 1, False
    while not at_end:
        block = file.read(_BLOCK_SIZE)
        buffered += block
        at_end = not block
        if at_end and not percent_separated:
            buffered += b"\n\n"  # This ends the last quote.
        ranges, rest = _find_quote_ranges(buffered, percent_separated, at_end)
        counted_end = 0
        for first, last in ranges:
            line += buffered.count(b"\n", counted_end, first)
            counted_end = first
            data = buffered[first:last].removesuffix(b"\n").removesuffix(b"\r")
            yield QuoteSpan(start + first, start + first + len(data), line), data
        line += buffered.count(b"\n", counted_end, rest)
        start += rest
        buffered = buffered[rest:]


def _find_quote_ranges(
    data: bytes, percent_separated: bool, at_end: bool
) -> tuple[list[tuple[int, int]], int]:
    """Return the range of each complete quote, and the offset of the rest."""
    separator = _PERCENT_LINE if percent_separated else _BLANK_LINES
    complete = len(data) if at_end else data.rfind(b"\n") + 1
    position = 0
    if not percent_separated and (blank := _LEADING_BLANK_LINES.match(data)):
        position = blank.end()
    pieces: list[tuple[int, int]] = []
    for match in separator.finditer(data, position, complete):
        pieces += _cut_long_quote(data, position, match.start())
        position = match.end()
    pieces += _cut_long_quote(data, position, len(data))
    rest = pieces[-1][0]
    if not at_end:
        del pieces[-1]
    return [
        piece for piece in pieces if not _ONLY_WHITESPACE.fullmatch(data, *piece)
    ], rest


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


def decode_quote(data: bytes) -> str:
    """Decode the bytes of a quote, in which a CRLF is a line feed."""
    return data.decode("utf-8", "replace").replace("\r\n", "\n")


def quote_id(text: str) -> str:
    """
    Return the id of a quote, which depends only on its text.

    It is a hash of 96 bits: the probability of two equal ids among ten million texts
    is less than 10**-15.
    """
    return blake2b(text.encode(), digest_size=12).hexdigest()
