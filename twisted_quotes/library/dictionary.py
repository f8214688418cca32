"""
A dictionary: one file of quotes, open for reading.
"""

from __future__ import annotations

import os
from codecs import BOM_UTF8
from dataclasses import dataclass
from typing import NamedTuple

from twisted_quotes.concurrency.closing import Closeable
from twisted_quotes.errors import DictionaryChanging
from twisted_quotes.quotes.encodings import START_SIZE, Encoding, detect_encoding
from twisted_quotes.quotes.strfile import StrfileHeader

_BLOCK_SIZE = 64 * 1024

MAX_WIDE_SIZE = 16 * 1024 * 1024
"""The maximum size of a text in UTF-16 or UTF-32, in bytes: it is read at once."""


class FileState(NamedTuple):
    """
    What distinguishes one content of a file from another.

    The size and the modification time can be restored, and an inode can be reused.
    But nobody can set the time of the last status change (ctime).

    @ivar modified: the modification time, in nanoseconds since 1970.
    @ivar changed: the ctime, in nanoseconds since 1970.
    @ivar strfile_header: what the C{.dat} file beside it says.
    """

    device: int
    inode: int
    size: int
    modified: int
    changed: int
    strfile_header: StrfileHeader | None = None

    @classmethod
    def from_stat(
        cls, status: os.stat_result, strfile_header: StrfileHeader | None = None
    ) -> FileState:
        """Return the state in the result of L{os.stat}."""
        return cls(
            status.st_dev,
            status.st_ino,
            status.st_size,
            status.st_mtime_ns,
            status.st_ctime_ns,
            strfile_header,
        )


PathState = tuple[tuple[int, int, int], ...]
"""
The folders that lead to a dictionary, then the dictionary: the device, the inode
and the ctime of each, the ctime in nanoseconds since 1970.
"""


class Dictionary(Closeable):
    """
    A dictionary, open for reading.

    Its file offset is shared with the child processes that read it. They read a copy in
    UTF-8 if the file is in UTF-16 or UTF-32.

    @param descriptor: the file descriptor of the file, which it closes.
    @param strfile_header: what the C{.dat} file beside it says.
    @ivar path: the path of the file, for internal use only. It contains no symbolic
        links, except for the path of the library.
    @ivar state: the state of the file when it was opened or last refreshed.
    @ivar is_text: whether it is text.
    @ivar encoding: the encoding of the file.
    @ivar size: the size of its text in UTF-8, in bytes.
    @ivar start: the offset of its text, after any byte order mark.
    """

    is_text: bool
    encoding: Encoding
    size: int
    start: int

    def __init__(
        self,
        descriptor: int,
        path: str = "",
        strfile_header: StrfileHeader | None = None,
    ) -> None:
        self._file = self._descriptor = descriptor
        self.path = path
        self._strfile_header = strfile_header
        self.refresh_state()

    def fileno(self) -> int:
        """Return the file descriptor of the text, which is valid until L{close}."""
        return self._descriptor

    def read(self, size: int) -> bytes:
        """Read from the current file offset."""
        return os.read(self._descriptor, size)

    def read_at(self, start: int, end: int) -> bytes:
        """Read from one offset to another; keep the file offset."""
        return os.pread(self._descriptor, end - start, start)

    def read_nowait(self, start: int, end: int) -> bytes | None:
        """
        Read from one offset to another, only if that does not block.

        @return: L{None} if the data is not in memory, or if the file system does not
            support the check (C{RWF_NOWAIT} in preadv2(2)).
        """
        buffer = bytearray(max(0, min(end, self.size) - start))
        try:
            size = os.preadv(self._descriptor, [buffer], start, os.RWF_NOWAIT)
        except OSError:
            # A blocking read raises the same error if it persists.
            return None
        return bytes(buffer) if size == len(buffer) else None

    def rewind(self) -> int:
        """
        Set the file offset to the start of the text.

        @return: that offset.
        """
        return os.lseek(self._descriptor, self.start, os.SEEK_SET)

    def seek(self, offset: int) -> None:
        """Set the file offset."""
        os.lseek(self._descriptor, offset, os.SEEK_SET)

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

    def is_unchanged(self) -> bool:
        """Return whether the file still has that state; it may have been removed."""
        status = os.fstat(self._file)
        state = FileState.from_stat(status, self._strfile_header)
        if status.st_nlink < self._link_count:
            # To remove a file changes its ctime, but not its content.
            state = state._replace(changed=self.state.changed)
        return state == self.state

    def refresh_state(self) -> None:
        """Set C{state} to the current state of the file, and rewind."""
        status = os.fstat(self._file)
        self.state = FileState.from_stat(status, self._strfile_header)
        self._link_count = status.st_nlink
        start = os.pread(self._file, START_SIZE, 0)
        encoding = detect_encoding(start)
        is_too_large = self.state.size > MAX_WIDE_SIZE and encoding != "utf-8"
        self.is_text = encoding is not None and not is_too_large
        self.encoding = encoding if encoding and self.is_text else "utf-8"
        self._close_copy()
        if self.encoding == "utf-8":
            self.size = self.state.size
            self.start = len(BOM_UTF8) if start.startswith(BOM_UTF8) else 0
        else:
            self._copy_text()
        self.rewind()

    def _copy_text(self) -> None:
        """Copy the text to a file in memory, in UTF-8."""
        data = os.pread(self._file, self.state.size, 0)
        text = data.decode(self.encoding, "replace").encode("utf-8", "replace")
        self._descriptor = os.memfd_create("dictionary")
        with open(self._descriptor, "wb", closefd=False) as copy:
            copy.write(text)
        self.size, self.start = len(text), 0

    def duplicate(self) -> Dictionary:
        """Open the same file again, with a file offset of its own."""
        descriptor = os.open(f"/proc/self/fd/{self._file}", os.O_RDONLY)
        return Dictionary(descriptor, self.path, self._strfile_header)

    def close(self) -> None:
        """Close the file. Later calls raise L{OSError}."""
        self._close_copy()
        descriptor, self._file, self._descriptor = self._file, -1, -1
        os.close(descriptor)

    def _close_copy(self) -> None:
        if self._descriptor != self._file:
            os.close(self._descriptor)
            self._descriptor = self._file


@dataclass
class DictionaryReader:
    """Reads a dictionary from an offset of its own."""

    dictionary: Dictionary
    offset: int

    def read(self, size: int) -> bytes:
        """Read up to C{size} bytes; none at the end."""
        data = self.dictionary.read_at(self.offset, self.offset + size)
        self.offset += len(data)
        return data
