"""
The files of an index: how they are written, checked and opened.

An index has the spans of the quotes of a dictionary, and the text that grep searches.
It is a folder of columns. C{texts}, C{authors} and C{ids} have one line for
each quote, so that the line number that grep prints is the number of a quote.
C{spans} has one record for each quote, with its position in the file and its length
without its attribution. Texts and authors are normalized, and the marks in them are
exchanged with letters.
"""

from __future__ import annotations

import json
import os
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from struct import Struct

from twisted_quotes.library.dictionary import Dictionary
from twisted_quotes.quotes.attribution import find_attribution
from twisted_quotes.quotes.formats import QuoteFormat, QuoteSpan, detect_format
from twisted_quotes.quotes.inline_attribution import NO_ATTRIBUTION
from twisted_quotes.quotes.quote import quote_id
from twisted_quotes.quotes.warnings import WarningCollector
from twisted_quotes.text.combining_marks import exchange_marks
from twisted_quotes.text.normalization import normalize_for_search

FORMAT_VERSION = 6
"""Increase this whenever the content of an index changes."""

_SPAN_STRUCT = Struct("=4Q")
_COLUMN_NAMES = ("texts", "authors", "ids", "spans")
_SUMMARY_NAME = "summary.json"
_BUFFER_SIZE = 1024 * 1024


class IndexDamaged(Exception):
    """The folder does not contain a complete index."""


def write_index(
    dictionary: Dictionary, folder: str, should_stop: Callable[[], bool] = lambda: False
) -> bool:
    """
    Write the index of a dictionary, in one pass and with little memory.

    @param folder: a folder that is empty, or contains an incomplete index.
    @param should_stop: called before each quote; writing stops when it returns
        L{True}.
    @return: whether the index is complete.
    @raise OSError: the dictionary cannot be read, or the folder written.
    """
    quote_format = _read_format(dictionary)
    start = dictionary.rewind()
    count, collector = 0, WarningCollector()
    with ExitStack() as stack:
        texts, authors, ids, spans = (
            stack.enter_context(open(os.path.join(folder, name), "wb", _BUFFER_SIZE))
            for name in _COLUMN_NAMES
        )
        for span, data in quote_format.split(dictionary, start):
            if should_stop():
                return False
            text = quote_format.decode(data)
            texts.write(exchange_marks(normalize_for_search(text)).encode() + b"\n")
            attribution = find_attribution(text) or NO_ATTRIBUTION
            author = normalize_for_search(attribution.name)
            authors.write(exchange_marks(author).encode() + b"\n")
            ids.write(quote_id(text).encode() + b"\n")
            length = len(text) - attribution.length
            spans.write(_SPAN_STRUCT.pack(*span, length))
            count += 1
            collector.add(data, text)
    _write_summary(folder, count, quote_format, collector.warnings)
    return True


def _write_summary(
    folder: str, count: int, quote_format: QuoteFormat, warnings: Sequence[str]
) -> None:
    summary = {
        "count": count,
        "format": asdict(quote_format),
        "warnings": warnings,
        "sizes": _column_sizes(folder),
    }
    with open(os.path.join(folder, _SUMMARY_NAME), "x", encoding="utf-8") as file:
        json.dump(summary, file)


def _read_format(dictionary: Dictionary) -> QuoteFormat:
    header = dictionary.state.strfile_header
    if header is not None:
        return QuoteFormat("percent", header.delimiter, header.rot13)
    dictionary.rewind()
    return detect_format(dictionary)


def _column_sizes(folder: str) -> list[int]:
    return [os.path.getsize(os.path.join(folder, name)) for name in _COLUMN_NAMES]


@dataclass(frozen=True)
class Index:
    """
    The index of a dictionary in one state.

    @ivar count: the number of quotes.
    @ivar quote_format: the format of the dictionary.
    @ivar warnings: what may not be read as expected, each without a full stop.
    @ivar sizes: the size of each column in bytes.
    """

    folder: str
    count: int
    quote_format: QuoteFormat
    warnings: tuple[str, ...]
    sizes: tuple[int, ...]

    @property
    def mean_size(self) -> int:
        """The mean size of a normalized text in bytes, 1 or more."""
        return self.sizes[0] // max(self.count, 1) + 1

    @contextmanager
    def open(self) -> Iterator[IndexFiles]:
        """
        Open all columns. They stay readable if the index is removed meanwhile.

        @raise FileNotFoundError: the index was removed.
        @raise IndexDamaged: a column has the wrong size.
        """
        with ExitStack() as stack:
            descriptors = []
            for name, size in zip(_COLUMN_NAMES, self.sizes, strict=True):
                path = os.path.join(self.folder, name)
                descriptors.append(os.open(path, os.O_RDONLY))
                stack.callback(os.close, descriptors[-1])
                if os.fstat(descriptors[-1]).st_size != size:
                    raise IndexDamaged(f"the size of {path} is wrong")
            yield IndexFiles(*descriptors)


@dataclass(frozen=True)
class IndexFiles:
    """
    The file descriptors of the columns of an index.

    grep shares their file offsets and leaves them after the last match.
    """

    texts: int
    authors: int
    ids: int
    spans: int

    def read_ids(self) -> bytes:
        """Return the ids of all quotes, each with a line feed."""
        return os.pread(self.ids, os.fstat(self.ids).st_size, 0)

    def read_spans(self, start: int, stop: int) -> list[QuoteSpan]:
        """
        Return the spans of consecutive quotes.

        @param start: the number of the first quote, counted from 0.
        @param stop: the number after the last quote.
        """
        size = _SPAN_STRUCT.size
        records = os.pread(self.spans, (stop - start) * size, start * size)
        unpacked = _SPAN_STRUCT.iter_unpack(records)
        return [QuoteSpan(*position) for *position, _ in unpacked]

    def iterate_lengths(self) -> Iterator[int]:
        """Yield the length of each quote without its attribution, in code points."""
        offset = 0
        while records := os.pread(self.spans, 1000 * _SPAN_STRUCT.size, offset):
            yield from array("Q", records)[3::4]
            offset += len(records)


def load_index(folder: str) -> Index:
    """
    Return the index in a folder.

    @raise FileNotFoundError: the folder does not exist, or its index is unfinished.
    @raise IndexDamaged: the index is not complete.
    """
    try:
        with open(os.path.join(folder, _SUMMARY_NAME), encoding="utf-8") as file:
            summary = json.load(file)
        count, sizes = summary["count"], summary["sizes"]
        quote_format = QuoteFormat(**summary["format"])
        warnings = tuple(summary["warnings"])
        if sizes != _column_sizes(folder) or sizes[-1] != count * _SPAN_STRUCT.size:
            raise IndexDamaged(f"the sizes in {folder} are wrong")
    except (FileNotFoundError, NotADirectoryError):
        raise
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise IndexDamaged(f"{folder}: {error}") from error
    return Index(folder, count, quote_format, warnings, tuple(sizes))


def consecutive_ranges(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yield the start and the stop of each run of consecutive numbers."""
    start = stop = -1
    for number in numbers:
        if number != stop:
            if start >= 0:
                yield start, stop
            start = number
        stop = number + 1
    if start >= 0:
        yield start, stop
