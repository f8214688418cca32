"""
What the instructions say: every action, field, URL and error, with examples.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from twisted_quotes.query.fields import Field, fields_of
from twisted_quotes.query.queries import ACTIONS, FindQuotes, SampleQuotes

EXAMPLES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("Every line that holds a word", {"action": "search", "term": "love"}),
    (
        "The first two, whatever the case, each with the line after it",
        {
            "action": "search",
            "term": "love",
            "ignore_case": True,
            "nresults": 2,
            "n_after": 1,
        },
    ),
    (
        "A pattern, as a whole word",
        {
            "action": "search",
            "term": "wom[ae]n|m[ae]n",
            "regex": True,
            "whole_word": True,
        },
    ),
    (
        "Whole quotes, in every dictionary",
        {"action": "search", "term": "love", "unit": "quote", "dictionary": "*"},
    ),
    (
        "Two quotes drawn by chance, the same two for the same seed",
        {"action": "random", "nresults": 2, "seed": 42},
    ),
    (
        "The first five lines of the default dictionary",
        {"action": "all", "nresults": 5},
    ),
    ("The names of the dictionaries", {"action": "list"}),
)

LINKS: tuple[tuple[str, str, str], ...] = (
    ("Quotes that hold some words, ten of them", "quotes?term=love&limit=10", ""),
    (
        "The next ten, by whoever has Shakespeare in the name",
        "quotes?author=shakespeare&limit=10&offset=10&dictionary=*",
        "",
    ),
    ("A quote of the day", "quotes/random?seed=20261124&dictionary=*", ""),
    (
        "Every quote, one a line, as fast as it is read",
        "quotes?dictionary=*",
        "Accept: application/x-ndjson",
    ),
    ("All dictionaries, with the number of their quotes", "dictionaries", ""),
)

URLS = (
    ("/api/v2/quotes", "quotes in the order of their dictionaries"),
    ("/api/v2/quotes/random", "quotes drawn by chance"),
    ("/api/v2/quotes/{id}", "one quote; its id is that of its text"),
    ("/api/v2/dictionaries", "all dictionaries"),
)

ERRORS = (
    (400, "the request is not JSON, or not an object"),
    (400, "a field is missing, unknown, wrong, or stands more than once"),
    (400, "a regular expression is bad, or of another dialect (\\d, look-around)"),
    (400, "an entry of the answer would be too long"),
    (400, "the search would need too much memory: for a very long line, or pattern"),
    (400, "the HTTP itself is bad"),
    (401, "authentication is asked for, and is missing or wrong"),
    (403, "the dictionary may not be read, or its name points outside the library"),
    (404, "there is no such URL, no such dictionary, or no quote with that id"),
    (405, "the URL does not take that method; Allow says which it takes"),
    (408, "the request was not complete within its time"),
    (413, "the body is too large"),
    (414, "the request line is too long"),
    (415, "the body has a Content-Encoding; send it as it is"),
    (429, "more of your requests are under way than your share, while others wait"),
    (431, "the headers are too long"),
    (500, "something went wrong in the service; the message has an id for its log"),
    (501, "the action, or the HTTP method, is not known"),
    (503, "too busy, or shutting down; Retry-After says when to try again"),
    (503, "the machine has no more processes, files or memory for now"),
    (503, "the dictionary is being written to, or no index can be made of it"),
    (504, "the search took too long and was ended"),
)


@dataclass(frozen=True)
class Row:
    """
    A field, as the instructions show it.

    @ivar users: what the field goes with.
    """

    name: str
    allowed: str
    default: str
    meaning: str
    users: str


def _merge_rows(operations: dict[str, dict[str, Field]]) -> Iterator[Row]:
    """Bring together what several questions have in common."""
    names = {name: None for fields in operations.values() for name in fields}
    for name in names:
        fields_by_operation = {
            user: f[name] for user, f in operations.items() if name in f
        }
        first = next(iter(fields_by_operation.values()))
        required = [
            user for user, field in fields_by_operation.items() if field.required
        ]
        defaults = [first.default or "-"] * (not first.required)
        if required:
            defaults.append(f"required by {', '.join(required)}")
        defaults += [
            f"{field.default} for {user}"
            for user, field in fields_by_operation.items()
            if not field.required and field.default not in ("", first.default)
        ]
        yield Row(
            name,
            first.allowed,
            "; ".join(defaults),
            first.description,
            ", ".join(fields_by_operation),
        )


FIELDS = (
    Row(
        "action",
        ", ".join(f'"{each}"' for each in ACTIONS),
        "required",
        "what to do",
        ", ".join(ACTIONS),
    ),
    *_merge_rows({action: fields_of(kind) for action, kind in ACTIONS.items()}),
)

PARAMETERS = tuple(
    _merge_rows(
        {"quotes": fields_of(FindQuotes), "quotes/random": fields_of(SampleQuotes)}
    )
)
