"""
Values for the examples in the documentation, of the types that encode responses.
"""

from __future__ import annotations

from twisted_quotes.quotes.quote import Quote

from ..v2.schemas import PageBody, SummaryBody, quote_body

QUOTE = quote_body(
    Quote(
        "authors",
        5,
        6,
        "The course of true love never did run smooth.\n"
        "-- William Shakespeare, A Midsummer Night's Dream",
        [(19, 23)],
    ),
    "http://127.0.0.1:8000",
)

PAGE = PageBody(
    total=4, offset=0, returned=1, truncated=True, reason="limit", quotes=[QUOTE]
)

SUMMARY = SummaryBody(total=1, returned=1, truncated=False, reason=None)
