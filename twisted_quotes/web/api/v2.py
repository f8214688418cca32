"""
API v2: quotes as data (contract, section 4).
"""

from __future__ import annotations

from re import compile

import msgspec
from msgspec import UNSET, Struct, UnsetType
from twisted.internet.defer import CancelledError
from twisted.logger import Logger
from twisted.web.iweb import IRequest

from twisted_quotes.errors import DictionaryChanging, QuoteNotFound, SearchTimedOut
from twisted_quotes.query.parsing import parse_parameters
from twisted_quotes.query.queries import (
    ALL_DICTIONARIES,
    FindQuotes,
    QuoteQuery,
    SampleQuotes,
    StreamQuotes,
)
from twisted_quotes.search.finder import Finder
from twisted_quotes.search.results import BufferedQuotes, QuoteResults
from twisted_quotes.web.http.accept import negotiate_media_type
from twisted_quotes.web.http.caching import (
    check_if_none_match_any,
    check_not_modified,
    entity_tag,
    forbid_caching,
    require_revalidation,
)
from twisted_quotes.web.http.clients import client_key_for_request
from twisted_quotes.web.http.request_log import (
    IRequestLogEntry,
    annotate,
    annotate_term,
    header,
    query_string,
)
from twisted_quotes.web.http.responses import render_json, set_content_type

from .page import Page
from .schemas import (
    DictionariesBody,
    PageBody,
    SummaryBody,
    dictionary_body,
    quote_body,
)
from .streaming import QuoteStream, ResponseWriter

JSON, NDJSON = "application/json", "application/x-ndjson"
_QUOTE_ID = compile(r"[0-9a-f]{24}")


class NoParameters(Struct, frozen=True, forbid_unknown_fields=True):
    """What goes with a URL that takes no parameters."""


def _encode_line(value: Struct) -> bytes:
    return msgspec.json.encode(value) + b"\n"


