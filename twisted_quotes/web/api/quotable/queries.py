"""
Queries for quotes, from the parameters of Quotable.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import chain
from re import compile
from typing import TypeAlias

from twisted_quotes.errors import BadRequest
from twisted_quotes.query.field_types import MAX_DICTIONARIES
from twisted_quotes.query.queries import EVERY_DICTIONARY, DictionaryNames
from twisted_quotes.query.quote_queries import FindQuotes, SampleQuotes
from twisted_quotes.query.selection import (
    Criterion,
    CriterionGroup,
    Pattern,
    Selection,
)

from .authors import MAX_WORDS
from .parameters import SearchQuotes
from .slugs import slugify

TagNames: TypeAlias = Mapping[str, Sequence[str]]
"""The names of dictionaries, by their slugs."""

CriterionGroups: TypeAlias = tuple[CriterionGroup, ...]

_WORD = compile(r"[\w'\u2019-]*\w[\w'\u2019-]*")
_LETTER = compile(r"\w")
_QUOTATION_MARKS = '"\u201c\u201d'


class FindByCriteria(FindQuotes, frozen=True, kw_only=True):
    """Return a page of the quotes that meet further criteria."""

    criteria: CriterionGroups = ()

    @cached_property
    def selection(self) -> Selection:
        return _with_criteria(super().selection, self.criteria)


class SampleByCriteria(SampleQuotes, frozen=True, kw_only=True):
    """Return random quotes that meet further criteria."""

    criteria: CriterionGroups = ()

    @cached_property
    def selection(self) -> Selection:
        return _with_criteria(super().selection, self.criteria)


def _with_criteria(selection: Selection, criteria: CriterionGroups) -> Selection:
    return replace(selection, groups=selection.groups + criteria)


def index_tags(names: Iterable[str]) -> TagNames:
    """Return the names of dictionaries by their slugs."""
    tags: dict[str, list[str]] = {}
    for name in names:
        tags.setdefault(slugify(name), []).append(name)
    return tags


def resolve_tags(tags: str, names: TagNames) -> DictionaryNames:
    """
    Return the dictionaries that tags stand for; none if they exclude one another.

    @param tags: any of several tags, separated by C{|}, or all of them, separated by
        commas. A quote has only the tag of its dictionary.
    @raise BadRequest: there are both commas and C{|}, or too many dictionaries.
    """
    if not tags:
        return EVERY_DICTIONARY
    if "," in tags and "|" in tags:
        raise BadRequest(
            'The parameter "tags" has both commas and |. Send commas for quotes with '
            "all of the tags, or | for quotes with any of them."
        )
    slugs = map(slugify, tags.replace("|", ",").split(","))
    found = [{*names.get(slug, ())} for slug in slugs]
    combined = set.intersection(*found) if "," in tags else set.union(*found)
    if len(combined) > MAX_DICTIONARIES:
        raise BadRequest(
            f'The parameter "tags" stands for {len(combined)} dictionaries, and '
            f"{MAX_DICTIONARIES} are allowed. Leave it out to search all of them."
        )
    return tuple(sorted(combined))


def search_criteria(
    parameters: SearchQuotes, names: TagNames
) -> Sequence[CriterionGroups]:
    """
    Return the criteria for quotes with all words, and those for quotes with any.

    Criteria that no quote can meet are left out.

    @raise BadRequest: there are no words, or too many.
    """
    phrase = _read_phrase(parameters.query)
    words = [phrase] if phrase else _WORD.findall(parameters.query)
    if not 0 < len(words) <= MAX_WORDS:
        raise BadRequest(
            f'The parameter "query" has {len(words)} words. Send 1 to {MAX_WORDS} '
            "words, or a phrase in quotation marks."
        )
    fields = parameters.fields.split(",")
    groups = [tuple(_word_criteria(word, fields, names)) for word in words]
    all_words = tuple(groups)
    any_word = (tuple(dict.fromkeys(chain.from_iterable(groups))),)
    return [each for each in dict.fromkeys((all_words, any_word)) if all(each)]


def _read_phrase(query: str) -> str | None:
    """Return the text in quotation marks, if a query is such a text."""
    query = query.strip()
    if len(query) < 2 or not {query[0], query[-1]} <= {*_QUOTATION_MARKS}:
        return None
    phrase = query[1:-1].strip()
    return phrase if _LETTER.search(phrase) else None


def _word_criteria(
    word: str, fields: Sequence[str], names: TagNames
) -> Iterable[Criterion]:
    """Yield what a quote can have for a word: one of these criteria."""
    pattern = Pattern(word, ignore_case=True, whole_word=True)
    if "content" in fields:
        # The text includes the attribution.
        yield Criterion("text", pattern)
    elif "author" in fields:
        yield Criterion("author", pattern)
    if "tags" in fields:
        slug = slugify(word)
        for tag, tagged in names.items():
            if f"-{slug}-" in f"-{tag}-":
                yield from (Criterion("dictionary", Pattern(name)) for name in tagged)
