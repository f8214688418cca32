"""
The columns of a pack: how their records are read, and how they are written.
"""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from errno import EBADF
from math import isqrt
from struct import Struct as Record
from threading import Lock
from typing import BinaryIO

from twisted_quotes.concurrency.closing import Closeable
from twisted_quotes.library.dictionary import Dictionary
from twisted_quotes.quotes.formats import QuoteSpan
from twisted_quotes.text.lines import NormalizedFile

SPAN_RECORD = Record("=4Q")
"""The start and the end in the lines of the dictionary, the line, and the length."""

ID_SIZE = 12
_PREFIX_SIZE = 8
_ID_RECORD = Record(">Q4x")

_BLOCK_SIZE = 1024 * 1024
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}".encode()
_MAX_SORTED = 100_000
"""The approximate maximum number of ids to sort at a time."""


class PackDamaged(Exception):
    """The folder does not contain a complete pack."""


@dataclass
class PackFiles(Closeable):
    """
    The open files of a pack.

    grep shares their file offsets and leaves them after the last match.

    @param folder: the folder of the pack.
    @param sizes: the sizes of all its files, by name, in bytes.
    """

    folder: str
    sizes: Mapping[str, int]
    _descriptors: dict[str, int] = field(default_factory=dict)
    _is_closed: bool = False
    # A thread goes on after its search was cancelled.
    _lock: Lock = field(default_factory=Lock)

    def open(self, name: str) -> int:
        """
        Open a file, if it is not open.

        @return: its file descriptor.
        @raise PackDamaged: it is missing or has the wrong size.
        @raise OSError: it cannot be opened now.
        """
        with self._lock:
            if self._is_closed:
                raise OSError(EBADF, name)
            if name not in self._descriptors:
                try:
                    descriptor = os.open(os.path.join(self.folder, name), os.O_RDONLY)
                except (FileNotFoundError, NotADirectoryError) as error:
                    raise PackDamaged(str(error)) from error
                self._descriptors[name] = descriptor
                if os.fstat(descriptor).st_size != self.sizes[name]:
                    raise PackDamaged(f"the size of {name} in {self.folder} is wrong")
            return self._descriptors[name]

    def close(self) -> None:
        """Close the files."""
        with self._lock:
            self._is_closed = True
            while self._descriptors:
                os.close(self._descriptors.popitem()[1])

    def read_spans(self, start: int, stop: int) -> list[QuoteSpan]:
        """
        Return the positions of consecutive quotes in the lines of their dictionaries.

        @param start: the number of the first quote, counted from 0.
        @param stop: the number after the last quote.
        """
        size = SPAN_RECORD.size
        data = os.pread(self.open("spans"), (stop - start) * size, start * size)
        return [QuoteSpan(*span) for *span, _ in SPAN_RECORD.iter_unpack(data)]

    def read_lengths(self, start: int, stop: int) -> Iterator[int]:
        """Yield the lengths of quotes without attributions, in code points."""
        size = SPAN_RECORD.size
        for first in range(start, stop, 1000):
            count = min(1000, stop - first)
            data = os.pread(self.open("spans"), count * size, first * size)
            yield from array("Q", data)[3::4]

    def read_ids(self, start: int, stop: int) -> bytes:
        """Return the ids of consecutive quotes, L{ID_SIZE} bytes for each."""
        size = (stop - start) * ID_SIZE
        return os.pread(self.open("ids"), size, start * ID_SIZE)

    def find_id(self, quote_id: bytes) -> Iterator[int]:
        """Yield the numbers of the quotes with an id, in order."""
        [prefix] = _ID_RECORD.unpack(quote_id)
        found = self._find_prefix(prefix)
        if not found:
            return
        size = len(found) * 4
        numbers = os.pread(self.open("sorted-numbers"), size, found.start * 4)
        for number in array("I", numbers):
            if self.read_ids(number, number + 1) == quote_id:
                yield number

    def _find_prefix(self, prefix: int) -> range:
        """
        Return the indexes of a prefix among the sorted ids.

        Ids are hashes, so an id is near the index that is proportional to it.
        """
        descriptor = self.open("sorted-ids")
        count = self.sizes["sorted-ids"] // _PREFIX_SIZE
        expected, margin = prefix * count >> 64, 2 * isqrt(count) + 1
        while True:
            start, stop = max(0, expected - margin), min(count, expected + margin)
            size = (stop - start) * _PREFIX_SIZE
            nearby = array("Q", os.pread(descriptor, size, start * _PREFIX_SIZE))
            first, last = bisect_left(nearby, prefix), bisect_right(nearby, prefix)
            if (first > 0 or start == 0) and (last < len(nearby) or stop == count):
                return range(start + first, start + last)
            margin *= 16


