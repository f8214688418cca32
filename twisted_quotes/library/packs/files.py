"""
Reading a pack: its open files, and how they are checked and searched.
"""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from errno import EBADF
from heapq import nsmallest
from itertools import islice
from math import isqrt
from threading import Lock
from typing import NamedTuple
from zlib import crc32

from twisted_quotes.concurrency.closing import Closeable
from twisted_quotes.quotes.formats import QuoteSpan

from .columns import ID_RECORD, ID_SIZE, PREFIX_SIZE, SPAN_RECORD, PackDamaged

_BLOCK_SIZE = 64 * 1024

_MAX_IDS = 512
"""The maximum number of sorted ids to read at a time."""


class FileStatus(NamedTuple):
    """The size of a file in bytes, and its modification time in nanoseconds."""

    size: int
    modified: int


def read_status(file: str | int) -> FileStatus:
    """Return the status of a file: a path or a descriptor."""
    status = os.stat(file)
    return FileStatus(status.st_size, status.st_mtime_ns)


def find_checksum(descriptor: int) -> int:
    """Return the checksum of the content of a file."""
    checksum = offset = 0
    while data := os.pread(descriptor, _BLOCK_SIZE, offset):
        checksum = crc32(data, checksum)
        offset += len(data)
    return checksum


@dataclass
class PackFiles(Closeable):
    """
    The open files of a pack.

    grep shares their file offsets and leaves them after the last match.

    @param folder: the folder of the pack.
    @param statuses: the size and the modification time of all its files, by name: a
        file with others is not the one that was checked.
    """

    folder: str
    statuses: Mapping[str, FileStatus]
    _descriptors: dict[str, int] = field(default_factory=dict)
    _is_closed: bool = False
    # A thread goes on after its search was cancelled.
    _lock: Lock = field(default_factory=Lock)

    def open(self, name: str) -> int:
        """
        Open a file, if it is not open.

        @return: its file descriptor.
        @raise PackDamaged: it is missing, or was written to.
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
                if read_status(descriptor) != self.statuses[name]:
                    os.close(descriptor)
                    raise PackDamaged(f"{name} in {self.folder} was written to")
                self._descriptors[name] = descriptor
            return self._descriptors[name]

    def are_unchanged(self) -> bool:
        """Return whether none of the files that are open was written to."""
        with self._lock:
            return all(
                read_status(descriptor) == self.statuses[name]
                for name, descriptor in self._descriptors.items()
            )

    def check(self, checksums: Mapping[str, int]) -> None:
        """
        Check the content of some files.

        @raise PackDamaged: it is not what was written.
        @raise OSError: a file cannot be read now.
        """
        for name, checksum in checksums.items():
            if find_checksum(self.open(name)) != checksum:
                raise PackDamaged(f"the content of {name} is wrong")

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
        [prefix] = ID_RECORD.unpack(quote_id)
        found = self._find_prefix(prefix)
        if not found:
            return
        size = len(found) * 4
        numbers = os.pread(self.open("sorted-numbers"), size, found.start * 4)
        for number in array("I", numbers):
            if self.read_ids(number, number + 1) == quote_id:
                yield number

    def find_following(
        self, prefix: int, quotes: range, limit: int
    ) -> list[tuple[int, int]]:
        """
        Find the first quotes of a range in the order of their ids, after a prefix.

        @return: for each how far its id is behind the prefix, in 64 bits, and its
            number.
        """
        # In a small range, reading all ids takes fewer steps than a walk to each.
        nearest = islice(self._iterate_from(prefix), len(quotes))
        found = list(islice((each for each in nearest if each[1] in quotes), limit))
        if len(found) < min(limit, len(quotes)):
            found = nsmallest(limit, self._read_distances(prefix, quotes))
        return found

    def _read_distances(self, prefix: int, quotes: range) -> Iterator[tuple[int, int]]:
        """Yield how far ids are behind a prefix, and the numbers of their quotes."""
        while quotes:
            block, quotes = quotes[:_MAX_IDS], quotes[_MAX_IDS:]
            prefixes = ID_RECORD.iter_unpack(self.read_ids(block.start, block.stop))
            for number, (each,) in zip(block, prefixes, strict=True):
                yield (each - prefix) % 2**64, number

    def _iterate_from(self, prefix: int) -> Iterator[tuple[int, int]]:
        """Yield the same for all quotes of the pack, in the order of their ids."""
        ids, numbers = self.open("sorted-ids"), self.open("sorted-numbers")
        count = self.statuses["sorted-ids"].size // PREFIX_SIZE
        start = self._find_prefix(prefix).start
        for index_range in (range(start, count), range(start)):
            while index_range:
                first, size = index_range.start, len(index_range[:_MAX_IDS])
                index_range = index_range[size:]
                prefixes = array("Q", os.pread(ids, size * 8, first * 8))
                found = array("I", os.pread(numbers, size * 4, first * 4))
                for each, number in zip(prefixes, found, strict=True):
                    yield (each - prefix) % 2**64, number

    def _find_prefix(self, prefix: int) -> range:
        """
        Return the indexes of a prefix among the sorted ids.

        Ids are hashes, so an id is near the index that is proportional to it.
        """
        descriptor = self.open("sorted-ids")
        count = self.statuses["sorted-ids"].size // PREFIX_SIZE
        expected, margin = prefix * count >> 64, 2 * isqrt(count) + 1
        while True:
            start, stop = max(0, expected - margin), min(count, expected + margin)
            size = (stop - start) * PREFIX_SIZE
            nearby = array("Q", os.pread(descriptor, size, start * PREFIX_SIZE))
            first, last = bisect_left(nearby, prefix), bisect_right(nearby, prefix)
            if (first > 0 or start == 0) and (last < len(nearby) or stop == count):
                return range(start + first, start + last)
            margin *= 16
