"""
The language of the parameter C{q}: searches as people type them (contract, section 4).

All words must occur, in any order. C{"two words"} is a phrase. C{-word} and
C{-"two words"} must not occur. C{one OR other} is either. C{author:name} is a part of
the author, and C{in:name} the name of a dictionary; both take a phrase, and a minus.

Every text is a search: what has no special meaning where it stands is a word.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from re import IGNORECASE, compile
from typing import Literal, TypeAlias

Target: TypeAlias = Literal["text", "author", "dictionary"]

_TARGETS: dict[str, Target] = {"author": "author", "in": "dictionary"}
_TOKEN = compile(
    # A minus before a blank or another minus is a dash.
    r"(?P<minus>-(?=[^\s\"-]|\"\s*[^\s\"]))?"
    r"(?:(?P<field>author|in):(?=[^\s\"]|\"\s*[^\s\"]))?"
    r"(?:\"(?P<phrase>[^\"]*)\"?|(?P<word>[^\s\"]+))",
    IGNORECASE,
)
_QUOTATION_MARKS = str.maketrans("\u201c\u201d\u201e\u201f", '""""')
_OR = "OR"


@dataclass(frozen=True)
class Condition:
    """
    What a quote must have, or must not have.

    @ivar target: where the term is looked for.
    @ivar excluded: whether the quote must not have it.
    """

    term: str
    target: Target = "text"
    excluded: bool = False


SearchConditions: TypeAlias = tuple[tuple[Condition, ...], ...]
"""Groups of conditions. A quote fulfils at least one of each group."""


def parse_search(text: str) -> SearchConditions:
    """
    Parse a search.

    @return: no groups if the text has only blanks and quotation marks.
    """
    runs = [
        (is_or, list(run))
        for is_or, run in groupby(_tokens(text), key=lambda token: token is None)
    ]
    groups: list[list[Condition]] = []
    joins = False
    for position, (is_or, run) in enumerate(runs):
        if is_or and 0 < position < len(runs) - 1:
            joins = True
            continue
        conditions = [each or Condition(_OR) for each in run]
        if joins:
            groups[-1].append(conditions.pop(0))
            joins = False
        groups += [[condition] for condition in conditions]
    return tuple(map(tuple, groups))


def _tokens(text: str) -> Iterator[Condition | None]:
    """Yield the condition of each word or phrase; L{None} for an C{OR}."""
    for token in _TOKEN.finditer(text.translate(_QUOTATION_MARKS)):
        minus, field, phrase, word = token.group("minus", "field", "phrase", "word")
        if token[0] == _OR:
            yield None
        elif word or phrase.strip():
            target = _TARGETS[field.lower()] if field else "text"
            yield Condition(word or phrase.strip(), target, minus is not None)
