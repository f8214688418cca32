"""
The queries of API v1 as frozen values, one class for each action.

The fields, with their ranges and defaults, are those of the contract, section 1.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, ClassVar, Literal, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import force_setattr

from .field_types import (
    DictionaryName,
    IsRegex,
    Offset,
    ResultLimit,
    Seed,
    Term,
    Unit,
    WholeWord,
)
from .selection import (
    Pattern,
    Selection,
)

ALL_DICTIONARIES = "*"

DictionaryNames: TypeAlias = tuple[str, ...]
"""The names of dictionaries, in order, or only L{ALL_DICTIONARIES}."""

EVERY_DICTIONARY: DictionaryNames = (ALL_DICTIONARIES,)

# A prime (Mersenne's ninth), so that different large seeds rarely become equal.
_SEED_MODULUS = 2**61 - 1


class BoundedNumbers(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
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


class _ActionFields(
    BoundedNumbers,
    frozen=True,
    kw_only=True,
    dict=True,
    tag_field="action",
    tag=str.lower,
):
    """The fields of every action that reads dictionaries."""

    dictionary: DictionaryName | UnsetType = UNSET
    ignore_case: Annotated[
        bool, Meta(description="letters match in either case, in Unicode")
    ] = False
    whole_word: WholeWord = False
    regex: IsRegex = False
    nresults: ResultLimit = 0
    offset: Offset = 0

    @cached_property
    def selection(self) -> Selection:
        """The conditions for an entry."""
        term = getattr(self, "term", UNSET)
        if term is UNSET:
            return Selection()
        return Selection(Pattern(term, self.ignore_case, self.whole_word, self.regex))

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

    term: Term
    n_before: Annotated[
        int, Meta(ge=0, le=1000, description="context lines, or quotes, before a match")
    ] = 0
    n_after: Annotated[
        int, Meta(ge=0, le=1000, description="context lines, or quotes, after a match")
    ] = 0
    unit: Unit = "line"


class All(_ActionFields, frozen=True, kw_only=True):
    """Return every line of a dictionary, or every quote, in order."""

    unit: Unit = "line"
    n_before = n_after = 0


class Random(_ActionFields, frozen=True, kw_only=True):
    """Return random quotes, each with the same probability, none twice."""

    nresults: Annotated[
        int, Meta(description="the maximum number of quotes; 0 or less returns all")
    ] = 1
    term: Term | UnsetType = UNSET
    seed: Seed | UnsetType = UNSET
    unit: Annotated[
        Literal["quote"], Meta(description="an entry is always a whole quote")
    ] = "quote"


class List(
    BoundedNumbers, frozen=True, kw_only=True, tag_field="action", tag=str.lower
):
    """Return the names of the dictionaries."""

    nresults: ResultLimit = 0
    offset: Offset = 0


Query: TypeAlias = Search | All | Random | List

ACTIONS: dict[str, type[Query]] = {
    str(kind.__struct_config__.tag): kind for kind in (Search, All, Random, List)
}


def action_name(query: Query) -> str:
    """Return the C{action} of a query."""
    return str(query.__struct_config__.tag)
