"""
What the library holds, as data: dictionaries, authors and words (contract, section 4).
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from twisted.web.iweb import IRequest

from twisted_quotes.query.queries import EVERY_DICTIONARY
from twisted_quotes.query.quote_queries import ListAuthors, SuggestWords
from twisted_quotes.search.finder import Finder

from .caching_responder import CachingResponder, Found, Representation
from .parameters import check_no_parameters, read_query
from .schemas import (
    AuthorBody,
    AuthorsBody,
    SuggestionBody,
    SuggestionsBody,
    dictionary_body,
)


@dataclass
class ListingsV2:
    """The routes for lists of other things than quotes."""

    finder: Finder
    responder: CachingResponder

    async def dictionaries(self, request: IRequest) -> bytes:
        """Respond with all dictionaries."""
        check_no_parameters(request)
        default = self.finder.library.default

        async def find(_: str | None) -> Found:
            infos, is_complete = await self.finder.list_dictionaries()
            bodies = [
                msgspec.Raw(msgspec.json.encode(dictionary_body(info, default)))
                async for info in infos
            ]
            return Found({"dictionaries": bodies}, len(bodies), is_complete)

        representation = Representation(("dictionaries", default))
        return await self.responder.respond(
            request, EVERY_DICTIONARY, representation, find
        )

    async def authors(self, request: IRequest) -> bytes:
        """Respond with a page of authors, in the order of their names."""
        query, requested = read_query(request, ListAuthors, self.finder)

        async def find(client_key: str | None) -> Found:
            authors, is_complete = await self.finder.find_authors(requested, client_key)
            end = query.offset + query.limit
            page = [AuthorBody(*author) for author in authors[query.offset : end]]
            is_truncated = end < len(authors)
            body = AuthorsBody(
                *(len(authors), query.offset, len(page)),
                *(is_truncated, "limit" if is_truncated else None, page),
            )
            return Found(body, len(page), is_complete, end if is_truncated else 0)

        return await self.responder.respond(
            request, requested, Representation(("authors", query)), find
        )

    async def suggestions(self, request: IRequest) -> bytes:
        """Respond with similar words for words that occur in no quote."""
        query, requested = read_query(request, SuggestWords, self.finder)

        async def find(client_key: str | None) -> Found:
            found, is_complete = await self.finder.suggest_words(query, client_key)
            bodies = [SuggestionBody(*suggestion) for suggestion in found]
            return Found(SuggestionsBody(bodies), len(bodies), is_complete)

        return await self.responder.respond(
            request, requested, Representation(("suggestions", query)), find
        )
