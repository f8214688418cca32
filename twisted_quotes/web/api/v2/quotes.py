"""
Quotes as data (contract, section 4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import partial
from re import compile

import msgspec
from msgspec import UNSET, UnsetType
from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest

from twisted_quotes.errors import DictionaryChanging, QuoteNotFound, SearchTimedOut
from twisted_quotes.query.queries import EVERY_DICTIONARY
from twisted_quotes.query.quote_queries import (
    DailyQuote,
    FindQuotes,
    SampleQuotes,
    StreamQuotes,
)
from twisted_quotes.search.finder import Finder
from twisted_quotes.search.lookups.quotes import QuoteInDictionary
from twisted_quotes.search.results import BufferedQuotes, QuotePage, QuoteResults
from twisted_quotes.web.http import caching
from twisted_quotes.web.http.accept import negotiate_media_type
from twisted_quotes.web.http.clients import client_key_for_request
from twisted_quotes.web.http.request_log import annotate, header
from twisted_quotes.web.http.responses import log_error, set_content_type
from twisted_quotes.web.http.urls import base_url

from ..results import QuoteStream, ResponseWriter
from .caching_responder import CachingResponder, Found, Representation, send
from .parameters import check_no_parameters, read_query
from .representations import CONTENT_TYPES, JSON, NDJSON, TEXT
from .schemas import PageBody, SummaryBody, quote_body

MAX_PAGE_BYTES = 8 * 1024 * 1024
"""The approximate maximum size of a page, in bytes."""

QUOTE_ID = compile(r"[0-9a-f]{24}")


@dataclass
class QuotesV2:
    """The routes for quotes."""

    finder: Finder
    responder: CachingResponder

    async def quotes(self, request: IRequest) -> bytes:
        """Respond with quotes in order: a page or a stream, as the client prefers."""
        media_type = _negotiate(request, [JSON, NDJSON, TEXT])
        if media_type == NDJSON:
            return await self._stream(request)
        query, requested = read_query(request, FindQuotes, self.finder)
        representation = Representation(("page", query), media_type)
        find = partial(self._find_page, request, query)
        return await self.responder.respond(request, requested, representation, find)

    async def random(self, request: IRequest) -> bytes:
        """Respond with random quotes. With a seed the client can cache them."""
        query, requested = read_query(request, SampleQuotes, self.finder)
        media_type = _negotiate(request, [JSON, TEXT])
        find = partial(self._find_page, request, query)
        if query.seed is UNSET:
            caching.set_cache_headers(request, "no-store")
            found = await find(client_key_for_request(request))
            return send(request, found.encode("", media_type), media_type)
        representation = Representation(("random", query), media_type)
        return await self.responder.respond(request, requested, representation, find)

    async def today(self, request: IRequest) -> bytes:
        """Respond with the quote of the day, which is cacheable until midnight UTC."""
        query, requested = read_query(request, DailyQuote, self.finder)
        now = datetime.fromtimestamp(self.finder.searchable_library.now(), UTC)
        midnight = datetime.combine(now.date() + timedelta(days=1), time(), UTC)
        representation = Representation(
            ("today", now.date(), query),
            _negotiate(request, [JSON, TEXT]),
            f"private, max-age={int((midnight - now).total_seconds())}",
        )

        async def find(client_key: str | None) -> Found:
            found = await self.finder.find_today(now.date(), requested, client_key)
            return _found_quote(request, found)

        return await self.responder.respond(request, requested, representation, find)

    async def quote(self, request: IRequest, identity: str) -> bytes:
        """Respond with the quote that has an id."""
        check_no_parameters(request)
        if not QUOTE_ID.fullmatch(identity):
            raise QuoteNotFound()
        representation = Representation(
            ("quote", identity), _negotiate(request, [JSON, TEXT])
        )

        async def find(client_key: str | None) -> Found:
            found = await self.finder.find_quote(identity, client_key)
            return _found_quote(request, found)

        return await self.responder.respond(
            request, EVERY_DICTIONARY, representation, find
        )

    async def _find_page(
        self,
        request: IRequest,
        query: FindQuotes | SampleQuotes,
        client_key: str | None,
    ) -> Found:
        """Find a page of quotes."""
        page, reason = QuotePage(query.limit, MAX_PAGE_BYTES), None
        try:
            await self.finder.find_quotes(query, page, client_key)
        except SearchTimedOut as error:
            if isinstance(query, SampleQuotes) or not page.quotes:
                raise
            reason = _truncation_reason(request, error)
        offset = query.offset if isinstance(query, FindQuotes) else None
        summary = _summarize(request, page, offset, reason)
        url = base_url(request)
        body = PageBody(
            offset=query.offset,
            quotes=[quote_body(quote, url) for quote in page.quotes],
            **msgspec.structs.asdict(summary),
        )
        is_complete = page.is_complete and reason is None
        next_offset = 0
        if isinstance(query, FindQuotes) and summary.reason in ("limit", "bytes"):
            next_offset = query.offset + page.returned
        return Found(body, page.returned, is_complete, next_offset)

    async def _stream(self, request: IRequest) -> bytes:
        """Send quotes while they are found, then a summary."""
        query, requested = read_query(request, StreamQuotes, self.finder)
        url = base_url(request)
        identity = msgspec.json.encode((("stream", query), NDJSON, url))
        tag = await self.responder.entity_tag(requested, identity)
        # The stream may end early, which is known only after the head was sent.
        caching.set_cache_headers(request, "no-store", tag)
        if caching.check_not_modified(request, tag):
            return b""
        set_content_type(request, CONTENT_TYPES[NDJSON])
        client_key = client_key_for_request(request)
        if caching.check_if_none_match_any(request) or request.method == b"HEAD":
            # The first quote determines the status.
            await self.finder.find_quotes(query, BufferedQuotes(1), client_key)
            return b""
        writer = ResponseWriter(request)
        limit = None if isinstance(query.limit, UnsetType) else query.limit
        stream = QuoteStream(limit, writer, url)
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


def _negotiate(request: IRequest, offered: Sequence[str]) -> str:
    return negotiate_media_type(header(request, b"accept"), offered)


def _found_quote(request: IRequest, found: QuoteInDictionary) -> Found:
    return Found(quote_body(found.quote, base_url(request)), 1, found.is_complete)


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
