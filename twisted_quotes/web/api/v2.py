"""
API v2: quotes as data (contract, section 4).
"""

from __future__ import annotations

from contextlib import suppress
from re import compile

import msgspec
from msgspec import UNSET, Struct, UnsetType
from twisted.internet.defer import CancelledError
from twisted.logger import Logger
from twisted.web.iweb import IRequest

from twisted_quotes.errors import DictionaryChanging, QuoteNotFound, SearchTimedOut
from twisted_quotes.query.parsing import parse_parameters
from twisted_quotes.query.queries import (
    EVERY_DICTIONARY,
    AboutQuotes,
    DrawQuotes,
    FindQuotes,
    StreamQuotes,
)
from twisted_quotes.search.finder import Finder
from twisted_quotes.search.results import FirstQuote, Found, Results
from twisted_quotes.web.http.accept import preferred
from twisted_quotes.web.http.caching import (
    entity_tag,
    has_any,
    is_known,
    may_be_kept,
    must_not_be_kept,
)
from twisted_quotes.web.http.clients import client_asking
from twisted_quotes.web.http.request_log import (
    IRecord,
    header,
    note,
    note_term,
    query_of,
)
from twisted_quotes.web.http.responses import send_json, set_content_type

from .page import Page
from .schemas import (
    DictionariesBody,
    PageBody,
    SummaryBody,
    dictionary_body,
    quote_body,
)
from .streaming import Flow, Stream

JSON, NDJSON = "application/json", "application/x-ndjson"
_ID = compile(r"[0-9a-f]{24}")


class NoParameters(Struct, frozen=True, forbid_unknown_fields=True):
    """What goes with a URL that takes no parameters."""


def _line(value: Struct) -> bytes:
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
        if _wanted_kind(request) == NDJSON:
            return await self._stream(request)
        query = parse_parameters(query_of(request), FindQuotes)
        tag = await self._tag(self._note(request, query), "page", query)
        may_be_kept(request, tag)
        if is_known(request, tag):
            return b""
        left_out = self._finder.left_out
        page = Page(query.limit)
        try:
            await self._finder.find(query, page, client_asking(request))
        except SearchTimedOut:
            if not page.quotes:
                raise
            must_not_be_kept(request)
            return _send_page(request, page, query.offset, "timeout")
        self._check_complete(request, left_out)
        return _send_page(request, page, query.offset)

    async def random(self, request: IRequest) -> bytes:
        """Quotes drawn by chance."""
        query = parse_parameters(query_of(request), DrawQuotes)
        asked = self._note(request, query)
        must_not_be_kept(request)
        if query.seed is not UNSET:
            tag = await self._tag(asked, "random", query)
            may_be_kept(request, tag)
            if is_known(request, tag):
                return b""
        page = Page(query.limit)
        left_out = self._finder.left_out
        await self._finder.draw(query, page, client_asking(request))
        self._check_complete(request, left_out)
        return _send_page(request, page, query.offset)

    async def quote(self, request: IRequest, identity: str) -> bytes:
        """One quote, by its id."""
        parse_parameters(query_of(request), NoParameters)
        if not _ID.fullmatch(identity):
            raise QuoteNotFound()
        tag = await self._tag(EVERY_DICTIONARY, identity)
        may_be_kept(request, tag)
        if is_known(request, tag):
            return b""
        left_out = self._finder.left_out
        quote = await self._finder.quote(identity, client_asking(request))
        self._check_complete(request, left_out)
        return _send(request, quote_body(quote))

    async def dictionaries(self, request: IRequest) -> bytes:
        """All dictionaries."""
        parse_parameters(query_of(request), NoParameters)
        default = self._finder.library.default
        tag = await self._tag(EVERY_DICTIONARY, f"dictionaries, {default} first")
        may_be_kept(request, tag)
        if is_known(request, tag):
            return b""
        left_out = self._finder.left_out
        facts = await self._finder.dictionaries(client_asking(request))
        bodies = [dictionary_body(each, default) for each in facts]
        self._check_complete(request, left_out)
        return _send(request, DictionariesBody(bodies))

    def _note(self, request: IRequest, query: AboutQuotes) -> str:
        """Note for the log what is asked, and say which dictionaries."""
        asked = self._finder.asked(query.dictionary)
        note(request, dictionary=asked)
        if query.selection.pattern is not None:
            note_term(request, query.selection.pattern.term)
        return asked

    async def _tag(
        self, asked: str, what: str, query: AboutQuotes | None = None
    ) -> str:
        states = await self._finder.states(asked)
        return entity_tag(f"{what} {msgspec.json.encode(query)!r}", states)

    def _check_complete(self, request: IRequest, left_out: int) -> None:
        """
        Forbid keeping an answer from which dictionaries were left out.

        @param left_out: how many had been left out before the search.
        """
        if self._finder.left_out != left_out:
            must_not_be_kept(request)

    async def _stream(self, request: IRequest) -> bytes:
        """Send quotes as they are found, then what became of the search."""
        query = parse_parameters(query_of(request), StreamQuotes)
        tag = await self._tag(self._note(request, query), "stream", query)
        # It may break off after its head has said that all is well.
        must_not_be_kept(request, tag)
        if is_known(request, tag):
            return b""
        set_content_type(request, NDJSON.encode())
        if has_any(request) or request.method == b"HEAD":
            with suppress(Found):
                await self._finder.find(query, FirstQuote(), client_asking(request))
            return b""
        flow = Flow(request)
        limit = None if isinstance(query.limit, UnsetType) else query.limit
        stream = Stream(limit, flow, lambda quote: _line(quote_body(quote)))
        reason = None
        try:
            await self._finder.find(query, stream, client_asking(request))
        except Exception as error:
            if flow.client_left or not stream.returned:
                raise
            reason = self._reason(request, error)
        finally:
            flow.close()
        return _line(_summary(request, stream, query.offset, reason))

    def _reason(self, request: IRequest, error: Exception) -> str:
        """Why an answer breaks off, in a word."""
        match error:
            case SearchTimedOut():
                return "timeout"
            case DictionaryChanging():
                return "changed"
            case CancelledError():
                return "shutdown"
        self._log.failure("Request {id} broke off.", id=IRecord(request).id)
        return "error"


def _wanted_kind(request: IRequest) -> str:
    """The media type that the client likes best (RFC 9110, section 12.5.1)."""
    return preferred(header(request, b"accept"), [JSON, NDJSON])


def _summary(
    request: IRequest, results: Results, offset: int, reason: str | None
) -> SummaryBody:
    """What became of a search, noted for the log as well."""
    note(request, entries=results.returned)
    if reason is None and offset + results.returned < results.total:
        reason = "limit"
    return SummaryBody(results.total, results.returned, reason is not None, reason)


def _send(request: IRequest, value: Struct) -> bytes:
    """Send a value, unless any answer will do that the client has."""
    return b"" if has_any(request) else send_json(request, value)


def _send_page(
    request: IRequest, page: Page, offset: int, reason: str | None = None
) -> bytes:
    if reason is None and page.full:
        reason = "bytes"
    summary = _summary(request, page, offset, reason)
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
