"""
A dictionary: one file of quotes, open for reading.
"""

from __future__ import annotations

import os
from codecs import BOM_UTF8
from typing import NamedTuple

from twisted_quotes.quotes.encodings import START_SIZE, Encoding, detect_encoding
from twisted_quotes.quotes.strfile import StrfileHeader

from .text_source import TextSource

STABLE_TIME, _STABLE_NANOSECONDS = 0.02, 20_000_000
"""How long a file must be unchanged until its state is stable, in seconds."""

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


def is_recently_changed(
    now: float, *change_times: int, since: float | None = None
) -> bool:
    """
    Return whether a further change of a file could leave its state the same.

    The kernel's clock for file times advances in steps of some milliseconds.

    @param now: the time, in seconds since 1970.
    @param change_times: when the file, or any of several, changed, in nanoseconds
        since 1970. A time in the future comes from another clock and is not recent.
    @param since: the time when the first of these was read, in seconds since 1970.
    """
    now_ns = now * 1e9
    start = (now if since is None else since) * 1e9 - _STABLE_NANOSECONDS
    # Each request calls this: a loop is faster than any().
    for each in change_times:  # noqa: SIM110
        if start < each <= now_ns:
            return True
    return False


PathState = tuple[tuple[int, int, int], ...]
"""
The folders that lead to a dictionary, then the dictionary: the device, the inode
and the ctime of each, the ctime in nanoseconds since 1970.
"""


class Dictionary(TextSource):
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
    """

    state: FileState
    is_text: bool
    encoding: Encoding

    def __init__(
        self,
        descriptor: int,
        path: str = "",
        strfile_header: StrfileHeader | None = None,
    ) -> None:
        self._file = self.descriptor = descriptor
        self.path = path
        self._strfile_header = strfile_header
        self.refresh_state()

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
        self.descriptor = os.memfd_create("dictionary")
        with open(self.descriptor, "wb", closefd=False) as copy:
            copy.write(text)
        self.size, self.start = len(text), 0

    def close(self) -> None:
        """Close the file. Later calls raise L{OSError}."""
        self._close_copy()
        descriptor, self._file, self.descriptor = self._file, -1, -1
        os.close(descriptor)

    def _close_copy(self) -> None:
        if self.descriptor != self._file:
            os.close(self.descriptor)
            self.descriptor = self._file
