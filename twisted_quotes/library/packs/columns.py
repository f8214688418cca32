"""
The records in the columns of a pack, and functions that write them.
"""

from __future__ import annotations

import os
from array import array
from dataclasses import dataclass
from struct import Struct as Record
from typing import BinaryIO

from twisted_quotes.library.dictionary import Dictionary
from twisted_quotes.text.lines import NormalizedFile

SPAN_RECORD = Record("=4Q")
"""The start and the end in the lines of the dictionary, the line, and the length."""

ID_SIZE = 12
PREFIX_SIZE = 8
ID_RECORD = Record(">Q4x")
"""An id, of which the first eight bytes are read as a number."""

_BLOCK_SIZE = 64 * 1024
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}".encode()
_MAX_SORTED = 100_000
"""The approximate maximum number of ids to sort at a time."""


class PackDamaged(Exception):
    """The folder does not contain a complete pack."""


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
        prefixes.extend(prefix for (prefix,) in ID_RECORD.iter_unpack(data))
    part_count = len(prefixes) // _MAX_SORTED + 1
    for part in range(part_count):
        low, high = (2**64 * number // part_count for number in (part, part + 1))
        numbers = [n for n, prefix in enumerate(prefixes) if low <= prefix < high]
        # Numbers of equal ids stay in order.
        numbers.sort(key=prefixes.__getitem__)
        sorted_ids.write(array("Q", map(prefixes.__getitem__, numbers)))
        sorted_numbers.write(array("I", numbers))
