"""
The format of a pack, and its directory: how that is encoded and decoded.

A pack is a folder of columns, in which the quotes of its dictionaries follow one
another. C{texts-0}, C{texts-1}, ... and C{authors} have one line for each quote, so
that the line number that grep prints is the number of a quote. Texts and authors are
normalized, and combining marks are exchanged with letters, as
L{twisted_quotes.text.combining_marks} describes. C{names} has the names of the authors
as they are shown. C{lines} has the lines of the dictionaries, in UTF-8 with line feeds
only. C{spans}, C{ids} and C{sorted-ids} have a record for each quote: its position in
the lines of its dictionary, its line number and its length; its id; the start of its
id, sorted. C{sorted-numbers} has the numbers of the quotes in that order. C{directory}
says where each dictionary ends.
"""

from __future__ import annotations

import os
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Self
from zlib import crc32

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from twisted_quotes.library.dictionary import FileState
from twisted_quotes.quotes.encodings import Encoding
from twisted_quotes.quotes.formats import QuoteFormat

from .columns import ID_SIZE, SPAN_RECORD, PackDamaged
from .files import FileStatus, PackFiles, read_status

FORMAT_VERSION = 9
"""Increase this whenever the content of a pack changes."""

COLUMN_NAMES = (
    *("authors", "names", "lines", "spans", "ids"),
    *("sorted-ids", "sorted-numbers"),
)
DIRECTORY_NAME = "directory"


class PackedDictionary(Struct, frozen=True, gc=False, array_like=True):
    """
    A dictionary of a pack, in one state.

    @ivar format_number: the number of its format in the directory.
    @ivar warnings: what may not be read as expected, each without a full stop.
    @ivar quote_count: the number of its quotes.
    @ivar texts_size: the size of its normalized texts, in bytes.
    @ivar authors_size: the size of its normalized attributions, in bytes.
    @ivar names_size: the size of the names of its authors, in bytes.
    @ivar line_count: the number of its lines.
    @ivar lines_size: the size of its lines, in bytes.
    """

    name: str
    state: FileState
    encoding: Encoding
    format_number: int
    warnings: tuple[str, ...]
    quote_count: int
    texts_size: int
    authors_size: int
    names_size: int
    line_count: int
    lines_size: int


class Directory(Struct, frozen=True):
    """
    What the columns of a pack contain.

    @ivar formats: the formats of the dictionaries.
    @ivar segments: for each file of texts, the number of quotes up to its end.
    @ivar sizes: the sizes of the files, by name, in bytes.
    @ivar checksums: the checksums of their contents.
    """

    dictionaries: list[PackedDictionary]
    formats: list[QuoteFormat]
    segments: list[int]
    sizes: dict[str, int]
    checksums: dict[str, int]


def encode_directory(directory: Directory) -> bytes:
    """Return a directory as the content of its file: a checksum, then JSON."""
    data = msgspec.json.encode(directory)
    return b"%08x\n%b" % (crc32(data), data)


def decode_directory(content: bytes) -> Directory:
    """Parse the content of a directory file, or raise L{PackDamaged}."""
    checksum, _, data = content.partition(b"\n")
    if checksum != b"%08x" % crc32(data):
        raise PackDamaged("its directory is damaged")
    try:
        return msgspec.json.decode(data, type=Directory)
    except msgspec.MsgspecError as error:
        raise PackDamaged(str(error)) from error


@dataclass(frozen=True, eq=False)
class Pack:
    """
    A pack that has been loaded.

    @ivar folder: the folder of its files.
    @ivar statuses: the size and the modification time of each, by name. After it was
        stored, nobody writes to it.
    """

    folder: str
    directory: Directory
    statuses: Mapping[str, FileStatus]

    @classmethod
    def load(cls, folder: str, known: Mapping[str, FileState]) -> Self:
        """
        Load the pack in a folder, without a look at its content; see L{check}.

        @param known: states by name, which are used instead of equal ones of the pack,
            so that each state is in memory once.
        @raise FileNotFoundError: there is none, or it is unfinished.
        @raise PackDamaged: it is not complete.
        @raise OSError: it cannot be read now.
        """
        with open(os.path.join(folder, DIRECTORY_NAME), "rb") as file:
            directory = decode_directory(file.read())
        packed = directory.dictionaries
        for number, each in enumerate(packed):
            state = known.get(each.name)
            if state == each.state:
                packed[number] = replace(each, state=state)
        statuses = {}
        for name, size in directory.sizes.items():
            try:
                statuses[name] = read_status(os.path.join(folder, name))
            except FileNotFoundError as error:
                raise PackDamaged(str(error)) from error
            if statuses[name].size != size:
                raise PackDamaged(f"the size of {name} is wrong")
        return cls(folder, directory, statuses)

    def check(self) -> None:
        """
        Read all files, to check their contents.

        After a power failure, a file may have its size but not all its content.

        @raise PackDamaged: one of them is not what was written.
        @raise OSError: they cannot be read now.
        """
        with self.open() as files:
            files.check(self.directory.checksums)

    @property
    def dictionaries(self) -> Sequence[PackedDictionary]:
        return self.directory.dictionaries

    @property
    def size(self) -> int:
        """The size of its files, in bytes."""
        return sum(self.directory.sizes.values())

    @cached_property
    def quote_ends(self) -> Sequence[int]:
        """For each dictionary, the number of quotes up to its end."""
        return _ends(each.quote_count for each in self.dictionaries)

    @cached_property
    def line_ends(self) -> Sequence[int]:
        """For each dictionary, the number of lines up to its end."""
        return _ends(each.line_count for each in self.dictionaries)

    @cached_property
    def byte_ends(self) -> Mapping[str, Sequence[int]]:
        """For each column, the offset at which each dictionary ends."""
        return {
            "texts-0": _ends(each.texts_size for each in self.dictionaries),
            "authors": _ends(each.authors_size for each in self.dictionaries),
            "names": _ends(each.names_size for each in self.dictionaries),
            "lines": _ends(each.lines_size for each in self.dictionaries),
            "spans": array("Q", (SPAN_RECORD.size * each for each in self.quote_ends)),
            "ids": array("Q", (ID_SIZE * each for each in self.quote_ends)),
        }

    @cached_property
    def texts_size(self) -> int:
        """The size of the texts of its quotes, in bytes."""
        return sum(each.texts_size for each in self.dictionaries)

    @property
    def quote_count(self) -> int:
        return self.quote_ends[-1] if self.dictionaries else 0

    def dictionary_at(self, quote: int) -> int:
        """Return the number of the dictionary with a quote."""
        return bisect_right(self.quote_ends, quote)

    def open(self, *names: str) -> PackFiles:
        """
        Open some files. They stay readable if the pack is removed meanwhile.

        @param names: the names of the files; others are opened when they are needed.
        @raise PackDamaged: a file is missing, or was written to.
        @raise OSError: a file cannot be opened now.
        """
        files = PackFiles(self.folder, self.statuses)
        try:
            for name in names:
                files.open(name)
        except BaseException:
            files.close()
            raise
        return files


def _ends(counts: Iterator[int]) -> Sequence[int]:
    return array("Q", accumulate(counts))
