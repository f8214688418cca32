"""
What can be asked: frozen queries, by the fields that they are made of.

The fields, their ranges and defaults are those of the contract: section 1 for
what API v1 is asked, section 4 for API v2.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Annotated, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import force_setattr

from .fields import (
    ContextCount,
    DictionaryName,
    Flag,
    Offset,
    PageSize,
    QuoteUnit,
    Text,
    Unit,
    WholeNumber,
)

ALL_DICTIONARIES = "*"

# A prime (Mersenne's ninth), so that large seeds that differ seldom become the same.
_SEED_MODULUS = 2**61 - 1

_Term = Meta(description="what to look for, as it stands unless regex is true")
_UNIT_DESCRIPTION = "what an entry is: a line, or the whole quote"


@dataclass(frozen=True)
class Pattern:
    """
    What grep is to look for.

    @ivar term: a fixed string, or a POSIX extended regular expression.
    """

    term: str
    ignore_case: bool = False
    whole_word: bool = False
    regex: bool = False


@dataclass(frozen=True)
class Selection:
    """
    Which quotes are meant.

    @ivar pattern: what is to be found in their texts; L{None} for anything.
    @ivar author: what is to be found in their authors' names, whatever its
        case; L{None} for anything.
    """

    pattern: Pattern | None = None
    author: str | None = None


_ResultLimit = Annotated[
    WholeNumber, Meta(description="how many entries to return; 0 or less returns all")
]
_ResultOffset = Annotated[
    Offset, Meta(description="how many entries to pass over first")
]
_Seed = Annotated[
    WholeNumber | UnsetType,
    Meta(
        description="the same seed, with the same dictionary and term, "
        "gives the same quotes"
    ),
]


class _BoundedNumbers(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Keeps every number within 64 bits, though JSON has no largest number."""

    def __post_init__(self) -> None:
        """Reduce what is larger to a number that means the same."""
        for name in ("nresults", "offset", "seed"):
            value = getattr(self, name, 0)
            if value is UNSET or -sys.maxsize <= value <= sys.maxsize:
                continue
            if name == "seed":
                value %= _SEED_MODULUS
            force_setattr(self, name, max(-sys.maxsize, min(value, sys.maxsize)))


class _SearchFields(_BoundedNumbers, frozen=True, kw_only=True):
    """The fields that say where to look, and how."""

    dictionary: Annotated[
        DictionaryName | UnsetType,
        Meta(
            description="where to look; left out, the default dictionary; "
            '"*" is every dictionary, in the order of their names'
        ),
    ] = UNSET
    ignore_case: Annotated[
        Flag, Meta(description="letters match in either case, in Unicode")
    ] = False
    whole_word: Annotated[
        Flag, Meta(description="the match is bounded by non-word characters")
    ] = False
    regex: Annotated[
        Flag, Meta(description="the term is a POSIX extended regular expression")
    ] = False

    def _make_selection(
        self, term: str | UnsetType, author: str | UnsetType = UNSET
    ) -> Selection:
        """Put together what grep is to look for."""
        pattern = None
        if not isinstance(term, UnsetType):
            pattern = Pattern(term, self.ignore_case, self.whole_word, self.regex)
        return Selection(pattern, None if isinstance(author, UnsetType) else author)


class _ActionFields(_SearchFields, frozen=True, kw_only=True, tag_field="action"):
    """The fields that go with every action that looks into dictionaries."""

    nresults: _ResultLimit = 0
    offset: _ResultOffset = 0

    @property
    def limit(self) -> int | None:
        """How many entries are wanted at the most; L{None} for all."""
        return self.nresults if self.nresults > 0 else None

    @property
    def end(self) -> int | None:
        """How many entries to find, with those passed over; L{None} for all."""
        if self.limit is None:
            return None
        return min(self.offset + self.limit, sys.maxsize)


class Search(_ActionFields, frozen=True, kw_only=True, tag="search"):
    """Find what matches a term: lines, or whole quotes."""

    term: Annotated[Text, _Term]
    n_before: Annotated[
        ContextCount,
        Meta(description="how many lines, or quotes, of context before each match"),
    ] = 0
    n_after: Annotated[ContextCount, Meta(description="as many after each match")] = 0
    unit: Annotated[Unit, Meta(description=_UNIT_DESCRIPTION)] = "line"

    @property
    def selection(self) -> Selection:
        """What is to match."""
        return self._make_selection(self.term)


class All(_ActionFields, frozen=True, kw_only=True, tag="all"):
    """Return every line of a dictionary, or every quote, in order."""

    unit: Annotated[Unit, Meta(description=_UNIT_DESCRIPTION)] = "line"

    selection = Selection()
    n_before = n_after = 0


class Random(_ActionFields, frozen=True, kw_only=True, tag="random"):
    """Return whole quotes drawn by chance, each with the same chance, none twice."""

    nresults: Annotated[
        WholeNumber,
        Meta(description="how many quotes to draw; 0 or less draws all"),
    ] = 1
    term: Annotated[Text | UnsetType, _Term] = UNSET
    seed: _Seed = UNSET
    unit: Annotated[QuoteUnit, Meta(description=_UNIT_DESCRIPTION)] = "quote"

    @property
    def selection(self) -> Selection:
        """What is to match."""
        return self._make_selection(self.term)


class List(_BoundedNumbers, frozen=True, kw_only=True, tag_field="action", tag="list"):
    """Return the names of the dictionaries."""

    nresults: _ResultLimit = 0
    offset: _ResultOffset = 0


Query: TypeAlias = Search | All | Random | List

ACTIONS: dict[str, type[Query]] = {
    str(each.__struct_config__.tag): each for each in (Search, All, Random, List)
}


def action_name(query: Query) -> str:
    """The C{action} that a query asks for."""
    return str(query.__struct_config__.tag)


class _QuoteFields(_SearchFields, frozen=True, kw_only=True):
    """What goes with every question for quotes as data."""

    term: Annotated[Text | UnsetType, _Term] = UNSET
    author: Annotated[
        Text | UnsetType,
        Meta(description="what the author's name holds, whatever its case"),
    ] = UNSET
    offset: _ResultOffset = 0

    @property
    def selection(self) -> Selection:
        """What is to match."""
        return self._make_selection(self.term, self.author)


class FindQuotes(_QuoteFields, frozen=True, kw_only=True):
    """A page of quotes, in the order of their dictionaries."""

    limit: Annotated[PageSize, Meta(description="how many quotes to return")] = 20


class StreamQuotes(_QuoteFields, frozen=True, kw_only=True):
    """Quotes in the order of their dictionaries, all of them or the first ones."""

    limit: Annotated[
        PageSize | UnsetType, Meta(description="how many quotes to return")
    ] = UNSET


class SampleQuotes(_QuoteFields, frozen=True, kw_only=True):
    """Quotes drawn by chance, each with the same chance, none twice."""

    limit: Annotated[PageSize, Meta(description="how many quotes to return")] = 1
    seed: _Seed = UNSET


QuoteQuery: TypeAlias = FindQuotes | StreamQuotes | SampleQuotes
