"""
Writing the files of a pack, quote by quote.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import BinaryIO

from msgspec.structs import replace

from twisted_quotes.errors import DictionaryForbidden
from twisted_quotes.library.dictionary import Dictionary
from twisted_quotes.library.packs.columns import (
    SPAN_RECORD,
    PackDamaged,
    ReadFailed,
    copy_lines,
    copy_range,
    write_sorted_ids,
)
from twisted_quotes.library.packs.files import PackFiles, find_checksum
from twisted_quotes.library.packs.pack import (
    COLUMN_NAMES,
    DIRECTORY_NAME,
    Directory,
    Pack,
    PackedDictionary,
    encode_directory,
)
from twisted_quotes.library.packs.parts import PackPart
from twisted_quotes.quotes.attribution import find_attribution
from twisted_quotes.quotes.author import split_attribution
from twisted_quotes.quotes.formats import QuoteFormat, QuoteSpan
from twisted_quotes.quotes.inline_attribution import NO_ATTRIBUTION
from twisted_quotes.quotes.quote import quote_id
from twisted_quotes.quotes.warnings import WarningCollector
from twisted_quotes.text.combining_marks import exchange_marks
from twisted_quotes.text.normalization import normalize_for_search

from .reading import open_when_stable, read_format

_BUFFER_SIZE = 64 * 1024
_MAX_READS = 3
"""How often a dictionary is read if it changes meanwhile."""


class _Changed(Exception):
    """A dictionary was written to while it was read."""


@dataclass
class PackWriter(ExitStack):
    """
    Writes the files of a pack.

    @param check: called before each quote.
    @param segment_size: the size from which on texts continue in another file, in
        bytes. Only those of a pack with one dictionary may do so.
    """

    folder: str
    check: Callable[[], object]
    segment_size: int
    _dictionaries: list[PackedDictionary] = field(default_factory=list)
    _formats: dict[QuoteFormat, int] = field(default_factory=dict)
    _segments: list[int] = field(default_factory=list)
    _quote_count: int = 0

    def __post_init__(self) -> None:
        super().__init__()
        self._columns: dict[str, BinaryIO] = {}
        self._sources: dict[Pack, PackFiles | None] = {}
        try:
            for name in COLUMN_NAMES:
                self._open_column(name)
            self._texts = self._open_column("texts-0")
        except OSError:
            self.close()
            raise

    def _open_column(self, name: str) -> BinaryIO:
        path = os.path.join(self.folder, name)
        column: BinaryIO = open(path, "w+b", _BUFFER_SIZE)  # noqa: SIM115
        self.enter_context(column)
        self._columns[name] = column
        return column

    def copy(self, name: str, pack: Pack, number: int) -> bool:
        """
        Copy a dictionary from another pack.

        @param number: its number there.
        @return: whether that pack could be read, and has all its texts in one file.
        """
        if len(pack.directory.segments) > 1:
            return False
        if pack not in self._sources:
            self._sources[pack] = self._open_source(pack)
        if (source := self._sources[pack]) is None:
            return False
        packed = replace(pack.dictionaries[number], name=name)
        part = PackPart(pack, range(number, number + 1))
        offsets = self._offsets()
        try:
            for column in pack.byte_ends:
                byte_range = part.byte_range(column)
                copy_range(source.open(column), byte_range, self._columns[column])
        except (PackDamaged, ReadFailed):
            self._roll_back(offsets)
            return False
        self._append(packed, pack.directory.formats[packed.format_number])
        return True

    def _open_source(self, pack: Pack) -> PackFiles | None:
        """Open a pack to copy from, unless it is damaged: its copy would be, too."""
        checksums = {name: pack.directory.checksums[name] for name in pack.byte_ends}
        try:
            files = self.enter_context(pack.open())
            files.check(checksums)
        except (PackDamaged, OSError):
            return None
        return files

    def add(self, root: str, name: str) -> bool:
        """
        Index a dictionary, if it is text.

        @return: whether it could be read.
        """
        for _ in range(_MAX_READS):
            offsets = self._offsets()
            try:
                with open_when_stable(root, name) as dictionary:
                    if dictionary.is_text:
                        self._index(name, dictionary)
                return True
            except DictionaryForbidden:
                return False
            except (_Changed, ReadFailed):
                self._roll_back(offsets)
        return False

    def _offsets(self) -> dict[str, int]:
        return {key: column.tell() for key, column in self._columns.items()}

    def _roll_back(self, offsets: Mapping[str, int]) -> None:
        """Remove what was written since the columns had some sizes."""
        for key, column in self._columns.items():
            column.seek(offsets.get(key, 0))
            column.truncate()
        self._texts = self._columns["texts-0"]
        self._segments.clear()

    def _index(self, name: str, dictionary: Dictionary) -> None:
        columns, starts = self._columns, self._offsets()
        lines = copy_lines(dictionary, columns["lines"])
        quote_format = read_format(dictionary, lines)
        lines.offset = texts_size = quote_count = 0
        collector = WarningCollector()
        for span, data in quote_format.split(lines, 0):
            self.check()
            text = quote_format.decode(data)
            collector.add(text)
            texts_size += self._write_quote(span, text)
            quote_count += 1
            if self._texts.tell() >= self.segment_size:
                self._start_segment(quote_count)
        try:
            if not dictionary.is_unchanged():
                raise _Changed()
        except OSError as error:
            raise ReadFailed(str(error)) from error
        warnings = tuple(collector.warnings(lines.invalid_places))
        sizes = [columns[x].tell() - starts[x] for x in ("authors", "names")]
        packed = PackedDictionary(
            *(name, dictionary.state, dictionary.encoding, 0, warnings),
            *(quote_count, texts_size, *sizes, lines.count, lines.size),
        )
        self._append(packed, quote_format)

    def _write_quote(self, span: QuoteSpan, text: str) -> int:
        """Write a quote to the columns, and return the size of its normalized text."""
        columns = self._columns
        attribution = find_attribution(text) or NO_ATTRIBUTION
        author, _ = split_attribution(attribution.name)
        columns["authors"].write(_normalized_line(attribution.name))
        columns["names"].write(author.encode() + b"\n")
        columns["ids"].write(bytes.fromhex(quote_id(text)))
        columns["spans"].write(SPAN_RECORD.pack(*span, len(text) - attribution.length))
        return self._texts.write(_normalized_line(text))

    def _start_segment(self, quote_count: int) -> None:
        """Write the next texts to another file."""
        self._segments.append(quote_count)
        self._texts = self._open_column(f"texts-{len(self._segments)}")

    def _append(self, packed: PackedDictionary, quote_format: QuoteFormat) -> None:
        """Add a dictionary to the directory."""
        number = self._formats.setdefault(quote_format, len(self._formats))
        self._dictionaries.append(replace(packed, format_number=number))
        self._quote_count += packed.quote_count

    def finish(self) -> None:
        """Write the last files."""
        columns = self._columns
        write_sorted_ids(
            columns["ids"], columns["sorted-ids"], columns["sorted-numbers"]
        )
        sizes, checksums = {}, {}
        for name, column in self._columns.items():
            column.flush()
            sizes[name] = column.tell()
            checksums[name] = find_checksum(column.fileno())
            column.close()
        directory = Directory(
            self._dictionaries,
            list(self._formats),
            [*self._segments, self._quote_count],
            sizes,
            checksums,
        )
        with open(os.path.join(self.folder, DIRECTORY_NAME), "xb") as file:
            file.write(encode_directory(directory))


def _normalized_line(text: str) -> bytes:
    return exchange_marks(normalize_for_search(text)).encode() + b"\n"