class ReadFailed(Exception):
    """A dictionary, or a part of a pack, cannot be read to its end."""


@dataclass
class CopiedLines:
    """
    The lines of a dictionary in a column, which can be read again.

    @ivar start: the offset at which they start in the column.
    @ivar size: their size in bytes.
    @ivar count: their number.
    @ivar invalid_places: how many replacement characters they have for bytes that are
        not UTF-8.
    """

    column: BinaryIO
    start: int
    size: int = 0
    count: int = 0
    invalid_places: int = 0
    offset: int = 0

    def read(self, size: int) -> bytes:
        """Read the next bytes of the lines; none at the end."""
        size = min(size, self.size - self.offset)
        data = os.pread(self.column.fileno(), size, self.start + self.offset)
        self.offset += len(data)
        return data


@dataclass
class _Source:
    """Reads a dictionary, and counts the replacement characters in it."""

    dictionary: Dictionary
    replacement_count: int = 0
    last_bytes: bytes = b""

    def read(self, size: int) -> bytes:
        try:
            data = self.dictionary.read(size)
        except OSError as error:
            raise ReadFailed(str(error)) from error
        seen = self.last_bytes + data
        self.replacement_count += seen.count(_REPLACEMENT)
        self.last_bytes = seen[-2:]
        return data


def copy_lines(dictionary: Dictionary, column: BinaryIO) -> CopiedLines:
    """
    Write the lines of a dictionary to a column, in UTF-8 with line feeds only.

    @raise ReadFailed: the dictionary cannot be read.
    @raise OSError: the column cannot be written.
    """
    dictionary.rewind()
    source = _Source(dictionary)
    normalized = NormalizedFile(source)
    copied = CopiedLines(column, column.tell())
    replacement_count, data = 0, b"\n"
    while block := normalized.read(_BLOCK_SIZE):
        data = block
        column.write(data)
        copied.size += len(data)
        copied.count += data.count(b"\n")
        replacement_count += data.count(_REPLACEMENT)
    if not data.endswith(b"\n"):
        column.write(b"\n")
        copied.size += 1
        copied.count += 1
    column.flush()
    copied.invalid_places = replacement_count - source.replacement_count
    return copied


def copy_range(source: int, byte_range: range, column: BinaryIO) -> None:
    """
    Append bytes of a file to a column.

    @raise ReadFailed: they cannot be read.
    @raise OSError: the column cannot be written.
    """
    for start in range(byte_range.start, byte_range.stop, _BLOCK_SIZE):
        size = min(_BLOCK_SIZE, byte_range.stop - start)
        try:
            data = os.pread(source, size, start)
        except OSError as error:
            raise ReadFailed(str(error)) from error
        if len(data) < size:
            raise ReadFailed("a file is too short")
        column.write(data)


def write_sorted_ids(
    ids: BinaryIO, sorted_ids: BinaryIO, sorted_numbers: BinaryIO
) -> None:
    """
    Write the first eight bytes of all ids, sorted, and the numbers of their quotes.

    @param ids: the column with the ids of all quotes.
    """
    ids.flush()
    size = os.fstat(ids.fileno()).st_size
    prefixes = array("Q")
    # A block has whole ids.
    block_size = _BLOCK_SIZE // ID_SIZE * ID_SIZE
    for start in range(0, size, block_size):
        data = os.pread(ids.fileno(), block_size, start)
        prefixes.extend(prefix for (prefix,) in _ID_RECORD.iter_unpack(data))
    part_count = len(prefixes) // _MAX_SORTED + 1
    for part in range(part_count):
        low, high = (2**64 * number // part_count for number in (part, part + 1))
        numbers = [n for n, prefix in enumerate(prefixes) if low <= prefix < high]
        # Numbers of equal ids stay in order.
        numbers.sort(key=prefixes.__getitem__)
        sorted_ids.write(array("Q", map(prefixes.__getitem__, numbers)))
        sorted_numbers.write(array("I", numbers))
