"""
Queries as frozen values, one class for each action.

The fields, with their ranges and defaults, are those of the contract: section 1 for
API v1, section 4 for API v2.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, ClassVar, Literal, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import force_setattr

ALL_DICTIONARIES = "*"

# A prime (Mersenne's ninth), so that different large seeds rarely become equal.
_SEED_MODULUS = 2**61 - 1

_Text = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=1024,
        pattern=r"^(?=.*\S)[^\0\r\n]*\Z",
        extra_json_schema={
            "x-allowed": "a string of 1 to 1024 characters, without NUL or line "
            "breaks, not only blanks"
        },
    ),
]
_DictionaryName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=4096,
        pattern=r"^[^\0]*\Z",
        description="where to search; without it, the default dictionary; "
        '"*" is every dictionary, in the order of their names',
        extra_json_schema={
            "x-allowed": "a file name in the library, with / for sub-folders, "
            'of 1 to 4096 characters, without NUL, or "*" for every dictionary'
        },
    ),
]
_Term = Annotated[
    _Text, Meta(description="the text to search for, or a pattern if regex is true")
]
_Unit = Annotated[
    Literal["line", "quote"],
    Meta(description="what an entry is: a line, or the whole quote"),
]
_ResultLimit = Annotated[
    int, Meta(description="the maximum number of entries; 0 or less returns all")
]
_Offset = Annotated[int, Meta(ge=0, description="the number of entries to skip")]
_PageSize = Annotated[
    int, Meta(ge=1, le=1000, description="the maximum number of quotes")
]
_Seed = Annotated[
    int, Meta(description="the same seed, dictionary and term give the same quotes")
]


@dataclass(frozen=True)
class Pattern:
    """
    A pattern for grep.

    @ivar term: a fixed string, or a POSIX extended regular expression.
    """

    term: str
    ignore_case: bool = False
    whole_word: bool = False
    regex: bool = False


@dataclass(frozen=True)
class Selection:
    """
    The conditions for a quote or a line.

    @ivar pattern: matches the text; L{None} for any text.
    @ivar author: is part of the author's name, in either case; L{None} for any.
    """

    pattern: Pattern | None = None
    author: str | None = None


class _BoundedNumbers(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    Base of all queries.

    @cvar _bounded: the fields whose numbers fit into 64 bits, whatever came.
    """

    _bounded: ClassVar[Sequence[str]] = ("nresults", "offset", "seed")

    def __post_init__(self) -> None:
        for name in self._bounded:
            value = getattr(self, name, 0)
            if value is UNSET or abs(value) <= sys.maxsize:
                continue
            if name == "seed":
                value %= _SEED_MODULUS
            force_setattr(self, name, max(-sys.maxsize, min(value, sys.maxsize)))


class _SearchFields(_BoundedNumbers, frozen=True, kw_only=True, dict=True):
    """The fields of every query that reads dictionaries."""

    dictionary: _DictionaryName | UnsetType = UNSET
    ignore_case: Annotated[
        bool, Meta(description="letters match in either case, in Unicode")
    ] = False
    whole_word: Annotated[
        bool, Meta(description="the match is bounded by non-word characters")
    ] = False
    regex: Annotated[
        bool, Meta(description="the term is a POSIX extended regular expression")
    ] = False

    @cached_property
    def selection(self) -> Selection:
        """The conditions for a result."""
        term, author = getattr(self, "term", UNSET), getattr(self, "author", UNSET)
        pattern = None
        if term is not UNSET:
            pattern = Pattern(term, self.ignore_case, self.whole_word, self.regex)
        return Selection(pattern, None if author is UNSET else author)


class _ActionFields(
    _SearchFields, frozen=True, kw_only=True, tag_field="action", tag=str.lower
):
    """The fields of every action that reads dictionaries."""

    nresults: _ResultLimit = 0
    offset: _Offset = 0

    @property
    def limit(self) -> int | None:
        """The maximum number of entries; L{None} for all."""
        return self.nresults if self.nresults > 0 else None

    @property
    def end(self) -> int | None:
        """The index after the last entry to return; L{None} for all."""
        return self.limit and min(self.offset + self.limit, sys.maxsize)


class Search(_ActionFields, frozen=True, kw_only=True):
    """Find the lines, or whole quotes, that match a term."""

    term: _Term
    n_before: Annotated[
        int, Meta(ge=0, le=1000, description="context lines, or quotes, before a match")
    ] = 0
    n_after: Annotated[
        int, Meta(ge=0, le=1000, description="context lines, or quotes, after a match")
    ] = 0
    unit: _Unit = "line"


class All(_ActionFields, frozen=True, kw_only=True):
    """Return every line of a dictionary, or every quote, in order."""

    unit: _Unit = "line"
    n_before = n_after = 0


class Random(_ActionFields, frozen=True, kw_only=True):
    """Return random quotes, each with the same probability, none twice."""

    nresults: Annotated[
        int, Meta(description="the maximum number of quotes; 0 or less returns all")
    ] = 1
    term: _Term | UnsetType = UNSET
    seed: _Seed | UnsetType = UNSET
    unit: Annotated[
        Literal["quote"], Meta(description="an entry is always a whole quote")
    ] = "quote"


class List(
    _BoundedNumbers, frozen=True, kw_only=True, tag_field="action", tag=str.lower
):
    """Return the names of the dictionaries."""

    nresults: _ResultLimit = 0
    offset: _Offset = 0


Query: TypeAlias = Search | All | Random | List

ACTIONS: dict[str, type[Query]] = {
    str(kind.__struct_config__.tag): kind for kind in (Search, All, Random, List)
}


def action_name(query: Query) -> str:
    """Return the C{action} of a query."""
    return str(query.__struct_config__.tag)


class _QuoteFields(_SearchFields, frozen=True, kw_only=True):
    """The fields of every query for quotes."""

    # The response repeats the offset.
    _bounded = ("seed",)

    term: _Term | UnsetType = UNSET
    author: Annotated[
        _Text | UnsetType,
        Meta(description="a part of the author's name, in either case"),
    ] = UNSET
    offset: _Offset = 0


class FindQuotes(_QuoteFields, frozen=True, kw_only=True):
    """Return a page of quotes, in the order of their dictionaries."""

    limit: _PageSize = 20


class StreamQuotes(_QuoteFields, frozen=True, kw_only=True):
    """Return quotes in the order of their dictionaries, all by default."""

    limit: _PageSize | UnsetType = UNSET


class SampleQuotes(_QuoteFields, frozen=True, kw_only=True):
    """Return random quotes, each with the same probability, none twice."""

    limit: _PageSize = 1
    seed: _Seed | UnsetType = UNSET


QuoteQuery: TypeAlias = FindQuotes | StreamQuotes | SampleQuotes
