"""
Finding quotes without a search: by their ids, or by the date.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import blake2b
from typing import NamedTuple, TypeAlias

from twisted_quotes.concurrency.limiter import SlotRequest
from twisted_quotes.errors import QuoteNotFound, ServiceNotReady
from twisted_quotes.grep.runner import GrepSession
from twisted_quotes.library.packs.files import PackFiles
from twisted_quotes.library.packs.pack import PackedDictionary
from twisted_quotes.library.packs.parts import PackPart
from twisted_quotes.query.queries import EVERY_DICTIONARY, DictionaryNames
from twisted_quotes.quotes.formats import QuoteFormat
from twisted_quotes.quotes.quote import Quote
from twisted_quotes.search.results import Results
from twisted_quotes.search.sources.searchable_library import SearchableLibrary

MAX_DAILY_LENGTH = 400
"""The maximum length of the quote of a day in code points, if there is one so short."""

_MAX_CANDIDATES = 20

_OpenedParts: TypeAlias = Iterator[tuple[PackPart, PackFiles]]
_Place: TypeAlias = tuple[PackPart, int]
"""The part of a pack and the position of a quote."""


class DictionaryInfo(NamedTuple):
    """A dictionary, and its format."""

    packed: PackedDictionary
    quote_format: QuoteFormat


class QuoteInDictionary(NamedTuple):
    """
    A quote, and where it is.

    @ivar previous_id: the id of the quote before it in its dictionary, if there is one.
    @ivar next_id: the id of the quote after it.
    @ivar is_complete: whether all dictionaries have an index.
    """

    quote: Quote
    previous_id: str | None
    next_id: str | None
    is_complete: bool


@dataclass(frozen=True)
class QuoteLookup:
    """Finds single quotes."""

    library: SearchableLibrary

    async def find_quote(
        self, quote_id: str, slot_request: SlotRequest
    ) -> QuoteInDictionary:
        """
        Find a quote by its id, in the first dictionary that has it.

        @raise QuoteNotFound: if no dictionary has it.
        @raise ServiceNotReady: if no dictionary with an index has it, and some have
            no index.
        """
        return await self._find(
            EVERY_DICTIONARY, slot_request, lambda opened: _find_id(opened, quote_id)
        )

    async def find_daily_quote(
        self, day: date, requested: DictionaryNames, slot_request: SlotRequest
    ) -> QuoteInDictionary:
        """
        Find the quote of a day.

        It is the one whose id follows a hash of the date, so that it stays the same
        when other quotes are added or removed. A short one is preferred.

        @raise QuoteNotFound: if there are no quotes.
        @raise ServiceNotReady: if there are none in the dictionaries with an index.
        """
        digest = blake2b(day.isoformat().encode(), digest_size=8).digest()
        prefix = int.from_bytes(digest, "big")
        return await self._find(
            requested, slot_request, lambda opened: _find_next(opened, prefix)
        )

    async def _find(
        self,
        requested: DictionaryNames,
        slot_request: SlotRequest,
        look_up: Callable[[_OpenedParts], _Place | None],
    ) -> QuoteInDictionary:
        """Find the place of a quote, and read it."""
        results = Results()

        async def find(_: GrepSession, parts: Sequence[PackPart]) -> QuoteInDictionary:
            place = await self.library.read_parts(parts, look_up)
            if place is not None:
                return await self._read(*place, results.is_complete)
            if not results.is_complete:
                raise ServiceNotReady("an index of every dictionary")
            raise QuoteNotFound()

        return await self.library.search(requested, slot_request, find, results)

    async def _read(
        self, part: PackPart, position: int, is_complete: bool
    ) -> QuoteInDictionary:
        number = part.pack.dictionary_at(position)
        quotes = PackPart(part.pack, range(number, number + 1)).quotes
        with self.library.open_quotes(part) as source:
            [quote] = await source.read([position], 1)
            previous_id, next_id = [
                source.files.read_ids(each, each + 1).hex() if each in quotes else None
                for each in (position - 1, position + 1)
            ]
        return QuoteInDictionary(quote, previous_id, next_id, is_complete)

    async def list_dictionaries(self) -> tuple[AsyncIterator[DictionaryInfo], bool]:
        """
        Describe all dictionaries with an index, in the order of their names.

        @return: an iterator that lets the reactor run from time to time, and whether
            all dictionaries have an index.
        """
        parts, is_complete = await self.library.find_parts(EVERY_DICTIONARY)
        infos = (
            DictionaryInfo(packed, directory.formats[packed.format_number])
            for directory, numbers in ((x.pack.directory, x.numbers) for x in parts)
            for packed in map(directory.dictionaries.__getitem__, numbers)
        )
        return self.library.iterate(infos), is_complete


def _find_id(opened: _OpenedParts, quote_id: str) -> _Place | None:
    """Return the first quote with an id."""
    for part, files in opened:
        for position in files.find_id(bytes.fromhex(quote_id)):
            if position in part.quotes:
                return part, position
    return None


def _find_next(opened: _OpenedParts, prefix: int) -> _Place | None:
    """Return the quote whose id follows a prefix, one of the short ones if possible."""
    candidates: list[tuple[bool, int, _Place]] = []
    for part, files in opened:
        following = files.find_following(prefix, part.quotes, _MAX_CANDIDATES)
        for distance, position in following:
            [length] = files.read_lengths(position, position + 1)
            is_long = length > MAX_DAILY_LENGTH
            candidates.append((is_long, distance, (part, position)))
        candidates = [min(candidates, key=lambda each: each[:2])] if candidates else []
    return candidates[0][2] if candidates else None
