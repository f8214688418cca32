"""
The index of a dictionary: where its quotes stand, and what grep finds them by.

An index is a folder of columns. C{texts}, C{authors} and C{ids} have a line for
each quote, so that the number of a line that grep finds is the number of a
quote; C{spans} has a record for each. Texts and authors are folded.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from struct import Struct

from twisted_quotes.text.normalization import normalize_for_search
from twisted_quotes.text.quotes import (
    QuoteSpan,
    decode_quote,
    has_percent_lines,
    parse_author,
    quote_id,
    split_quotes,
)

from .dictionary import Dictionary

FORMAT_VERSION = 1
"""Changes with every change of what an index holds."""

_SPAN_STRUCT = Struct("<QQQ")
_FILE_NAMES = ("texts", "authors", "ids", "spans")
_SUMMARY_FILE_NAME = "summary.json"
_BUFFER_SIZE = 1024 * 1024


class IndexDamaged(Exception):
    """The folder does not hold a whole index."""


def write_index(
    dictionary: Dictionary, folder: str, check: Callable[[], object] = lambda: None
) -> None:
    """
    Write the index of a dictionary, in one pass and with little memory.

    @param folder: a folder that is empty, or has what is left of an attempt.
    @param check: is called before each quote; what it raises ends the writing.
    @raise OSError: the dictionary cannot be read, or the folder written.
    """
    dictionary.rewind()
    percent_separated = has_percent_lines(dictionary)
    start = dictionary.rewind()
    count = 0
    with ExitStack() as stack:
        texts, authors, ids, spans = (
            stack.enter_context(open(os.path.join(folder, name), "wb", _BUFFER_SIZE))
            for name in _FILE_NAMES
        )
        for span, data in split_quotes(dictionary, start, percent_separated):
            check()
            text = decode_quote(data)
            texts.write(normalize_for_search(text).encode() + b"\n")
            authors.write(
                normalize_for_search(parse_author(text) or "").encode() + b"\n"
            )
            ids.write(quote_id(text).encode() + b"\n")
            spans.write(_SPAN_STRUCT.pack(*span))
            count += 1
    with open(os.path.join(folder, _SUMMARY_FILE_NAME), "x", encoding="utf-8") as file:
        json.dump({"count": count, "sizes": _file_sizes(folder)}, file)


def _file_sizes(folder: str) -> list[int]:
    return [os.path.getsize(os.path.join(folder, name)) for name in _FILE_NAMES]


@dataclass(frozen=True)
class Index:
    """
    The index of a dictionary in one state.

    @ivar count: how many quotes there are.
    @ivar sizes: how many bytes each column has.
    """

    folder: str
    count: int
    sizes: tuple[int, ...]

    @property
    def mean_size(self) -> int:
        """How many bytes the folded text of a quote has, on average; 1 at least."""
        return self.sizes[0] // max(self.count, 1) + 1

    @contextmanager
    def open(self) -> Iterator[IndexFiles]:
        """
        Open all columns. Opened, they can be read even if the index is removed.

        @raise FileNotFoundError: it was removed.
        @raise IndexDamaged: it is no longer whole.
        """
        with ExitStack() as stack:
            descriptors = []
            for name, size in zip(_FILE_NAMES, self.sizes, strict=True):
                path = os.path.join(self.folder, name)
                descriptors.append(os.open(path, os.O_RDONLY))
                stack.callback(os.close, descriptors[-1])
                if os.fstat(descriptors[-1]).st_size != size:
                    raise IndexDamaged(f"the size of {path} is wrong")
            yield IndexFiles(*descriptors)


@dataclass(frozen=True)
class IndexFiles:
    """
    The columns of an index, as file descriptors.

    Each has a position, which grep shares and leaves after what it found last.
    """

    texts: int
    authors: int
    ids: int
    spans: int

    def read_spans(self, start: int, stop: int) -> list[QuoteSpan]:
        """
        Where quotes stand.

        @param start: the number of the first one, counted from 0.
        @param stop: the number after the last one.
        """
        size = _SPAN_STRUCT.size
        records = os.pread(self.spans, (stop - start) * size, start * size)
        return [QuoteSpan(*each) for each in _SPAN_STRUCT.iter_unpack(records)]


def load_index(folder: str) -> Index:
    """
    Look at an index that was written.

    @raise FileNotFoundError: there is none.
    @raise IndexDamaged: it is not whole.
    """
    try:
        with open(os.path.join(folder, _SUMMARY_FILE_NAME), encoding="utf-8") as file:
            summary = json.load(file)
        count, sizes = summary["count"], summary["sizes"]
        if sizes != _file_sizes(folder) or sizes[-1] != count * _SPAN_STRUCT.size:
            raise IndexDamaged(f"the sizes in {folder} are wrong")
    except (FileNotFoundError, NotADirectoryError):
        raise
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise IndexDamaged(f"{folder}: {error}") from error
    return Index(folder, count, tuple(sizes))


def consecutive_ranges(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Neighbouring numbers together: the first of each run, and after its last."""
    first = last = -1
    for number in numbers:
        if number != last:
            if first >= 0:
                yield first, last
            first = number
        last = number + 1
    if first >= 0:
        yield first, last
