"""
The URLs of Quotable for quotes. They find what API v2 finds, in another shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from msgspec import Struct
from twisted.web.iweb import IRequest

from twisted_quotes.errors import BadRequest, QuoteNotFound
from twisted_quotes.query.parsing import parse_parameters
from twisted_quotes.query.queries import EVERY_DICTIONARY, DictionaryNames
from twisted_quotes.search.finder import Finder
from twisted_quotes.search.results import QuotePage
from twisted_quotes.web.http.clients import client_key_for_request
from twisted_quotes.web.http.request_log import annotate, annotate_term, query_string

from ..v2.caching_responder import CachingResponder, Found, Representation, send
from ..v2.quotes import MAX_PAGE_BYTES, QUOTE_ID
from ..v2.representations import JSON
from .bodies import QuoteBody, page_body, quote_body
from .indexes import Indexes
from .parameters import (
    ListQuotes,
    NoParameters,
    RandomQuote,
    RandomQuotes,
    SearchQuotes,
)
from .queries import (
    CriterionGroups,
    FindByCriteria,
    SampleByCriteria,
    resolve_tags,
    search_criteria,
)


class _Selected(NamedTuple):
    """
    Which quotes a client asks for.

    @ivar dictionaries: where they are; nowhere if no quote can be found.
    @ivar is_complete: whether all authors are known.
    """

    dictionaries: DictionaryNames
    criteria: CriterionGroups = ()
    is_complete: bool = True


@dataclass(frozen=True)
class QuotableQuotes:
    """The routes for quotes."""

    finder: Finder
    responder: CachingResponder
    indexes: Indexes

    async def random_quote(self, request: IRequest) -> bytes:
        """Respond with a random quote."""
        parameters = parse_parameters(query_string(request), RandomQuote)
        quotes = await self._sample(request, parameters, 1)
        if not quotes:
            raise QuoteNotFound(
                "No quote matches the parameters. Leave out one, or change it."
            )
        return _send(request, quotes[0], 1)

    async def random_quotes(self, request: IRequest) -> bytes:
        """Respond with some random quotes, or with an empty array."""
        parameters = parse_parameters(query_string(request), RandomQuotes)
        quotes = await self._sample(request, parameters, parameters.limit)
        return _send(request, quotes, len(quotes))

    async def quotes(self, request: IRequest) -> bytes:
        """Respond with a page of quotes."""
        parameters = parse_parameters(query_string(request), ListQuotes)
        selected = await self._select(request, parameters)
        query = FindByCriteria(
            dictionary=selected.dictionaries,
            criteria=selected.criteria,
            min_length=parameters.min_length,
            max_length=parameters.max_length,
            limit=parameters.limit,
            offset=(parameters.page - 1) * parameters.limit,
        )
        queries = [query] if selected.dictionaries else []
        return await self._respond(request, parameters, queries, selected.is_complete)

    async def search(self, request: IRequest) -> bytes:
        """Respond with a page of the quotes with all words of a search, or with any."""
        parameters = parse_parameters(query_string(request), SearchQuotes)
        annotate_term(request, parameters.query)
        tags = await self.indexes.tags()
        queries = [
            FindByCriteria(
                criteria=criteria,
                limit=parameters.limit,
                offset=(parameters.page - 1) * parameters.limit,
            )
            for criteria in await self.indexes.in_thread(
                search_criteria, parameters, tags
            )
        ]
        return await self._respond(request, parameters, queries)

    async def quote(self, request: IRequest, identity: str) -> bytes:
        """Respond with the quote that has an id."""
        parse_parameters(query_string(request), NoParameters)
        if not QUOTE_ID.fullmatch(identity):
            raise QuoteNotFound()

        async def find(client_key: str | None) -> Found:
            found = await self.finder.find_quote(identity, client_key)
            body = quote_body(found.quote, self.indexes.states)
            return Found(body, 1, found.is_complete)

        representation = Representation(("quotable quote", identity))
        return await self.responder.respond(
            request, EVERY_DICTIONARY, representation, find
        )

    async def _select(self, request: IRequest, parameters: RandomQuote) -> _Selected:
        """Look up the tags and the authors."""
        dictionaries = EVERY_DICTIONARY
        if parameters.tags:
            dictionaries = resolve_tags(parameters.tags, await self.indexes.tags())
            annotate(request, dictionary=", ".join(dictionaries))
        names = "|".join(filter(None, (parameters.author, parameters.author_id)))
        if not names:
            return _Selected(dictionaries)
        client_key = client_key_for_request(request)
        index, is_complete = await self.indexes.authors(client_key)
        authors = index.find(names)
        if not authors:
            return _Selected((), (), is_complete)
        return _Selected(dictionaries, index.criteria(authors), is_complete)

    async def _sample(
        self, request: IRequest, parameters: RandomQuote, limit: int
    ) -> Sequence[QuoteBody]:
        """Return random quotes."""
        selected = await self._select(request, parameters)
        if not selected.dictionaries:
            return []
        query = SampleByCriteria(
            dictionary=selected.dictionaries,
            criteria=selected.criteria,
            min_length=parameters.min_length,
            max_length=parameters.max_length,
            limit=limit,
        )
        page = await self._find_page(query, client_key_for_request(request))
        return self._bodies(page)

    async def _respond(
        self,
        request: IRequest,
        parameters: ListQuotes | SearchQuotes,
        queries: Sequence[FindByCriteria],
        is_complete: bool = True,
    ) -> bytes:
        """Respond with what the first of some queries finds that finds any quotes."""

        async def find(client_key: str | None) -> Found:
            page = QuotePage(0, MAX_PAGE_BYTES)
            for query in queries:
                page = await self._find_page(query, client_key)
                if page.total:
                    break
            body = page_body(
                self._bodies(page), page.total, parameters.page, parameters.limit
            )
            return Found(body, page.returned, page.is_complete and is_complete)

        requested = EVERY_DICTIONARY
        if len(queries) == 1:
            requested = self.finder.resolve_names(queries[0])
        representation = Representation(("quotable quotes", parameters, queries))
        return await self.responder.respond(request, requested, representation, find)

    async def _find_page(
        self, query: FindByCriteria | SampleByCriteria, client_key: str | None
    ) -> QuotePage:
        page = QuotePage(query.limit, MAX_PAGE_BYTES)
        await self.finder.find_quotes(query, page, client_key)
        if page.limit_reached:
            raise BadRequest("The response would be too large. Request a lower limit.")
        return page

    def _bodies(self, page: QuotePage) -> Sequence[QuoteBody]:
        states = self.indexes.states
        return [quote_body(quote, states) for quote in page.quotes]


def _send(request: IRequest, body: Struct | Sequence[Struct], count: int) -> bytes:
    """Send random quotes, which are not cached."""
    return send(request, Found(body, count, True).encode("", JSON), JSON)
