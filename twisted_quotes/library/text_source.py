"""
Texts that are open for reading.
"""

from __future__ import annotations

import os
import sys
from abc import abstractmethod
from dataclasses import dataclass

from twisted_quotes.concurrency.closing import Closeable
from twisted_quotes.errors import DictionaryChanging

_BLOCK_SIZE = 64 * 1024


class TextSource(Closeable):
    """
    A text that is open for reading.

    @cvar is_normalized: whether it is in UTF-8, with line feeds as the only line ends.
    @ivar descriptor: its file descriptor, which is valid until L{close}.
    @ivar state: differs if the text does.
    @ivar size: its size in UTF-8, in bytes.
    @ivar start: the offset at which it starts, after any byte order mark.
    """

    is_normalized = False
    descriptor: int
    state: object = None
    size: int
    start: int

    @abstractmethod
    def is_unchanged(self) -> bool:
        """Return whether it is the same as when it was opened."""

    def neighbors(self, line: int) -> range:
        """
        Return the lines of the dictionary that contains a line.

        @param line: the number of a line, counted from 1.
        """
        return range(1, sys.maxsize)

    def fileno(self) -> int:
        """Return the file descriptor of the text, which is valid until L{close}."""
        return self.descriptor

    def read(self, size: int) -> bytes:
        """Read from the current file offset."""
        return os.read(self.descriptor, size)

    def read_at(self, start: int, end: int) -> bytes:
        """Read from one offset to another; keep the file offset."""
        return os.pread(self.descriptor, end - start, start)

    def read_nowait(self, start: int, end: int) -> bytes | None:
        """
        Read from one offset to another, only if that does not block.

        @return: L{None} if the data is not in memory, or if the file system does not
            support the check (C{RWF_NOWAIT} in preadv2(2)).
        """
        buffer = bytearray(max(0, min(end, self.size) - start))
        try:
            size = os.preadv(self.descriptor, [buffer], start, os.RWF_NOWAIT)
        except OSError:
            # A blocking read raises the same error if it persists.
            return None
        return bytes(buffer) if size == len(buffer) else None

    def rewind(self) -> int:
        """
        Set the file offset to the start of the text.

        @return: that offset.
        """
        return os.lseek(self.descriptor, self.start, os.SEEK_SET)

    def seek(self, offset: int) -> None:
        """Set the file offset."""
        os.lseek(self.descriptor, offset, os.SEEK_SET)

    def offset_after_lines(self, start: int, line_count: int) -> int:
        """
        Return the offset at which a number of lines ends.

        @param start: the offset of the first line.
        @param line_count: the number of lines, 0 or more. The last line of the file
            needs no line feed.
        @raise DictionaryChanging: there are fewer lines.
        """
        first_offset = start
        while line_count:
            block = self.read_at(start, start + _BLOCK_SIZE)
            end, ends = 0, block.count(b"\n")
            if ends >= line_count:
                for _ in range(line_count):
                    end = block.index(b"\n", end) + 1
                return start + end
            if not block:
                is_unterminated = (
                    start > first_offset and self.read_at(start - 1, start) != b"\n"
                )
                if is_unterminated and line_count == 1:
                    return start
                raise DictionaryChanging()
            line_count -= ends
            start += len(block)
        return start


@dataclass
class TextReader:
    """Reads a text from an offset of its own."""

    source: TextSource
    offset: int

    def read(self, size: int) -> bytes:
        """Read up to C{size} bytes; none at the end."""
        data = self.source.read_at(self.offset, self.offset + size)
        self.offset += len(data)
        return data
