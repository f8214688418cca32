"""
The URLs of Quotable for authors and tags.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import Any

from twisted.web.iweb import IRequest

from twisted_quotes.errors import QuoteNotFound
from twisted_quotes.query.parsing import parse_parameters
from twisted_quotes.query.queries import EVERY_DICTIONARY
from twisted_quotes.search.finder import Finder
from twisted_quotes.web.http.request_log import annotate_term, query_string
from twisted_quotes.web.http.urls import base_path

from ..v2.caching_responder import CachingResponder, Found, Representation
from .authors import AuthorIndex, SluggedAuthor
from .bodies import TagBody, TagsBody, author_body, page_body, tag_body
from .indexes import Indexes
from .parameters import ListAuthors, ListTags, NoParameters, SearchAuthors
from .slugs import slugify

_SORT_KEYS: dict[str, Callable[[TagBody], Any]] = {
    "name": attrgetter("name"),
    "quoteCount": attrgetter("quote_count"),
    "dateAdded": attrgetter("date_added"),
    "dateModified": attrgetter("date_modified"),
}


@dataclass(frozen=True)
class QuotableListings:
    """The routes for authors and tags."""

    finder: Finder
    responder: CachingResponder
    indexes: Indexes

    async def authors(self, request: IRequest) -> bytes:
        """Respond with a page of authors."""
        parameters = parse_parameters(query_string(request), ListAuthors)
        select = partial(
            AuthorIndex.sorted_by,
            sort_by=parameters.sort_by,
            is_descending=_is_descending(parameters),
            names=parameters.slug,
        )
        return await self._respond_with_page(request, parameters, select)

    async def search_authors(self, request: IRequest) -> bytes:
        """Respond with a page of the authors with some words in their names."""
        parameters = parse_parameters(query_string(request), SearchAuthors)
        annotate_term(request, parameters.query)
        select = partial(
            AuthorIndex.search,
            query=parameters.query,
            autocomplete=parameters.autocomplete,
            threshold=parameters.match_threshold,
        )
        return await self._respond_with_page(request, parameters, select)

    async def author(self, request: IRequest, slug: str) -> bytes:
        """Respond with the author that has a slug."""
        parse_parameters(query_string(request), NoParameters)

        async def find(client_key: str | None) -> Found:
            index, is_complete = await self.indexes.authors(client_key)
            author = index.by_slug.get(slugify(slug))
            if author is None:
                raise QuoteNotFound(
                    "There is no author with that slug. "
                    f"GET {base_path(request)}/authors lists all of them."
                )
            return Found(author_body(author), 1, is_complete)

        representation = Representation(("quotable author", slug))
        return await self.responder.respond(
            request, EVERY_DICTIONARY, representation, find
        )

    async def tags(self, request: IRequest) -> bytes:
        """Respond with all tags."""
        parameters = parse_parameters(query_string(request), ListTags)

        async def find(_: str | None) -> Found:
            infos, is_complete = await self.finder.list_dictionaries()
            tags = [
                tag_body(packed.name, packed.quote_count, packed.state.modified)
                async for packed, _ in infos
            ]
            tags.sort(
                key=_SORT_KEYS[parameters.sort_by],
                reverse=_is_descending(parameters),
            )
            return Found(TagsBody(len(tags), tags), len(tags), is_complete)

        representation = Representation(("quotable tags", parameters))
        return await self.responder.respond(
            request, EVERY_DICTIONARY, representation, find
        )

    async def _respond_with_page(
        self,
        request: IRequest,
        parameters: ListAuthors | SearchAuthors,
        select: Callable[[AuthorIndex], Sequence[SluggedAuthor]],
    ) -> bytes:
        """Respond with a page of selected authors."""

        async def find(client_key: str | None) -> Found:
            index, is_complete = await self.indexes.authors(client_key)
            authors = await self.indexes.in_thread(select, index)
            start = (parameters.page - 1) * parameters.limit
            page = [*map(author_body, authors[start : start + parameters.limit])]
            body = page_body(page, len(authors), parameters.page, parameters.limit)
            return Found(body, len(page), is_complete)

        representation = Representation(("quotable authors", parameters))
        return await self.responder.respond(
            request, EVERY_DICTIONARY, representation, find
        )


def _is_descending(parameters: ListAuthors | ListTags) -> bool:
    """Return the order, which depends on what the results are sorted by."""
    default = "asc" if parameters.sort_by == "name" else "desc"
    return (parameters.order or default) == "desc"
