"""
What the servers are asked: questions of API v1, one after another.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from random import Random

from .corpus import SMALL

Query = Mapping[str, str | int]

ZIPF_TERMS = 10_000


def search_query(term: str, dictionary: str = SMALL, **fields: int) -> Query:
    """Ask for the lines that hold a term."""
    return {"action": "search", "term": term, "dictionary": dictionary, **fields}


def all_query(dictionary: str) -> Query:
    """Ask for all lines."""
    return {"action": "all", "dictionary": dictionary}


def encode_query(query: Query) -> str:
    """A question as the body of a request."""
    return json.dumps(query)


def zipf_terms(terms: Sequence[str], count: int, seed: int) -> Iterator[str]:
    """
    Draw terms by chance, the n-th of them 1/n times as often as the first.

    @param count: how many to draw.
    """
    weights = list(accumulate(1 / rank for rank in range(1, len(terms) + 1)))
    yield from Random(seed).choices(terms, cum_weights=weights, k=count)


class UnusedTerms:
    """
    Terms that a server has not been asked for, so that nothing it keeps can help.

    @param terms: all that there are.
    """

    def __init__(self, terms: Sequence[str]) -> None:
        self._terms = terms
        self._used: dict[str, int] = {}

    def next_terms(self, server: str, count: int) -> Sequence[str]:
        """The next terms for a server, fewer than C{count} where few are left."""
        used = self._used.get(server, 0)
        return self._terms[used : used + count]

    def mark_used(self, server: str, count: int) -> None:
        """Never offer a server the next C{count} terms again."""
        self._used[server] = self._used.get(server, 0) + count
