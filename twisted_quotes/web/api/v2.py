"""
API v2: quotes as data (contract, section 4).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from re import compile

import msgspec
from msgspec import UNSET, Struct, UnsetType
from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest

from twisted_quotes.errors import DictionaryChanging, QuoteNotFound, SearchTimedOut
from twisted_quotes.query.parsing import parse_parameters
from twisted_quotes.query.queries import (
    EVERY_DICTIONARY,
    DictionaryNames,
    FindQuotes,
    QuoteQuery,
    SampleQuotes,
    StreamQuotes,
)
from twisted_quotes.search.finder import Finder
from twisted_quotes.search.results import BufferedQuotes, QuoteResults
from twisted_quotes.web.http import caching
from twisted_quotes.web.http.accept import negotiate_media_type
from twisted_quotes.web.http.clients import client_key_for_request
from twisted_quotes.web.http.request_log import (
    annotate,
    annotate_term,
    header,
    query_string,
)
from twisted_quotes.web.http.responses import log_error, set_content_type

from .caching_responder import CachingResponder, Found, send
from .results import Page, QuoteStream, ResponseWriter
from .schemas import PageBody, SummaryBody, dictionary_body, quote_body

JSON, NDJSON = "application/json", "application/x-ndjson"

_QUOTE_ID = compile(r"[0-9a-f]{24}")


class NoParameters(Struct, frozen=True, forbid_unknown_fields=True):
    """The parameters of a URL that takes none."""


@dataclass
class QuotesV2:
    """The routes of API v2."""

    finder: Finder
    responder: CachingResponder

    async def quotes(self, request: IRequest) -> bytes:
        """Respond with quotes in order: a page or a stream, as the client prefers."""
        if negotiate_media_type(header(request, b"accept"), [JSON, NDJSON]) == NDJSON:
            return await self._stream(request)
        query = parse_parameters(query_string(request), FindQuotes)
        requested = self._annotate(request, query)
        find = partial(self._find_page, request, query)
        return await self.responder.respond(request, requested, ("page", query), find)

    async def random(self, request: IRequest) -> bytes:
        """Respond with random quotes. With a seed the client can cache them."""
        query = parse_parameters(query_string(request), SampleQuotes)
        requested = self._annotate(request, query)
        find = partial(self._find_page, request, query)
        if query.seed is UNSET:
            caching.set_cache_headers(request, "no-store")
            found = await find(client_key_for_request(request))
            return send(request, found.encode(""))
        return await self.responder.respond(request, requested, ("random", query), find)

    async def _find_page(
        self,
        request: IRequest,
        query: FindQuotes | SampleQuotes,
        client_key: str | None,
    ) -> Found:
        """Find a page of quotes."""
        page, reason = Page(query.limit), None
        try:
            await self.finder.find_quotes(query, page, client_key)
        except SearchTimedOut as error:
            if isinstance(query, SampleQuotes) or not page.quotes:
                raise
            reason = _truncation_reason(request, error)
        offset = query.offset if isinstance(query, FindQuotes) else None
        summary = _summarize(request, page, offset, reason)
        body = PageBody(
            offset=query.offset,
            quotes=[quote_body(quote) for quote in page.quotes],
            **msgspec.structs.asdict(summary),
        )
        return Found(body, page.returned, page.is_complete and reason is None)

    async def quote(self, request: IRequest, identity: str) -> bytes:
        """Respond with the quote that has an id."""
        parse_parameters(query_string(request), NoParameters)
        if not _QUOTE_ID.fullmatch(identity):
            raise QuoteNotFound()

        async def find(client_key: str | None) -> Found:
            quote, is_complete = await self.finder.find_quote(identity, client_key)
            return Found(quote_body(quote), 1, is_complete)

        return await self.responder.respond(
            request, EVERY_DICTIONARY, ("quote", identity), find
        )

    async def dictionaries(self, request: IRequest) -> bytes:
        """Respond with all dictionaries."""
        parse_parameters(query_string(request), NoParameters)
        default = self.finder.library.default

        async def find(_: str | None) -> Found:
            infos, is_complete = await self.finder.list_dictionaries()
            bodies = [
                msgspec.Raw(msgspec.json.encode(dictionary_body(info, default)))
                async for info in infos
            ]
            return Found({"dictionaries": bodies}, len(bodies), is_complete)

        return await self.responder.respond(
            request, EVERY_DICTIONARY, ("dictionaries", default), find
        )

    async def _stream(self, request: IRequest) -> bytes:
        """Send quotes while they are found, then a summary."""
        query = parse_parameters(query_string(request), StreamQuotes)
        requested = self._annotate(request, query)
        tag = await self.responder.entity_tag(requested, ("stream", query))
        # The stream may end early, which is known only after the head was sent.
        caching.set_cache_headers(request, "no-store", tag)
        if caching.check_not_modified(request, tag):
            return b""
        set_content_type(request, NDJSON.encode())
        client_key = client_key_for_request(request)
        if caching.check_if_none_match_any(request) or request.method == b"HEAD":
            # The first quote determines the status.
            await self.finder.find_quotes(query, BufferedQuotes(1), client_key)
            return b""
        writer = ResponseWriter(request)
        limit = None if isinstance(query.limit, UnsetType) else query.limit
        stream = QuoteStream(limit, writer)
        reason = None
        try:
            await self.finder.find_quotes(query, stream, client_key)
        except Exception as error:
            if writer.is_disconnected or not stream.returned:
                raise
            reason = _truncation_reason(request, error)
        finally:
            writer.close()
        summary = _summarize(request, stream, query.offset, reason)
        return msgspec.json.encode(summary) + b"\n"

    def _annotate(self, request: IRequest, query: QuoteQuery) -> DictionaryNames:
        """Log the query, and return the names of the dictionaries."""
        requested = self.finder.resolve_names(query)
        annotate(request, dictionary=", ".join(requested))
        searched = query.q if query.term is UNSET else query.term
        if not isinstance(searched, UnsetType):
            annotate_term(request, searched)
        return requested


def _truncation_reason(request: IRequest, error: Exception) -> str:
    """Log an error, and return the C{reason} in the summary of the stream."""
    log_error(request, Failure())
    match error:
        case SearchTimedOut():
            return "timeout"
        case DictionaryChanging():
            return "changed"
        case CancelledError():
            return "shutdown"
        case _:
            return "error"


def _summarize(
    request: IRequest, results: QuoteResults, offset: int | None, reason: str | None
) -> SummaryBody:
    """
    Log the number of quotes, and return the summary of a search.

    @param offset: L{None} for a random sample, which its limit does not truncate
        (contract, section 4).
    """
    annotate(request, entries=results.returned)
    if reason is None and results.limit_reached:
        reason = "bytes"
    if reason is None and offset is not None:
        reason = "limit" if offset + results.returned < results.total else None
    return SummaryBody(results.total, results.returned, reason is not None, reason)
