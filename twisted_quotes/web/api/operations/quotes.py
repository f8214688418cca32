"""
The operations for quotes of API v2 (contract, section 4).
"""

from __future__ import annotations

import msgspec

from twisted_quotes.query.quote_queries import DailyQuote, FindQuotes, SampleQuotes
from twisted_quotes.quotes.quote import ID_LENGTH
from twisted_quotes.web.openapi.operation import (
    JSON,
    Body,
    Example,
    Operation,
    PathParameter,
)

from ..v2.quotes import QuotesV2
from ..v2.representations import NDJSON, TEXT
from ..v2.schemas import PageBody, QuoteBody, SummaryBody
from . import examples
from .topics import V2

SEARCH_ERRORS = 403, 404, 504
"""The errors of an operation that reads dictionaries."""

QUOTE_ID = PathParameter(
    "The id of a quote, from another response",
    examples.QUOTE.id,
    rf"^[0-9a-f]{{{ID_LENGTH}}}$",
)

_PAGE = Body(JSON, PageBody, examples.PAGE)
_QUOTE = Body(JSON, QuoteBody, examples.QUOTE)
_TEXT = Body(
    TEXT,
    str,
    f"{examples.QUOTE.text}\n",
    "The texts of the quotes, separated by blank lines",
)

FIND_QUOTES = Operation(
    "find_quotes",
    "/api/v2/quotes",
    QuotesV2.quotes,
    V2,
    "Quotes in the order of their dictionaries",
    [
        _PAGE,
        Body(
            NDJSON,
            str,
            msgspec.json.Encoder()
            .encode_lines([examples.QUOTE, examples.SUMMARY])
            .decode(),
            "One `QuoteBody` on each line, then one `SummaryBody`",
            [QuoteBody, SummaryBody],
        ),
        _TEXT,
    ],
    """\
With `Accept: application/x-ndjson`, the response is a stream with one quote on each
line, sent while the search runs. Without a `limit` it has all quotes. The last line
is a summary with `total`, `returned`, `truncated` and `reason`. If an error occurs
after the first quote, the reason is `timeout`, `changed` (the dictionary was written
to), `shutdown` or `error`.
""",
    parameters=FindQuotes,
    errors=SEARCH_ERRORS,
    headers=["Vary", "Link"],
    is_conditional=True,
    examples=[
        Example("The first two quotes with a word", "/api/v2/quotes?term=love&limit=2"),
        Example(
            "A search as people type it",
            "/api/v2/quotes?q=truth+-love+author%3Atwain",
        ),
        Example(
            "The second quote by authors with Shakespeare in their names",
            "/api/v2/quotes?author=shakespeare&limit=1&offset=1",
        ),
        Example(
            "Every quote with a word, one on each line, as fast as the client reads",
            "/api/v2/quotes?term=truth",
            accept=NDJSON,
        ),
    ],
)

RANDOM_QUOTES = Operation(
    "random_quotes",
    "/api/v2/quotes/random",
    QuotesV2.random,
    V2,
    "Random quotes",
    [_PAGE, _TEXT],
    "Each quote has the same probability, and none comes twice.",
    parameters=SampleQuotes,
    errors=SEARCH_ERRORS,
    headers=["Vary"],
    is_conditional=True,
    examples=[
        Example("A random quote", "/api/v2/quotes/random"),
        Example(
            "A random quote that is always the same for this seed, here a date",
            "/api/v2/quotes/random?seed=20261124",
        ),
    ],
)

TODAY = Operation(
    "quote_of_the_day",
    "/api/v2/quotes/today",
    QuotesV2.today,
    V2,
    "The quote of the day, the same for all until midnight UTC",
    [_QUOTE, _TEXT],
    parameters=DailyQuote,
    errors=SEARCH_ERRORS,
    headers=["Vary"],
    is_conditional=True,
    examples=[
        Example("The quote of the day as text", "/api/v2/quotes/today", accept=TEXT)
    ],
)

GET_QUOTE = Operation(
    "get_quote",
    "/api/v2/quotes/<identity>",
    QuotesV2.quote,
    V2,
    "One quote; its id depends on its text alone",
    [_QUOTE, _TEXT],
    path_parameters={"identity": QUOTE_ID},
    errors=[404, 504],
    headers=["Vary"],
    is_conditional=True,
)

OPERATIONS = FIND_QUOTES, RANDOM_QUOTES, TODAY, GET_QUOTE
