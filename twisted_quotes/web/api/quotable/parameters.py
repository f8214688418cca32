"""
The parameters of each URL of Quotable, as its documentation describes them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

MAX_RESULTS = 150
"""The maximum number of results on a page."""

Tags = Annotated[
    str,
    Meta(
        description="names of dictionaries, separated by commas (all of them) or by | "
        "(any of them)",
        extra_json_schema={"x-allowed": "names of dictionaries"},
    ),
]
AuthorNames = Annotated[
    str,
    Meta(
        description="names or slugs of authors, separated by |",
        extra_json_schema={"x-allowed": "names or slugs of authors"},
    ),
]
Length = Annotated[
    int, Meta(ge=0, description="the length of the content, in characters")
]
Limit = Annotated[
    int, Meta(ge=1, le=MAX_RESULTS, description="the number of results on a page")
]
PageNumber = Annotated[int, Meta(ge=1, description="the number of the page")]
Order = Annotated[
    Literal["asc", "desc"],
    Meta(
        description="the order of the results; the default is desc for numbers and "
        "dates"
    ),
]
SearchText = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=1024,
        pattern=r"^(?=\s*\S)[^\0]*\Z",
        description="the words to search for",
        extra_json_schema={
            "x-allowed": "a string of 1 to 1024 characters, without NUL, not only "
            "blanks"
        },
    ),
]


class _Parameters(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"
):
    """Base of all parameters."""


class RandomQuote(_Parameters, frozen=True, kw_only=True):
    """
    Which quotes to choose from.

    @ivar author_id: the same as C{author}, because the id of an author is the slug.
    """

    tags: Tags = ""
    author: AuthorNames = ""
    author_id: AuthorNames = ""
    min_length: Length = 0
    max_length: Length | UnsetType = UNSET


class RandomQuotes(RandomQuote, frozen=True, kw_only=True):
    """Which quotes to choose from, and how many."""

    limit: Annotated[
        int, Meta(ge=1, le=50, description="the number of random quotes")
    ] = 1


class ListQuotes(RandomQuote, frozen=True, kw_only=True):
    """A page of quotes, in the order of the library."""

    limit: Limit = 20
    page: PageNumber = 1
    sort_by: Annotated[
        Literal["dateAdded"],
        Meta(
            description="what the results are sorted by",
            extra_json_schema={
                "x-allowed": "dateAdded, which stands for the order of the library: "
                "quotes cannot be sorted"
            },
        ),
    ] = "dateAdded"
    order: Annotated[
        Literal["desc"],
        Meta(
            description="the order of the results",
            extra_json_schema={"x-allowed": "desc: quotes cannot be sorted"},
        ),
    ] = "desc"


class ListAuthors(_Parameters, frozen=True, kw_only=True):
    """A page of authors."""

    slug: AuthorNames = ""
    sort_by: Annotated[
        Literal["name", "quoteCount"],
        Meta(
            description="what the results are sorted by",
            extra_json_schema={
                "x-allowed": "name or quoteCount: authors have no dates"
            },
        ),
    ] = "name"
    order: Order | UnsetType = UNSET
    limit: Limit = 20
    page: PageNumber = 1


class ListTags(_Parameters, frozen=True, kw_only=True):
    """All tags."""

    sort_by: Annotated[
        Literal["name", "quoteCount", "dateAdded", "dateModified"],
        Meta(description="what the results are sorted by"),
    ] = "name"
    order: Order | UnsetType = UNSET


class SearchQuotes(_Parameters, frozen=True, kw_only=True):
    """A page of quotes with some words."""

    query: SearchText
    fields: Annotated[
        str,
        Meta(
            pattern=r"^(?:content|author|tags)(?:,(?:content|author|tags))*\Z",
            description="where the words are looked for",
            extra_json_schema={
                "x-allowed": "content, author and tags, separated by commas"
            },
        ),
    ] = "content,author,tags"
    fuzzy_max_edits: Annotated[
        Literal["0"],
        Meta(
            description="how many letters may differ",
            extra_json_schema={"x-allowed": "0: words are searched for as they are"},
        ),
    ] = "0"
    fuzzy_max_expansions: Annotated[
        int,
        Meta(ge=0, le=150, description="how many variants are searched for: none"),
    ] = 50
    limit: Limit = 20
    page: PageNumber = 1


class SearchAuthors(_Parameters, frozen=True, kw_only=True):
    """A page of authors with some words in their names."""

    query: SearchText
    autocomplete: Annotated[
        bool, Meta(description="whether a word may be the start of one")
    ] = True
    match_threshold: Annotated[
        int, Meta(ge=1, le=3, description="how many of the words must match")
    ] = 2
    limit: Limit = 20
    page: PageNumber = 1


class NoParameters(_Parameters, frozen=True, kw_only=True):
    """The parameters of a URL that takes none."""
