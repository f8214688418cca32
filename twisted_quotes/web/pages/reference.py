"""
The tables and examples of the instructions.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from twisted_quotes.query.fields import Field, fields_of
from twisted_quotes.query.queries import ACTIONS
from twisted_quotes.query.quote_queries import (
    DailyQuote,
    FindQuotes,
    ListAuthors,
    SampleQuotes,
    SuggestWords,
)

# Each with the fields of the request.
EXAMPLES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("Every line with a word", {"action": "search", "term": "love"}),
    (
        "The first two matches in either case, each with the line after it",
        {"action": "search", "term": "love"}
        | {"ignore_case": True, "nresults": 2, "n_after": 1},
    ),
    (
        "A regular expression that matches a whole word",
        {"action": "search", "term": "wom[ae]n|m[ae]n"}
        | {"regex": True, "whole_word": True},
    ),
    (
        "Whole quotes in every dictionary",
        {"action": "search", "term": "love", "unit": "quote", "dictionary": "*"},
    ),
    (
        "Two random quotes, which are always the same two for this seed",
        {"action": "random", "nresults": 2, "seed": 42},
    ),
    (
        "The first five lines of the default dictionary",
        {"action": "all", "nresults": 5},
    ),
    ("The names of the dictionaries", {"action": "list"}),
)

# Each with the path below /api/v2/ and a header.
LINKS: tuple[tuple[str, str, str], ...] = (
    ("The first ten quotes with a word", "quotes?term=love&limit=10", ""),
    (
        "The next ten quotes by authors with Shakespeare in their names",
        "quotes?author=shakespeare&limit=10&offset=10&dictionary=*",
        "",
    ),
    (
        "A random quote that is always the same for this seed, here a date",
        "quotes/random?seed=20261124&dictionary=*",
        "",
    ),
    (
        "Every quote, one on each line, as fast as the client reads",
        "quotes?dictionary=*",
        "Accept: application/x-ndjson",
    ),
    ("The quote of the day, as text", "quotes/today", "Accept: text/plain"),
    ("The first twenty authors", "authors", ""),
    ("All dictionaries, with the number of quotes in each", "dictionaries", ""),
)

URLS = (
    ("/api/v2/quotes", "quotes in the order of their dictionaries"),
    ("/api/v2/quotes/random", "random quotes"),
    ("/api/v2/quotes/today", "the quote of the day, the same until midnight UTC"),
    ("/api/v2/quotes/{id}", "one quote; its id depends on its text alone"),
    ("/api/v2/authors", "the authors with the number of their quotes, by name"),
    ("/api/v2/dictionaries", "all dictionaries"),
    ("/api/v2/suggestions", "similar words, for words of q that occur in no quote"),
)

ERRORS = (
    (400, "the body is not JSON, or not an object"),
    (400, "a field is missing, unknown, wrong or repeated"),
    (400, "a regular expression is invalid or in another dialect (\\d, look-around)"),
    (400, "an entry of the response would be too long"),
    (400, "the search would need too much memory for a very long line or pattern"),
    (400, "the HTTP request is malformed"),
    (401, "the service uses authentication; the credentials are missing or wrong"),
    (403, "the dictionary may not be read, or its name points outside the library"),
    (404, "there is no such URL, no such dictionary, or no quote with that id"),
    (405, "the URL does not support the method; Allow lists the methods it supports"),
    (408, "the request was not complete within the time limit"),
    (413, "the body is too large"),
    (414, "the request line is too long"),
    (415, "the body has a Content-Encoding; send it without one"),
    (429, "the client uses more than its share while other clients wait"),
    (431, "the headers are too long"),
    (500, "an unexpected error; the message has an id to find it in the log"),
    (501, "the action or the HTTP method is unknown"),
    (503, "the service is too busy or shuts down; Retry-After says when to try again"),
    (503, "the machine has no more processes, files or memory at the moment"),
    (503, "the dictionary is being written to, or cannot be indexed"),
    (504, "the search exceeded its time limit"),
)


def _merge_fields(
    fields_by_user: dict[str, dict[str, Field]],
) -> Iterator[dict[str, str]]:
    """Make a row for each field, with the actions or URLs that take it."""
    for name in dict.fromkeys(chain.from_iterable(fields_by_user.values())):
        fields = {user: f[name] for user, f in fields_by_user.items() if name in f}
        first, *_ = fields.values()
        defaults = [] if first.required else [first.default or "-"]
        if required_by := [user for user, field in fields.items() if field.required]:
            defaults.append(f"required by {', '.join(required_by)}")
        defaults += [
            f"{field.default} for {user}"
            for user, field in fields.items()
            if not field.required and field.default not in ("", first.default)
        ]
        yield {
            "name": name,
            "allowed": first.allowed,
            "default": "; ".join(defaults),
            "meaning": first.description,
            "users": ", ".join(fields),
        }


FIELDS = [
    {
        "name": "action",
        "allowed": ", ".join(f'"{action}"' for action in ACTIONS),
        "default": "required",
        "meaning": "what to do",
        "users": ", ".join(ACTIONS),
    },
    *_merge_fields({action: fields_of(kind) for action, kind in ACTIONS.items()}),
]

PARAMETERS = [
    *_merge_fields(
        {
            "quotes": fields_of(FindQuotes),
            "quotes/random": fields_of(SampleQuotes),
            "quotes/today": fields_of(DailyQuote),
            "authors": fields_of(ListAuthors),
            "suggestions": fields_of(SuggestWords),
        }
    )
]
