"""
The operations for what the library holds, of API v2 (contract, section 4).
"""

from __future__ import annotations

from datetime import UTC, datetime

from twisted_quotes.query.quote_queries import ListAuthors, SuggestWords
from twisted_quotes.web.openapi.operation import JSON, Body, Example, Operation

from ..v2.listings import ListingsV2
from ..v2.schemas import (
    AuthorBody,
    AuthorsBody,
    DictionariesBody,
    DictionaryBody,
    SuggestionBody,
    SuggestionsBody,
)
from .quotes import SEARCH_ERRORS
from .topics import V2

LIST_DICTIONARIES = Operation(
    "list_dictionaries",
    "/api/v2/dictionaries",
    ListingsV2.dictionaries,
    V2,
    "All dictionaries, with the number of quotes in each",
    [
        Body(
            JSON,
            DictionariesBody,
            DictionariesBody(
                [
                    DictionaryBody(
                        name="authors",
                        default=True,
                        bytes=9550,
                        quotes=100,
                        modified=datetime(2026, 11, 24, 12, tzinfo=UTC),
                        encoding="utf-8",
                        format="blank-line",
                        warnings=[],
                    )
                ]
            ),
        )
    ],
    headers=["Vary"],
    is_conditional=True,
    examples=[Example("All dictionaries", "/api/v2/dictionaries")],
)

LIST_AUTHORS = Operation(
    "list_authors",
    "/api/v2/authors",
    ListingsV2.authors,
    V2,
    "Authors in the order of their names, with the number of quotes of each",
    [
        Body(
            JSON,
            AuthorsBody,
            AuthorsBody(
                total=1,
                offset=0,
                returned=1,
                truncated=False,
                reason=None,
                authors=[AuthorBody("William Shakespeare", 7)],
            ),
        )
    ],
    parameters=ListAuthors,
    errors=SEARCH_ERRORS,
    headers=["Vary", "Link"],
    is_conditional=True,
    examples=[Example("The first three authors", "/api/v2/authors?limit=3")],
)

SUGGEST_WORDS = Operation(
    "suggest_words",
    "/api/v2/suggestions",
    ListingsV2.suggestions,
    V2,
    "Words that occur, for those of a search that do not",
    [
        Body(
            JSON,
            SuggestionsBody,
            SuggestionsBody([SuggestionBody("hapiness", ["happiness"])]),
        )
    ],
    parameters=SuggestWords,
    errors=SEARCH_ERRORS,
    headers=["Vary"],
    is_conditional=True,
    examples=[
        Example("Words like a misspelt one", "/api/v2/suggestions?q=hapiness+love")
    ],
)

OPERATIONS = LIST_AUTHORS, LIST_DICTIONARIES, SUGGEST_WORDS
