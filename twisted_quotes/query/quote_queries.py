"""
The queries of API v2 as frozen values, one class for each kind of response.

The fields, with their ranges and defaults, are those of the contract, section 4.
"""

from __future__ import annotations

import sys
from functools import cached_property
from typing import Annotated, TypeAlias

from msgspec import UNSET, Meta, UnsetType

from .field_types import (
    DictionaryNameList,
    IgnoreCase,
    IsRegex,
    Offset,
    PageSize,
    QuoteLength,
    SearchText,
    Seed,
    Term,
    Text,
    WholeWord,
)
from .queries import EVERY_DICTIONARY, BoundedNumbers
from .search_syntax import parse_search
from .selection import (
    CriterionGroup,
    Pattern,
    Selection,
    author_group,
    make_pattern,
    search_groups,
)


class LibraryQuery(BoundedNumbers, frozen=True, kw_only=True):
    """Base of the queries that name any number of dictionaries."""

    dictionary: DictionaryNameList = EVERY_DICTIONARY

    @property
    def selection(self) -> Selection:
        """The conditions for a quote."""
        return Selection()


class DailyQuote(LibraryQuery, frozen=True, kw_only=True):
    """Return the quote of the day, which is the same until midnight UTC."""


class ListAuthors(LibraryQuery, frozen=True, kw_only=True):
    """Return a page of authors, in the order of their names."""

    # The response repeats the offset.
    _bounded = ()

    offset: Offset = 0
    limit: Annotated[
        int, Meta(ge=1, le=1000, description="the maximum number of authors")
    ] = 20


class SuggestWords(LibraryQuery, frozen=True, kw_only=True):
    """Return words that occur, for words of a search that do not."""

    q: Annotated[SearchText, Meta(description="a search as people type it")]

    @property
    def selection(self) -> Selection:
        return Selection(groups=search_groups(parse_search(self.q), None, False))


class _QuoteFields(LibraryQuery, frozen=True, kw_only=True, dict=True):
    """The fields of every query for quotes."""

    # The response repeats the offset.
    _bounded = ("seed", "min_length", "max_length")

    term: Term | UnsetType = UNSET
    q: Annotated[
        SearchText | UnsetType,
        Meta(
            description="a search as people type it: words that must all occur, "
            '"a phrase", -word, word OR word, author:name, in:dictionary; without term'
        ),
    ] = UNSET
    ignore_case: IgnoreCase = "auto"
    whole_word: WholeWord = False
    regex: IsRegex = False
    author: Annotated[
        Text | UnsetType,
        Meta(description="a part of the author's name, in either case"),
    ] = UNSET
    min_length: QuoteLength = 0
    max_length: QuoteLength | UnsetType = UNSET
    offset: Offset = 0

    @cached_property
    def selection(self) -> Selection:
        ignore_case = None if self.ignore_case == "auto" else self.ignore_case
        pattern: Pattern | None = None
        groups: tuple[CriterionGroup, ...] = ()
        if not isinstance(self.term, UnsetType):
            pattern = make_pattern(self.term, ignore_case, self.whole_word, self.regex)
        if not isinstance(self.q, UnsetType):
            groups = search_groups(parse_search(self.q), ignore_case, self.whole_word)
        if not isinstance(self.author, UnsetType):
            groups += (author_group(self.author),)
        lengths = None
        if self.min_length or self.max_length is not UNSET:
            max_length = sys.maxsize if self.max_length is UNSET else self.max_length
            lengths = range(self.min_length, min(max_length, sys.maxsize - 1) + 1)
        return Selection(pattern, groups, lengths)


class FindQuotes(_QuoteFields, frozen=True, kw_only=True):
    """Return a page of quotes, in the order of their dictionaries."""

    limit: PageSize = 20


class StreamQuotes(_QuoteFields, frozen=True, kw_only=True):
    """Return quotes in the order of their dictionaries, all by default."""

    limit: PageSize | UnsetType = UNSET


class SampleQuotes(_QuoteFields, frozen=True, kw_only=True):
    """Return random quotes, each with the same probability, none twice."""

    limit: PageSize = 1
    seed: Seed | UnsetType = UNSET


QuoteQuery: TypeAlias = FindQuotes | StreamQuotes | SampleQuotes
