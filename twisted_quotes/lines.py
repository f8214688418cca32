"""
Text as readers see it: lines without their ends, and entries with context.

The rules are those of the contract's section 1: bytes that are not UTF-8 read
as U+FFFD; CRLF line ends and a byte order mark are not part of the text. Only
a line feed ends a line, as for grep.
"""

from __future__ import annotations

from codecs import getincrementaldecoder
from collections.abc import Iterator, Sequence
from typing import Protocol


class Readable(Protocol):
    """Anything that bytes can be read from."""

    def read(self, size: int, /) -> bytes:
        """Read up to C{size} bytes; nothing at the end."""


def text_lines(data: bytes, normalized: bool = False) -> list[str]:
    """
    Read bytes as lines of text.

    @param data: whole lines, each ended by a line feed; the last one's may be
        missing.
    @param normalized: whether it comes from a L{NormalizedFile}, where every
        carriage return that is left is part of the text.
    """
    text = data.decode("utf-8", "replace")
    if not normalized:
        text = text.replace("\r\n", "\n")
    lines = text.split("\n")
    if not lines[-1]:
        del lines[-1]
    return lines


def with_context(
    lines: Sequence[str],
    matches: Sequence[tuple[int, int]],
    before: int,
    after: int,
) -> Iterator[str]:
    r"""
    Give each match the lines around it, one match after another.

    @param lines: matches and context in the dictionary's order: all that is
        wanted here, as far as the dictionary has it.
    @param matches: where in C{lines} each match stands, counted from 0, and
        its line number in the dictionary, counted from 1.
    @param before: lines of context wanted before each match, 0 or more.
    @param after: the same after each match.
    @return: an entry for each match: its own lines, joined by C{"\n"}. Together
        they may be much longer than the lines.
    """
    for index, number in matches:
        yield "\n".join(lines[index - min(before, number - 1) : index + after + 1])


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
        self._held = ""

    def read(self, size: int) -> bytes:
        """
        Read on.

        @param size: about how many bytes to read, 1 or more.
        @return: more text; nothing at the end, and only there.
        """
        while data := self._file.read(size):
            self.bytes_read += len(data)
            if text := self._text(data):
                return text
        return self._text(b"", final=True)

    def _text(self, data: bytes, final: bool = False) -> bytes:
        text = self._held + self._decoder.decode(data, final)
        self._held = "\r" if text.endswith("\r") and not final else ""
        return text.removesuffix("\r").replace("\r\n", "\n").encode()
