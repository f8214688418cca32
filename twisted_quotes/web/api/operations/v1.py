"""
The operation of API v1 (contract, section 1).
"""

from __future__ import annotations

from collections.abc import Mapping

from twisted_quotes.query.queries import All, List, Random, Search
from twisted_quotes.web.openapi.operation import JSON, Body, Example, Operation

from ..results import EntriesBody
from ..v1 import QuotesV1
from .topics import V1

_URL = "/api/v1/json"


def _example(caption: str, fields: Mapping[str, object]) -> Example:
    return Example(caption, _URL, fields)


FIND_ENTRIES = Operation(
    "find_entries",
    _URL,
    QuotesV1.find,
    V1,
    "Lines or quotes as text",
    [
        Body(
            JSON,
            EntriesBody,
            EntriesBody(1, ["The course of true love never did run smooth."]),
        )
    ],
    method="POST",
    query=Search | All | Random | List,
    errors=[403, 404, 415, 504],
    examples=[
        _example("Every line with a word", {"action": "search", "term": "love"}),
        _example(
            "The first two matches in either case, each with the line after it",
            {"action": "search", "term": "love"}
            | {"ignore_case": True, "nresults": 2, "n_after": 1},
        ),
        _example(
            "A regular expression that matches a whole word",
            {"action": "search", "term": "wom[ae]n|m[ae]n"}
            | {"regex": True, "whole_word": True},
        ),
        _example(
            "Whole quotes in every dictionary",
            {"action": "search", "term": "love", "unit": "quote", "dictionary": "*"},
        ),
        _example(
            "Two random quotes, which are always the same two for this seed",
            {"action": "random", "nresults": 2, "seed": 42},
        ),
        _example(
            "The first five lines of the default dictionary",
            {"action": "all", "nresults": 5},
        ),
        _example("The names of the dictionaries", {"action": "list"}),
    ],
)

OPERATIONS = (FIND_ENTRIES,)
