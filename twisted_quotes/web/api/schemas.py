"""
The bodies of the answers of API v2 (contract, section 4).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from twisted_quotes.search.quote_search import DictionaryInfo
from twisted_quotes.text.quotes import Quote

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MIN_MICROSECONDS, _MAX_MICROSECONDS = (
    (each.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
    for each in (datetime.min, datetime.max)
)


class Match(Struct, frozen=True):
    """Where something was found in a text, in code points."""

    start: int
    end: int


class QuoteBody(Struct, frozen=True, omit_defaults=True):
    """
    A quote, as it is answered.

    @ivar matches_truncated: left out where C{matches} are all that there are.
    """

    id: str
    text: str
    author: str | None
    dictionary: str
    line_from: int
    line_to: int
    matches: Sequence[Match]
    matches_truncated: bool = False


class PageBody(Struct, frozen=True):
    """The body of an answer with quotes."""

    total: int
    offset: int
    returned: int
    truncated: bool
    reason: str | None
    quotes: Sequence[QuoteBody]


class SummaryBody(Struct, frozen=True):
    """The last line of an answer that was streamed."""

    total: int
    returned: int
    truncated: bool
    reason: str | None


class DictionaryBody(Struct, frozen=True):
    """A dictionary, as it is answered."""

    name: str
    default: bool
    bytes: int
    quotes: int
    modified: datetime


class DictionariesBody(Struct, frozen=True):
    """The body of an answer with dictionaries."""

    dictionaries: Sequence[DictionaryBody]


def quote_body(quote: Quote) -> QuoteBody:
    """What a caller is told of a quote."""
    return QuoteBody(
        quote.id,
        quote.text,
        quote.author,
        quote.dictionary_name,
        quote.line,
        quote.last_line,
        [Match(start, end) for start, end in quote.match_spans],
        quote.match_spans_truncated,
    )


def dictionary_body(info: DictionaryInfo, default: str) -> DictionaryBody:
    """
    What a caller is told of a dictionary.

    @param default: the name of the default dictionary.
    """
    return DictionaryBody(
        info.name,
        info.name == default,
        info.state.size,
        info.quote_count,
        _to_datetime(info.state.modified),
    )


def _to_datetime(nanoseconds: int) -> datetime:
    """
    When a file was modified, as far as a date has four digits for the year.

    @param nanoseconds: since 1970. File systems keep times far outside the years
        1 to 9999; such a time is shown as the first or the last of those.
    """
    microseconds = min(max(nanoseconds // 1000, _MIN_MICROSECONDS), _MAX_MICROSECONDS)
    return _EPOCH + timedelta(microseconds=microseconds)
