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

from twisted_quotes.text.normalization import fold
from twisted_quotes.text.quotes import (
    Span,
    author_of,
    has_percent_lines,
    id_of,
    split_quotes,
    text_of,
)

from .dictionary import Dictionary

FORMAT = 1
"""Changes with every change of what an index holds."""

_SPAN = Struct("<QQQ")
_COLUMNS = ("texts", "authors", "ids", "spans")
_SUMMARY = "summary.json"
_BUFFER = 1024 * 1024


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
    percent = has_percent_lines(dictionary)
    start = dictionary.rewind()
    count = 0
    with ExitStack() as stack:
        texts, authors, ids, spans = (
            stack.enter_context(open(os.path.join(folder, name), "wb", _BUFFER))
            for name in _COLUMNS
        )
        for span, data in split_quotes(dictionary, start, percent):
            check()
            text = text_of(data)
            texts.write(fold(text).encode() + b"\n")
            authors.write(fold(author_of(text) or "").encode() + b"\n")
            ids.write(id_of(text).encode() + b"\n")
            spans.write(_SPAN.pack(*span))
            count += 1
    with open(os.path.join(folder, _SUMMARY), "x", encoding="utf-8") as file:
        json.dump({"count": count, "sizes": _sizes(folder)}, file)


def _sizes(folder: str) -> list[int]:
    return [os.path.getsize(os.path.join(folder, name)) for name in _COLUMNS]


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
    def open(self) -> Iterator[Columns]:
        """
        Open all columns. Opened, they can be read even if the index is removed.

        @raise FileNotFoundError: it was removed.
        @raise IndexDamaged: it is no longer whole.
        """
        with ExitStack() as stack:
            descriptors = []
            for name, size in zip(_COLUMNS, self.sizes, strict=True):
                path = os.path.join(self.folder, name)
                descriptors.append(os.open(path, os.O_RDONLY))
                stack.callback(os.close, descriptors[-1])
                if os.fstat(descriptors[-1]).st_size != size:
                    raise IndexDamaged(f"the size of {path} is wrong")
            yield Columns(*descriptors)


@dataclass(frozen=True)
class Columns:
    """
    The columns of an index, as file descriptors.

    Each has a position, which grep shares and leaves after what it found last.
    """

    texts: int
    authors: int
    ids: int
    spans: int

    def read_spans(self, first: int, last: int) -> list[Span]:
        """
        Where quotes stand.

        @param first: the number of the first one, counted from 0.
        @param last: the number after the last one.
        """
        size = _SPAN.size
        records = os.pread(self.spans, (last - first) * size, first * size)
        return [Span(*each) for each in _SPAN.iter_unpack(records)]


def load_index(folder: str) -> Index:
    """
    Look at an index that was written.

    @raise FileNotFoundError: there is none.
    @raise IndexDamaged: it is not whole.
    """
    try:
        with open(os.path.join(folder, _SUMMARY), encoding="utf-8") as file:
            summary = json.load(file)
        count, sizes = summary["count"], summary["sizes"]
        if sizes != _sizes(folder) or sizes[-1] != count * _SPAN.size:
            raise IndexDamaged(f"the sizes in {folder} are wrong")
    except (FileNotFoundError, NotADirectoryError):
        raise
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise IndexDamaged(f"{folder}: {error}") from error
    return Index(folder, count, tuple(sizes))


def runs(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
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