class QuotesV2:
    """
    The routes of API v2.

    @param finder: answers the queries.
    """

    _log = Logger()

    def __init__(self, finder: Finder) -> None:
        self._finder = finder

    async def quotes(self, request: IRequest) -> bytes:
        """Quotes in order: a page of them, or a stream."""
        if _negotiate_media_type(request) == NDJSON:
            return await self._stream(request)
        query = parse_parameters(query_string(request), FindQuotes)
        tag = await self._make_entity_tag(self._annotate(request, query), "page", query)
        require_revalidation(request, tag)
        if check_not_modified(request, tag):
            return b""
        page = Page(query.limit)
        try:
            await self._finder.find_quotes(query, page, client_key_for_request(request))
        except SearchTimedOut:
            if not page.quotes:
                raise
            forbid_caching(request)
            return _send_page(request, page, query.offset, "timeout")
        if not page.is_complete:
            forbid_caching(request)
        return _send_page(request, page, query.offset)

    async def random(self, request: IRequest) -> bytes:
        """Quotes drawn by chance."""
        query = parse_parameters(query_string(request), SampleQuotes)
        dictionary_name = self._annotate(request, query)
        forbid_caching(request)
        if query.seed is not UNSET:
            tag = await self._make_entity_tag(dictionary_name, "random", query)
            require_revalidation(request, tag)
            if check_not_modified(request, tag):
                return b""
        page = Page(query.limit)
        await self._finder.find_quotes(query, page, client_key_for_request(request))
        if not page.is_complete:
            forbid_caching(request)
        return _send_page(request, page, query.offset)

    async def quote(self, request: IRequest, identity: str) -> bytes:
        """One quote, by its id."""
        parse_parameters(query_string(request), NoParameters)
        if not _QUOTE_ID.fullmatch(identity):
            raise QuoteNotFound()
        tag = await self._make_entity_tag(ALL_DICTIONARIES, identity)
        require_revalidation(request, tag)
        if check_not_modified(request, tag):
            return b""
        quote, is_complete = await self._finder.find_quote(
            identity, client_key_for_request(request)
        )
        if not is_complete:
            forbid_caching(request)
        return _send(request, quote_body(quote))

    async def dictionaries(self, request: IRequest) -> bytes:
        """All dictionaries."""
        parse_parameters(query_string(request), NoParameters)
        default = self._finder.library.default
        tag = await self._make_entity_tag(
            ALL_DICTIONARIES, f"dictionaries, {default} first"
        )
        require_revalidation(request, tag)
        if check_not_modified(request, tag):
            return b""
        dictionaries, is_complete = await self._finder.list_dictionaries(
            client_key_for_request(request)
        )
        if not is_complete:
            forbid_caching(request)
        bodies = [dictionary_body(each, default) for each in dictionaries]
        return _send(request, DictionariesBody(bodies))

    def _annotate(self, request: IRequest, query: QuoteQuery) -> str:
        """Note for the log what is asked, and say which dictionaries."""
        dictionary_name = self._finder.resolve_dictionary_name(query.dictionary)
        annotate(request, dictionary=dictionary_name)
        if query.selection.pattern is not None:
            annotate_term(request, query.selection.pattern.term)
        return dictionary_name

    async def _make_entity_tag(
        self, dictionary_name: str, representation: str, query: QuoteQuery | None = None
    ) -> str:
        states = await self._finder.read_states(dictionary_name)
        return entity_tag(f"{representation} {msgspec.json.encode(query)!r}", states)

    async def _stream(self, request: IRequest) -> bytes:
        """Send quotes as they are found, then what became of the search."""
        query = parse_parameters(query_string(request), StreamQuotes)
        tag = await self._make_entity_tag(
            self._annotate(request, query), "stream", query
        )
        # It may break off after its head has said that all is well.
        forbid_caching(request, tag)
        if check_not_modified(request, tag):
            return b""
        set_content_type(request, NDJSON.encode())
        if check_if_none_match_any(request) or request.method == b"HEAD":
            # One quote shows whether the search fails.
            await self._finder.find_quotes(
                query, BufferedQuotes(1), client_key_for_request(request)
            )
            return b""
        writer = ResponseWriter(request)
        limit = None if isinstance(query.limit, UnsetType) else query.limit
        stream = QuoteStream(
            limit, writer, lambda quote: _encode_line(quote_body(quote))
        )
        reason = None
        try:
            await self._finder.find_quotes(
                query, stream, client_key_for_request(request)
            )
        except Exception as error:
            if writer.is_disconnected or not stream.returned:
                raise
            reason = self._truncation_reason(request, error)
        finally:
            writer.close()
        return _encode_line(_summarize(request, stream, query.offset, reason))

    def _truncation_reason(self, request: IRequest, error: Exception) -> str:
        """Why an answer breaks off, in a word."""
        match error:
            case SearchTimedOut():
                return "timeout"
            case DictionaryChanging():
                return "changed"
            case CancelledError():
                return "shutdown"
        self._log.failure("Request {id} broke off.", id=IRequestLogEntry(request).id)
        return "error"


def _negotiate_media_type(request: IRequest) -> str:
    """The media type that the client likes best (RFC 9110, section 12.5.1)."""
    return negotiate_media_type(header(request, b"accept"), [JSON, NDJSON])


def _summarize(
    request: IRequest, results: QuoteResults, offset: int, reason: str | None
) -> SummaryBody:
    """What became of a search, noted for the log as well."""
    annotate(request, entries=results.returned)
    if reason is None and offset + results.returned < results.total:
        reason = "limit"
    return SummaryBody(results.total, results.returned, reason is not None, reason)


def _send(request: IRequest, value: Struct) -> bytes:
    """Send a value, unless any answer will do that the client has."""
    return b"" if check_if_none_match_any(request) else render_json(request, value)


def _send_page(
    request: IRequest, page: Page, offset: int, reason: str | None = None
) -> bytes:
    if reason is None and page.limit_reached:
        reason = "bytes"
    summary = _summarize(request, page, offset, reason)
    quotes = [quote_body(quote) for quote in page.quotes]
    return _send(
        request,
        PageBody(
            summary.total,
            offset,
            summary.returned,
            summary.truncated,
            summary.reason,
            quotes,
        ),
    )
