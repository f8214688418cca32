"""
Lines and entries as text.

Bytes that are not UTF-8 become U+FFFD. CRLF line ends and a byte order mark are
not part of the text (contract, section 1). Only a line feed ends a line, as in grep.
"""

from __future__ import annotations

import sys
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator, Sequence
from enum import Enum, auto
from itertools import chain
from typing import Protocol, overload

VALID_UTF8_LINE_PATTERN = (
    b"([^\r\x80-\xff]|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]"
    b"|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]"
    b"|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}"
    b"|\xf4[\x80-\x8f][\x80-\xbf]{2})*"
)
"""
A POSIX extended regular expression over bytes for lines of valid UTF-8 (Unicode
Standard, table 3-7) without a carriage return.
"""


class Readable(Protocol):
    """An object with a C{read} method that returns bytes."""

    def read(self, size: int, /) -> bytes:
        """Read up to C{size} bytes; none at the end."""


class Lines(Sequence[str]):
    """
    Lines of text that are stored as bytes and decoded during iteration.

    Thousands of lines can be counted, sliced and encoded in one operation each.

    @ivar data: the lines, each of them followed by a line feed.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._count: int | None = None

    def __len__(self) -> int:
        if self._count is None:
            self._count = self.data.count(b"\n")
        return self._count

    def __iter__(self) -> Iterator[str]:
        return iter(self.data.decode("utf-8", "replace").split("\n")[:-1])

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> Lines: ...

    def __getitem__(self, index: int | slice) -> str | Lines:
        if isinstance(index, int):
            return list(self)[index]
        count = len(self)
        start, stop, step = index.indices(count)
        if step != 1:
            raise ValueError("the step of a slice must be 1")
        if (start, stop) == (0, count):
            return self
        start_offset = self._offset_after(start)
        return Lines(self.data[start_offset : self._offset_after(max(start, stop))])

    def _offset_after(self, count: int) -> int:
        """Return the offset after the first C{count} lines."""
        offset = 0
        for _ in range(count):
            offset = self.data.index(b"\n", offset) + 1
        return offset

    def clear(self) -> None:
        """Remove all lines, to free memory while other references exist."""
        self.data = b""
        self._count = 0


def parse_lines(data: bytes, normalized: bool = False) -> Lines:
    """
    Parse bytes into lines of text.

    @param data: complete lines. The line feed of the last one is optional.
    @param normalized: whether the data is from a L{NormalizedFile}, in which all
        remaining carriage returns are part of the text.
    """
    if data and not data.endswith(b"\n"):
        data += b"\n"
    # A search for one byte is much faster than a search for two.
    if not normalized and b"\r" in data:
        data = data.replace(b"\r\n", b"\n")
    return Lines(data)


def concatenate_entries(groups: Sequence[Lines | list[str]]) -> Lines | list[str]:
    """Concatenate the entries of several dictionaries."""
    if len(groups) == 1:
        return groups[0]
    data = [entries.data for entries in groups if isinstance(entries, Lines)]
    if len(data) == len(groups):
        return Lines(b"".join(data))
    return list(chain.from_iterable(groups))


def approximate_size(entries: Sequence[str]) -> int:
    """Return the size of entries and their line ends, in characters or bytes."""
    if isinstance(entries, Lines):
        return len(entries.data)
    return sum(map(len, entries)) + len(entries)


def lines_containing(term: str, text: bytes) -> bytes:
    """
    Return the lines that contain a term.

    @param term: a fixed string without a line feed.
    @param text: lines. The line feed of the last one is optional.
    """
    encoded_term = term.encode()
    lines = []
    position = text.find(encoded_term)
    while position >= 0:
        end = text.find(b"\n", position) + 1 or len(text)
        lines.append(text[text.rfind(b"\n", 0, position) + 1 : end])
        position = text.find(encoded_term, end)
    return b"".join(lines)


def add_context(
    lines: Sequence[str],
    matches: Sequence[tuple[int, int]],
    lines_before: int,
    lines_after: int,
    neighbors: Callable[[int], range] = lambda _: range(1, sys.maxsize),
) -> Iterator[str]:
    r"""
    Yield an entry for each match: its line and the context lines, joined by C{"\n"}.

    Together the entries may be much longer than the lines.

    @param lines: the matches and their context, in the order of the dictionary.
    @param matches: for each match its index in C{lines}, counted from 0, and its
        line number, counted from 1.
    @param neighbors: returns the numbers of the lines that may be the context of a
        line.
    """
    for index, number in matches:
        allowed = neighbors(number)
        first = max(number - lines_before, allowed.start)
        last = min(number + lines_after, allowed.stop - 1)
        yield "\n".join(lines[index + first - number : index + last - number + 1])


class TextForm(Enum):
    """The form of the text of a dictionary that grep reads."""

    FILE = auto()
    """The bytes of the file."""
    NORMALIZED = auto()
    """The normalized text."""
    MARKS_EXCHANGED = auto()
    """The normalized text with letters in the place of marks."""


class NormalizedFile:
    r"""
    Reads a dictionary as valid UTF-8 with line feeds as the only line ends.

    grep matches bytes. It reads this instead of the dictionary if a pattern could
    match a carriage return or a byte that the client does not see.

    @param file: the dictionary, open for reading at the start of its text.
    @param convert: is applied to each part of the text.
    @ivar bytes_read: the number of bytes read from C{file}.
    """

    def __init__(self, file: Readable, convert: Callable[[str], str] = str) -> None:
        self.bytes_read = 0
        self._convert = convert
        self._file = file
        self._decoder = getincrementaldecoder("utf-8")("replace")
        self._pending = ""

    def read(self, size: int) -> bytes:
        """
        Read the next part of the text; no bytes at the end, and only there.

        @param size: the number of bytes to read from the file at a time, 1 or more.
        """
        while True:
            data = self._file.read(size)
            self.bytes_read += len(data)
            text = self._pending + self._decoder.decode(data, not data)
            # The next byte decides whether a last carriage return ends a line.
            self._pending = "\r" if data and text.endswith("\r") else ""
            normalized = text.removesuffix("\r").replace("\r\n", "\n")
            if normalized or not data:
                return self._convert(normalized).encode()
