"""
The authors of the quotes in the library.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from re import compile
from typing import NamedTuple, TypeAlias
from unicodedata import normalize
from weakref import WeakValueDictionary

from twisted_quotes.concurrency.coalescing import CoalescedCall
from twisted_quotes.concurrency.limiter import SlotRequest
from twisted_quotes.grep.runner import GrepSession
from twisted_quotes.library.packs.columns import PackDamaged
from twisted_quotes.library.packs.files import PackFiles
from twisted_quotes.library.packs.parts import PackPart
from twisted_quotes.query.queries import EVERY_DICTIONARY, DictionaryNames
from twisted_quotes.search.results import Results
from twisted_quotes.search.sources.searchable_library import SearchableLibrary

_BLOCK_SIZE = 1024 * 1024
_MAX_CACHED = 2
"""The maximum number of lists of named dictionaries that are kept."""

_ACCENT, _PUNCTUATION = compile("[\u0300-\u036f]+"), compile(r"[\W_]+")


class Author(NamedTuple):
    """An author, and the number of quotes with that author."""

    name: str
    quote_count: int


_Authors: TypeAlias = Sequence[Author]
_Key: TypeAlias = tuple[PackPart, ...]


@dataclass
class AuthorList:
    """
    Lists the authors of dictionaries. The last lists are kept for their pages.

    The list of the whole library takes longest: it is kept apart from the others.
    """

    library: SearchableLibrary
    _whole: dict[_Key, _Authors] = field(default_factory=dict)
    _named: dict[_Key, _Authors] = field(default_factory=dict)
    _calls: WeakValueDictionary[_Key, CoalescedCall[_Authors]] = field(
        default_factory=WeakValueDictionary
    )

    async def find_authors(
        self, requested: DictionaryNames, slot_request: SlotRequest
    ) -> tuple[Sequence[Author], bool]:
        """
        Find all authors, in the order of their names.

        @return: the authors, and whether all dictionaries have an index.
        """
        results = Results()

        if requested == EVERY_DICTIONARY:
            cached, max_cached = self._whole, 1
        else:
            cached, max_cached = self._named, _MAX_CACHED

        async def look_up(_: GrepSession, parts: Sequence[PackPart]) -> _Authors:
            key = tuple(parts)
            authors = cached.pop(key, None)
            if authors is None:
                authors = await self._count(key, cached)
            cached[key] = authors
            if len(cached) > max_cached:
                del cached[next(iter(cached))]
            return authors

        authors = await self.library.search(requested, slot_request, look_up, results)
        return authors, results.is_complete

    async def _count(self, key: _Key, cached: Mapping[_Key, _Authors]) -> _Authors:
        """Count the authors, once for all who need the same list."""

        async def count() -> _Authors:
            # A call that ended meanwhile may have found it.
            if key in cached:
                return cached[key]
            return await self.library.read_parts(key, _count_authors)

        call = self._calls.get(key)
        if call is None:
            call = self._calls[key] = CoalescedCall(count, cancellable=True)
        return await call.request()


def _count_authors(opened: Iterator[tuple[PackPart, PackFiles]]) -> list[Author]:
    counts: Counter[bytes] = Counter()
    for part, files in opened:
        names = part.byte_range("names")
        descriptor, rest = files.open("names"), b""
        while names:
            data = os.pread(descriptor, min(_BLOCK_SIZE, len(names)), names.start)
            if not data:
                raise PackDamaged("names of authors are missing")
            names = names[len(data) :]
            *lines, rest = (rest + data).split(b"\n")
            counts.update(lines)
    # Quotes without an author have an empty name.
    del counts[b""]
    authors = (Author(name.decode(), count) for name, count in counts.items())
    return sorted(authors, key=_sort_key)


def _sort_key(author: Author) -> tuple[str, str]:
    """Return a key that ignores case, accents and punctuation."""
    letters = _ACCENT.sub("", normalize("NFKD", author.name)).casefold()
    return _PUNCTUATION.sub(" ", letters).strip(), author.name
