"""
The bodies of the responses of Quotable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from msgspec import Struct, field

from twisted_quotes.library.dictionary import FileState
from twisted_quotes.quotes.quote import Quote

from .authors import SluggedAuthor
from .slugs import slugify

UNKNOWN_AUTHOR = "Unknown"
"""The author of quotes without one: clients expect a name."""

# The years 1 to 9999, in seconds since 1970. File systems store other times, too.
_MIN_TIME, _MAX_TIME = -62_135_596_800, 253_402_300_799


class _Body(Struct, frozen=True, rename="camel"):
    """Base of all bodies."""


class ErrorBody(_Body, frozen=True):
    """An error."""

    status_code: int
    status_message: str


class QuoteBody(_Body, frozen=True):
    """
    A quote.

    @ivar content: the text without its attribution.
    @ivar tags: the name of its dictionary.
    @ivar date_added: the date of the last change of its dictionary.
    """

    id: str = field(name="_id")
    content: str
    author: str
    tags: Sequence[str]
    author_slug: str
    length: int
    date_added: str
    date_modified: str


class AuthorBody(_Body, frozen=True):
    """An author. The library has only names, so the other texts are empty."""

    id: str = field(name="_id")
    name: str
    slug: str
    quote_count: int
    bio: str = ""
    description: str = ""
    link: str = ""


class TagBody(_Body, frozen=True):
    """A tag: a dictionary."""

    id: str = field(name="_id")
    name: str
    slug: str
    quote_count: int
    date_added: str
    date_modified: str


class TagsBody(_Body, frozen=True):
    """All tags."""

    count: int
    results: Sequence[TagBody]


class PageBody(_Body, frozen=True):
    """
    A page of quotes or authors.

    @ivar last_item_index: the number of the last result, counted from 1.
    """

    count: int
    total_count: int
    page: int
    total_pages: int
    last_item_index: int | None
    results: Sequence[QuoteBody | AuthorBody]


def quote_body(quote: Quote, states: Mapping[str, FileState]) -> QuoteBody:
    """
    Return the representation of a quote.

    @param states: the states of dictionaries, by name.
    """
    state = states.get(quote.dictionary_name)
    # It may have been removed since the quote was read.
    date = format_date(0 if state is None else state.modified)
    author = quote.author or UNKNOWN_AUTHOR
    return QuoteBody(
        quote.id,
        quote.quotation,
        author,
        [quote.dictionary_name],
        slugify(author),
        quote.length,
        date,
        date,
    )


def author_body(author: SluggedAuthor) -> AuthorBody:
    """Return the representation of an author, whose id is the slug."""
    return AuthorBody(author.slug, author.name, author.slug, author.quote_count)


def tag_body(name: str, quote_count: int, modified: int) -> TagBody:
    """
    Return the representation of a dictionary.

    @param modified: when it was modified, in nanoseconds since 1970.
    """
    slug, date = slugify(name), format_date(modified)
    return TagBody(slug, name, slug, quote_count, date, date)


def page_body(
    results: Sequence[QuoteBody | AuthorBody], total: int, page: int, limit: int
) -> PageBody:
    """
    Return the representation of a page of results.

    @param total: the number of all results.
    @param limit: the maximum number of results on a page.
    """
    count = len(results)
    last = (page - 1) * limit + count
    return PageBody(
        *(count, total, page, -(-total // limit)), last if count else None, results
    )


def format_date(nanoseconds: int) -> str:
    """Format the date of a time since 1970, in UTC."""
    seconds = max(_MIN_TIME, min(nanoseconds // 10**9, _MAX_TIME))
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()
