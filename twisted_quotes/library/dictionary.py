"""
A dictionary: one file of quotes, open for reading.
"""

from __future__ import annotations

import os
from codecs import BOM_UTF8
from typing import NamedTuple

from twisted_quotes.concurrency.closing import Closeable

_BLOCK_SIZE = 64 * 1024


class FileState(NamedTuple):
    """
    What distinguishes one content of a file from another.

    The size and the modification time can be restored, and an inode is reused.
    Nobody can set the time of the last status change (ctime).

    @ivar modified: the modification time, in nanoseconds since 1970.
    @ivar changed: the ctime, in nanoseconds since 1970.
    """

    device: int
    inode: int
    size: int
    modified: int
    changed: int

    @classmethod
    def from_stat(cls, status: os.stat_result) -> FileState:
        """Return the state in the result of L{os.stat}."""
        return cls(
            status.st_dev,
            status.st_ino,
            status.st_size,
            status.st_mtime_ns,
            status.st_ctime_ns,
        )


PathState = tuple[tuple[int, int, int], ...]
"""
The folders that lead to a dictionary, then the dictionary: the device, the inode
and the ctime of each, the ctime in nanoseconds since 1970.
"""


class Dictionary(Closeable):
    """
    A dictionary, open for reading.

    @param descriptor: its file descriptor, owned from here on.
    @ivar path: the path of the file, for this program's own use. Whatever name
        leads there, it is the same, but where the library itself is a link.
    @ivar state: what the file's state was when it was opened, or looked at again.
    """

    def __init__(self, descriptor: int, path: str = "") -> None:
        self._descriptor = descriptor
        self.path = path
        self.refresh_state()
        self.rewind()

    def fileno(self) -> int:
        """The file descriptor, valid until the dictionary is closed."""
        return self._descriptor

    def read(self, size: int) -> bytes:
        """Read on from where it was last read, here or by a child."""
        return os.read(self._descriptor, size)

    def read_at(self, start: int, end: int) -> bytes:
        """Read a piece, wherever it was last read."""
        return os.pread(self._descriptor, end - start, start)

    def read_nowait(self, start: int, end: int) -> bytes | None:
        """
        Read a piece, if nobody has to wait for it.

        @return: L{None} where it is not in memory, or the file system cannot
            tell (preadv2(2), C{RWF_NOWAIT}).
        """
        buffer = bytearray(min(end, self.state.size) - start)
        try:
            size = os.preadv(self._descriptor, [buffer], start, os.RWF_NOWAIT)
        except OSError:
            # Who reads it by waiting for it is told what is wrong, if it still is.
            return None
        return bytes(buffer) if size == len(buffer) else None

    def rewind(self) -> int:
        """
        Have it read from the start of its text, here and by children.

        A byte order mark is not part of the text, so grep never sees it.

        @return: the offset of that start.
        """
        has_byte_order_mark = os.pread(self._descriptor, len(BOM_UTF8), 0) == BOM_UTF8
        return os.lseek(
            self._descriptor, len(BOM_UTF8) * has_byte_order_mark, os.SEEK_SET
        )

    def open_reader(self, start: int | None = None) -> DictionaryReader:
        """
        Read with a position of its own, wherever children read.

        @param start: the offset to begin at; L{None} for the start of the text.
        """
        return DictionaryReader(self, self.rewind() if start is None else start)

    def seek(self, offset: int) -> None:
        """Have it read from an offset, here and by children."""
        os.lseek(self._descriptor, offset, os.SEEK_SET)

    def offset_after_lines(self, start: int, line_count: int) -> int:
        """
        Where so many lines end.

        @param start: the offset of the first of them.
        @param line_count: how many, 0 or more. The last one of all ends with the file.
        @raise EOFError: there are fewer.
        """
        first_offset = start
        while line_count:
            block = self.read_at(start, start + _BLOCK_SIZE)
            ends = block.count(b"\n")
            if ends >= line_count:
                position = -1
                for _ in range(line_count):
                    position = block.index(b"\n", position + 1)
                return start + position + 1
            if not block:
                is_unterminated = (
                    start > first_offset and self.read_at(start - 1, start) != b"\n"
                )
                if is_unterminated and line_count == 1:
                    return start
                raise EOFError("the dictionary has become shorter")
            line_count -= ends
            start += len(block)
        return start

    def is_unchanged(self) -> bool:
        """Whether the file is still in that state; it may have been removed."""
        status = os.fstat(self._descriptor)
        state = FileState.from_stat(status)
        if status.st_nlink < self._link_count:
            # Its removal changed the ctime, and nothing in the file.
            state = state._replace(changed=self.state.changed)
        return state == self.state

    def refresh_state(self) -> None:
        """Take the file's state as it is now."""
        status = os.fstat(self._descriptor)
        self.state, self._link_count = FileState.from_stat(status), status.st_nlink

    def duplicate(self) -> Dictionary:
        """Open the same file once more, with a position of its own."""
        descriptor = os.open(f"/proc/self/fd/{self._descriptor}", os.O_RDONLY)
        return Dictionary(descriptor, self.path)

    def close(self) -> None:
        """Give up the file descriptor; what is read afterwards fails."""
        descriptor, self._descriptor = self._descriptor, -1
        os.close(descriptor)


class DictionaryReader:
    """
    Reads a dictionary with a position of its own.

    @param start: the offset to begin at.
    """

    def __init__(self, dictionary: Dictionary, start: int) -> None:
        self._dictionary = dictionary
        self._offset = start

    def read(self, size: int) -> bytes:
        """Read on."""
        data = self._dictionary.read_at(self._offset, self._offset + size)
        self._offset += len(data)
        return data
