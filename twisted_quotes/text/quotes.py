"""
Whole quotes: where they stand in a file, and what is known of each.

The rules are those of the contract's section 3. Quotes are separated by blank
lines, or by lines that are just C{%} where a file has any.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from re import MULTILINE, compile
from typing import NamedTuple

from .lines import Readable

MAX_QUOTE_BYTES = 4 * 1024 * 1024
"""The most bytes of one quote. What is longer is cut, at line ends if it can be."""

_BLOCK_SIZE = 1024 * 1024

# What str.isspace() calls a blank, but for the line feed, in UTF-8.
_WHITESPACE = (
    rb"(?:[ \t\r\f\v\x1c-\x1f]|\xc2[\x85\xa0]|\xe1\x9a\x80"
    rb"|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe2\x81\x9f|\xe3\x80\x80)*+"
)
_BLANK_LINES = compile(rb"\n(?:%b\n)++" % _WHITESPACE)
_BLANK_LINES_OR_END = compile(
    rb"\n(?:%b\n)++|\n(?:%b\n)*+%b\Z" % (_WHITESPACE, _WHITESPACE, _WHITESPACE)
)
_LEADING_BLANK_LINES = compile(rb"(?:%b\n)++" % _WHITESPACE)
_ONLY_WHITESPACE = compile(rb"(?:%b\n)*+%b" % (_WHITESPACE, _WHITESPACE))
_PERCENT_LINE = compile(rb"^%\r?(?:\n|\Z)", MULTILINE)
_AUTHOR = compile(r"\s*(?:-{2,}|\N{EM DASH}+)(.*)")


class QuoteSpan(NamedTuple):
    """
    Where a quote stands in its file.

    @ivar start: the offset of its first byte.
    @ivar end: the offset after its last one, less its line end.
    @ivar line: the number of its first line, counted from 1.
    """

    start: int
    end: int
    line: int


@dataclass(frozen=True)
class Quote:
    """
    A quote that was found.

    @ivar dictionary_name: the name of its dictionary.
    @ivar line: the number of its first line there, counted from 1.
    @ivar match_spans: where what was looked for stands in its text: start and end,
        in code points.
    @ivar match_spans_truncated: whether it stands at more places than these.
    """

    dictionary_name: str
    line: int
    text: str
    match_spans: Sequence[tuple[int, int]] = ()
    match_spans_truncated: bool = False

    @cached_property
    def id(self) -> str:
        """What names the text."""
        return quote_id(self.text)

    @cached_property
    def author(self) -> str | None:
        """The author it names."""
        return parse_author(self.text)

    @cached_property
    def last_line(self) -> int:
        """The number of its last line."""
        return self.line + self.text.count("\n")


def has_percent_lines(file: Readable) -> bool:
    """
    Whether lines that are just C{%} separate the quotes of a file.

    @param file: open at the start of its text; is read to its end, or to the
        first such line.
    """
    buffered = b""
    while block := file.read(_BLOCK_SIZE):
        buffered += block
        complete = buffered.rfind(b"\n") + 1
        if _PERCENT_LINE.search(buffered, 0, complete):
            return True
        # A line is looked at when it is complete; no more is kept of a long one.
        buffered = buffered[complete:][:3]
    return _PERCENT_LINE.search(buffered) is not None


def split_quotes(
    file: Readable, start: int, percent_separated: bool
) -> Iterator[tuple[QuoteSpan, bytes]]:
    """
    Read a file as quotes, a block at a time.

    @param file: open at the start of its text.
    @param start: the offset of that start.
    @param percent_separated: whether lines that are just C{%} separate the quotes;
        else blank lines do.
    @return: each quote's place and its bytes.
    """
    buffered, line = b"", 1
    while True:
        block = file.read(_BLOCK_SIZE)
        buffered += block
        complete = buffered.rfind(b"\n") + 1 if block else len(buffered)
        ranges, rest = _find_quote_ranges(
            buffered, complete, percent_separated, final=not block
        )
        counted_end = 0
        for first, last in ranges:
            line += buffered.count(b"\n", counted_end, first)
            counted_end = first
            data = _strip_line_end(buffered[first:last])
            yield QuoteSpan(start + first, start + first + len(data), line), data
        if not block:
            return
        line += buffered.count(b"\n", counted_end, rest)
        start += rest
        buffered = buffered[rest:]


def _find_quote_ranges(
    data: bytes, complete: int, percent_separated: bool, final: bool
) -> tuple[list[tuple[int, int]], int]:
    """
    Find the quotes in a piece of a file.

    @param complete: how much of the data is whole lines.
    @param final: whether nothing follows the data.
    @return: where each quote is, and from where on more data must tell.
    """
    found: list[tuple[int, int]] = []
    position = 0
    if percent_separated:
        separator = _PERCENT_LINE
    else:
        separator = _BLANK_LINES_OR_END if final else _BLANK_LINES
        if blank := _LEADING_BLANK_LINES.match(data):
            position = blank.end()
    for each in separator.finditer(data, position, complete):
        found += _split_long_quote(data, position, each.start())
        position = each.end()
    *cut, last = _split_long_quote(data, position, len(data))
    found += cut
    if final:
        found.append(last)
    return [
        each for each in found if not _ONLY_WHITESPACE.fullmatch(data, *each)
    ], last[0]


def _split_long_quote(data: bytes, start: int, end: int) -> list[tuple[int, int]]:
    """Cut what is too long for one quote; the last piece may be empty."""
    pieces = []
    while end - start > MAX_QUOTE_BYTES:
        cut = data.rfind(b"\n", start, start + MAX_QUOTE_BYTES) + 1
        if not cut:
            cut = start + MAX_QUOTE_BYTES
            # The bytes of one character stay together (RFC 3629).
            while data[cut] & 0xC0 == 0x80 and cut > start + MAX_QUOTE_BYTES - 3:
                cut -= 1
        pieces.append((start, cut))
        start = cut
    return [*pieces, (start, end)]


def _strip_line_end(data: bytes) -> bytes:
    return data.removesuffix(b"\n").removesuffix(b"\r")


def decode_quote(data: bytes) -> str:
    """
    Read the bytes of a quote as text.

    @param data: its lines, the last one without its line end.
    """
    return data.decode("utf-8", "replace").replace("\r\n", "\n")


def parse_author(text: str) -> str | None:
    """The author that a quote names in its last line, if it does."""
    last = text.rstrip()
    found = _AUTHOR.fullmatch(last, last.rfind("\n") + 1)
    return (found and found[1].strip()) or None


def quote_id(text: str) -> str:
    """
    The id of a quote: the same for the same text, and for no other.

    It is a hash of 96 bits. Among ten million texts two have the same with a
    chance of one in 10**15.
    """
    return blake2b(text.encode(), digest_size=12).hexdigest()
