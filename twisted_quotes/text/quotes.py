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

MOST_BYTES = 4 * 1024 * 1024
"""The most bytes of one quote. What is longer is cut, at line ends if it can be."""

_BLOCK = 1024 * 1024

# What str.isspace() calls a blank, but for the line feed, in UTF-8.
_BLANK = (
    rb"(?:[ \t\r\f\v\x1c-\x1f]|\xc2[\x85\xa0]|\xe1\x9a\x80"
    rb"|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe2\x81\x9f|\xe3\x80\x80)*+"
)
_BLANK_LINES = compile(rb"\n(?:%b\n)++" % _BLANK)
_BLANK_LINES_OR_END = compile(
    rb"\n(?:%b\n)++|\n(?:%b\n)*+%b\Z" % (_BLANK, _BLANK, _BLANK)
)
_LEADING_BLANK_LINES = compile(rb"(?:%b\n)++" % _BLANK)
_ALL_BLANK = compile(rb"(?:%b\n)*+%b" % (_BLANK, _BLANK))
_PERCENT_LINE = compile(rb"^%\r?(?:\n|\Z)", MULTILINE)
_AUTHOR = compile(r"\s*(?:-{2,}|\N{EM DASH}+)(.*)")


class Span(NamedTuple):
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

    @ivar dictionary: the name of its dictionary.
    @ivar line: the number of its first line there, counted from 1.
    @ivar places: where what was looked for stands in its text: start and end,
        in code points.
    @ivar places_truncated: whether it stands at more places than these.
    """

    dictionary: str
    line: int
    text: str
    places: Sequence[tuple[int, int]] = ()
    places_truncated: bool = False

    @cached_property
    def id(self) -> str:
        """What names the text."""
        return id_of(self.text)

    @cached_property
    def author(self) -> str | None:
        """The author it names."""
        return author_of(self.text)

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
    held = b""
    while block := file.read(_BLOCK):
        held += block
        complete = held.rfind(b"\n") + 1
        if _PERCENT_LINE.search(held, 0, complete):
            return True
        # A line is looked at when it is complete; no more is kept of a long one.
        held = held[complete:][:3]
    return _PERCENT_LINE.search(held) is not None


def split_quotes(
    file: Readable, start: int, percent: bool
) -> Iterator[tuple[Span, bytes]]:
    """
    Read a file as quotes, a block at a time.

    @param file: open at the start of its text.
    @param start: the offset of that start.
    @param percent: whether lines that are just C{%} separate the quotes;
        else blank lines do.
    @return: each quote's place and its bytes.
    """
    held, line = b"", 1
    while True:
        block = file.read(_BLOCK)
        held += block
        complete = held.rfind(b"\n") + 1 if block else len(held)
        ranges, rest = _ranges(held, complete, percent, final=not block)
        counted = 0
        for first, last in ranges:
            line += held.count(b"\n", counted, first)
            counted = first
            data = _without_line_end(held[first:last])
            yield Span(start + first, start + first + len(data), line), data
        if not block:
            return
        line += held.count(b"\n", counted, rest)
        start += rest
        held = held[rest:]


def _ranges(
    data: bytes, complete: int, percent: bool, final: bool
) -> tuple[list[tuple[int, int]], int]:
    """
    Find the quotes in a piece of a file.

    @param complete: how much of the data is whole lines.
    @param final: whether nothing follows the data.
    @return: where each quote is, and from where on more data must tell.
    """
    found: list[tuple[int, int]] = []
    position = 0
    if percent:
        separator = _PERCENT_LINE
    else:
        separator = _BLANK_LINES_OR_END if final else _BLANK_LINES
        if blank := _LEADING_BLANK_LINES.match(data):
            position = blank.end()
    for each in separator.finditer(data, position, complete):
        found += _pieces(data, position, each.start())
        position = each.end()
    *cut, last = _pieces(data, position, len(data))
    found += cut
    if final:
        found.append(last)
    return [each for each in found if not _ALL_BLANK.fullmatch(data, *each)], last[0]


def _pieces(data: bytes, start: int, end: int) -> list[tuple[int, int]]:
    """Cut what is too long for one quote; the last piece may be empty."""
    pieces = []
    while end - start > MOST_BYTES:
        cut = data.rfind(b"\n", start, start + MOST_BYTES) + 1
        if not cut:
            cut = start + MOST_BYTES
            # The bytes of one character stay together (RFC 3629).
            while data[cut] & 0xC0 == 0x80 and cut > start + MOST_BYTES - 3:
                cut -= 1
        pieces.append((start, cut))
        start = cut
    return [*pieces, (start, end)]


def _without_line_end(data: bytes) -> bytes:
    return data.removesuffix(b"\n").removesuffix(b"\r")


def text_of(data: bytes) -> str:
    """
    Read the bytes of a quote as text.

    @param data: its lines, the last one without its line end.
    """
    return data.decode("utf-8", "replace").replace("\r\n", "\n")


def author_of(text: str) -> str | None:
    """The author that a quote names in its last line, if it does."""
    last = text.rstrip()
    found = _AUTHOR.fullmatch(last, last.rfind("\n") + 1)
    return (found and found[1].strip()) or None


def id_of(text: str) -> str:
    """
    The id of a quote: the same for the same text, and for no other.

    It is a hash of 96 bits. Among ten million texts two have the same with a
    chance of one in 10**15.
    """
    return blake2b(text.encode(), digest_size=12).hexdigest()
