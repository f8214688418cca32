"""
The bodies of the responses of API v2 (contract, section 4).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

from msgspec import Meta, Struct

from twisted_quotes.quotes.quote import Quote
from twisted_quotes.search.lookups.quotes import DictionaryInfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class MatchBody(Struct, frozen=True):
    """
    The position of a match in a text, in code points.

    @ivar start: the index of its first code point.
    @ivar end: the index after its last code point.
    """

    start: int
    end: int


class QuoteBody(Struct, frozen=True, omit_defaults=True):
    """
    A quote.

    @ivar id: depends only on the text.
    @ivar text: the whole quote, as it is in the dictionary.
    @ivar quotation: the text without its attribution.
    @ivar attribution: the attribution in one line, without its mark.
    @ivar author: the attribution up to its first comma that is not within a name.
    @ivar work: what follows that comma.
    @ivar dictionary: the name of its dictionary.
    @ivar line_from: the number of its first line in the dictionary, counted from 1.
    @ivar line_to: the number of its last line.
    @ivar length: the length of the quotation in code points.
    @ivar url: the URL of its page.
    @ivar matches: the positions of the term or the words in the text.
    @ivar matches_truncated: whether there are more matches; left out if not.
    """

    id: str
    text: str
    quotation: str
    attribution: str | None
    author: str | None
    work: str | None
    dictionary: str
    line_from: int
    line_to: int
    length: int
    url: str
    matches: Sequence[MatchBody]
    matches_truncated: bool = False


class SummaryBody(Struct, frozen=True):
    """
    The last line of a stream of quotes.

    @ivar total: the number of all matching quotes.
    @ivar returned: the number of quotes in the response.
    @ivar truncated: whether quotes after the offset are missing.
    @ivar reason: why they are missing.
    """

    total: int
    returned: int
    truncated: bool
    reason: str | None


class PageBody(Struct, frozen=True):
    """
    A page of quotes.

    @ivar total: the number of all matching quotes.
    @ivar offset: the number of quotes before the page.
    @ivar returned: the number of quotes on the page.
    @ivar truncated: whether quotes after the offset are missing.
    @ivar reason: why they are missing: C{limit}, C{bytes} or C{timeout}.
    @ivar quotes: the quotes.
    """

    total: int
    offset: int
    returned: int
    truncated: bool
    reason: str | None
    quotes: Sequence[QuoteBody]


class AuthorBody(Struct, frozen=True):
    """
    An author.

    @ivar author: the name.
    @ivar quotes: the number of quotes with that author.
    """

    author: str
    quotes: int


class AuthorsBody(Struct, frozen=True):
    """
    A page of authors, in the order of their names.

    @ivar total: the number of all authors.
    @ivar offset: the number of authors before the page.
    @ivar returned: the number of authors on the page.
    @ivar truncated: whether authors after the offset are missing.
    @ivar reason: why they are missing: C{limit}.
    @ivar authors: the authors.
    """

    total: int
    offset: int
    returned: int
    truncated: bool
    reason: str | None
    authors: Sequence[AuthorBody]


class SuggestionBody(Struct, frozen=True):
    """
    A word that occurs in no quote.

    @ivar word: the word.
    @ivar nearest: similar words that occur, the most probable first.
    """

    word: str
    nearest: Sequence[str]


class SuggestionsBody(Struct, frozen=True):
    """
    The words of a search that occur in no quote.

    @ivar suggestions: these words, with similar ones.
    """

    suggestions: Sequence[SuggestionBody]


class DictionaryBody(Struct, frozen=True):
    """
    A dictionary.

    @ivar name: the name, with C{/} for sub-folders.
    @ivar default: whether queries that name no dictionary search it (API v1).
    @ivar bytes: the size of the file.
    @ivar quotes: the number of its quotes.
    @ivar modified: when the file was modified, in UTC.
    @ivar encoding: the encoding of its text.
    @ivar format: how its quotes are separated.
    @ivar warnings: what may not be read as expected.
    """

    name: str
    default: bool
    bytes: int
    quotes: int
    modified: Annotated[datetime, Meta(tz=True)]
    encoding: str
    format: str
    warnings: Sequence[str]


class DictionariesBody(Struct, frozen=True):
    """
    All dictionaries.

    @ivar dictionaries: the dictionaries, in the order of their names.
    """

    dictionaries: Sequence[DictionaryBody]


def quote_body(quote: Quote, base_url: str) -> QuoteBody:
    """
    Return the representation of a quote.

    @param base_url: the URL of the service, without a trailing slash.
    """
    return QuoteBody(
        quote.id,
        quote.text,
        quote.quotation,
        quote.attribution,
        quote.author,
        quote.work,
        quote.dictionary_name,
        quote.line,
        quote.last_line,
        quote.length,
        f"{base_url}/quotes/{quote.id}",
        [MatchBody(start, end) for start, end in quote.match_spans],
        quote.match_spans_truncated,
    )


def dictionary_body(info: DictionaryInfo, default: str) -> DictionaryBody:
    """
    Return the representation of a dictionary.

    @param default: the name of the default dictionary.
    """
    packed, quote_format = info
    modified_ns = packed.state.modified
    try:
        modified = _EPOCH + timedelta(microseconds=modified_ns // 1000)
    except OverflowError:
        # File systems store times outside the years 1 to 9999.
        modified = datetime.min if modified_ns < 0 else datetime.max
    return DictionaryBody(
        packed.name,
        packed.name == default,
        packed.state.size,
        packed.quote_count,
        modified.replace(tzinfo=UTC),
        packed.encoding,
        quote_format.separation,
        packed.warnings,
    )
