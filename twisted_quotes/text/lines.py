"""
Text as readers see it: lines without their ends, and entries with context.

The rules are those of the contract's section 1: bytes that are not UTF-8 read
as U+FFFD; CRLF line ends and a byte order mark are not part of the text. Only
a line feed ends a line, as for grep.
"""

from __future__ import annotations

from codecs import getincrementaldecoder
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import chain
from typing import Protocol, overload

VALID_UTF8_LINE_PATTERN = (
    b"([^\r\x80-\xff]|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]"
    b"|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]"
    b"|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}"
    b"|\xf4[\x80-\x8f][\x80-\xbf]{2})*"
)
"""
An expression over bytes for lines that are UTF-8 (Unicode Standard, table 3-7) with
no carriage return. What grep itself takes for a character depends on the C library.
"""


class Readable(Protocol):
    """Anything that bytes can be read from."""

    def read(self, size: int, /) -> bytes:
        """Read up to C{size} bytes; nothing at the end."""


class Lines(Sequence[str]):
    """
    Lines of text that are kept together as bytes.

    Thousands of them are counted, cut and encoded as one. They become strings
    only where they are asked for one by one, all of them each time.

    @param data: the lines, each ended by a line feed that is no part of it.

    @ivar data: the same.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __len__(self) -> int:
        return self._count

    @cached_property
    def _count(self) -> int:
        return self.data.count(b"\n")

    def __iter__(self) -> Iterator[str]:
        lines = self.data.decode("utf-8", "replace").split("\n")
        del lines[-1]
        return iter(lines)

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> Lines: ...

    def __getitem__(self, index: int | slice) -> str | Lines:
        if isinstance(index, int):
            return list(self)[index]
        start, stop, step = index.indices(len(self))
        if step != 1:
            raise ValueError("only lines that follow each other are kept together")
        if (start, stop) == (0, len(self)):
            return self
        end = offset_after_lines(self.data, max(start, stop))
        return Lines(self.data[offset_after_lines(self.data, start) : end])

    def clear(self) -> None:
        """Forget them, for who has taken what he needs while others know them."""
        self.data = b""
        self._count = 0


def offset_after_lines(data: bytes, count: int) -> int:
    """
    Where so many lines end.

    @param data: lines, as many at least, each ended by a line feed.
    """
    end = 0
    for _ in range(count):
        end = data.index(b"\n", end) + 1
    return end


def parse_lines(data: bytes, normalized: bool = False) -> Lines:
    """
    Read bytes as lines of text.

    @param data: whole lines, each ended by a line feed; the last one's may be
        missing.
    @param normalized: whether it comes from a L{NormalizedFile}, where every
        carriage return that is left is part of the text.
    """
    if data and not data.endswith(b"\n"):
        data += b"\n"
    # One byte is looked for much more quickly than two.
    if not normalized and b"\r" in data:
        data = data.replace(b"\r\n", b"\n")
    return Lines(data)


def concatenate_entries(entry_groups: Sequence[Sequence[str]]) -> Sequence[str]:
    """Entries from several places, one after another."""
    if len(entry_groups) == 1:
        return entry_groups[0]
    lines = [part.data for part in entry_groups if isinstance(part, Lines)]
    if len(lines) == len(entry_groups):
        return Lines(b"".join(lines))
    return list(chain.from_iterable(entry_groups))


def approximate_size(entries: Sequence[str]) -> int:
    """About how many characters entries have, with their ends."""
    if isinstance(entries, Lines):
        return len(entries.data)
    return sum(map(len, entries)) + len(entries)


def lines_containing(term: str, text: bytes) -> bytes:
    """
    The lines that hold a term, as bytes.

    @param term: a term, in which no line ends.
    @param text: lines, of which the last one may be left open.
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
) -> Iterator[str]:
    r"""
    Give each match the lines around it, one match after another.

    @param lines: matches and context in the dictionary's order: all that is
        wanted here, as far as the dictionary has it.
    @param matches: where in C{lines} each match stands, counted from 0, and
        its line number in the dictionary, counted from 1.
    @param lines_before: lines of context wanted before each match, 0 or more.
    @param lines_after: the same after each match.
    @return: an entry for each match: its own lines, joined by C{"\n"}. Together
        they may be much longer than the lines.
    """
    for index, number in matches:
        yield "\n".join(
            lines[index - min(lines_before, number - 1) : index + lines_after + 1]
        )


class NormalizedFile:
    r"""
    A dictionary read as the UTF-8 of its text.

    grep matches bytes. Where a pattern could tell a carriage return or a bad
    byte from the text that readers see, it is given this.

    @param file: the dictionary, open for reading at the start of its text.

    @ivar bytes_read: how many of its bytes have been read.
    """

    bytes_read = 0

    def __init__(self, file: Readable) -> None:
        self._file = file
        self._decoder = getincrementaldecoder("utf-8")("replace")
        self._pending_text = ""

    def read(self, size: int) -> bytes:
        """
        Read on.

        @param size: about how many bytes to read, 1 or more.
        @return: more text; nothing at the end, and only there.
        """
        while data := self._file.read(size):
            self.bytes_read += len(data)
            if text := self._decode(data):
                return text
        return self._decode(b"", final=True)

    def _decode(self, data: bytes, final: bool = False) -> bytes:
        text = self._pending_text + self._decoder.decode(data, final)
        self._pending_text = "\r" if text.endswith("\r") and not final else ""
        return text.removesuffix("\r").replace("\r\n", "\n").encode()
