"""
Queries of API v1, and paths of API v2.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import accumulate
from random import Random
from urllib.parse import urlencode

from .corpus import SMALL

Query = Mapping[str, str | int]

ZIPF_TERMS = 10_000
ALL_DICTIONARIES = "*"
QUOTES = "/api/v2/quotes"


def search_query(term: str, dictionary: str = SMALL, **fields: int | str) -> Query:
    """Return a query for the lines that contain a term."""
    return {"action": "search", "term": term, "dictionary": dictionary, **fields}


def all_query(dictionary: str) -> Query:
    """Return a query for all lines."""
    return {"action": "all", "dictionary": dictionary}


def quotes_path(term: str, **parameters: int | str) -> str:
    """Return the path of a page of quotes that contain a term."""
    return f"{QUOTES}?{urlencode({'term': term, **parameters})}"


def encode_query(query: Query) -> str:
    """Return a query as the body of a request."""
    return json.dumps(query)


def zipf_terms(terms: Sequence[str], count: int, seed: int) -> list[str]:
    """Choose C{count} random terms; the n-th is 1/n times as frequent as the first."""
    weights = list(accumulate(1 / rank for rank in range(1, len(terms) + 1)))
    return Random(seed).choices(terms, cum_weights=weights, k=count)
