"""
The search page. Its parameters are those of C{/api/v2/quotes}.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlencode

from msgspec import Struct, UnsetType
from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure
from twisted.web.http import SEE_OTHER
from twisted.web.iweb import IRequest

from twisted_quotes.errors import QuoteNotFound, QuotesError, SearchTimedOut
from twisted_quotes.query.fields import fields_of
from twisted_quotes.query.parsing import parse_parameters
from twisted_quotes.query.queries import EVERY_DICTIONARY
from twisted_quotes.query.quote_queries import FindQuotes, SampleQuotes, SuggestWords
from twisted_quotes.search.finder import Finder
from twisted_quotes.search.lookups.words import Suggestion
from twisted_quotes.search.results import QuotePage
from twisted_quotes.web.http.clients import client_key_for_request
from twisted_quotes.web.http.request_log import annotate, annotate_query, query_string
from twisted_quotes.web.http.responses import log_error, prepare_error
from twisted_quotes.web.http.urls import base_path

from .rendering import flatten_page, prefers_html, render_page, send_page
from .search_view import Found, SearchView

_MAX_PAGE_BYTES = 128 * 1024
"""The approximate maximum size of a page: rendering it takes a while."""

_NO_QUOTES = "The library has no quotes yet."

Parameters = Sequence[tuple[str, str]]


def read_parameters(request: IRequest, query_type: type[Struct]) -> Parameters:
    """
    Return the parameters of a URL that a query has.

    A form sends empty ones, and links from elsewhere may have others.
    """
    text = query_string(request).decode("utf-8", "replace")
    return [
        (name, value)
        for name, value in parse_qsl(text, separator="&")
        if name in fields_of(query_type) and value.strip()
    ]


class SearchPage:
    """
    The routes of the search page.

    The page without a search is rendered once for each day and state of the library.
    """

    def __init__(self, finder: Finder) -> None:
        self._finder = finder
        self._start_page: tuple[object, bytes] = (None, b"")

    async def search(self, request: IRequest) -> bytes:
        """Respond with the quotes that are searched for, or with that of the day."""
        parameters = read_parameters(request, FindQuotes)
        if not parameters:
            return await self._start(request)
        names = await self._finder.list_dictionary_names()
        try:
            query = parse_parameters(urlencode(parameters).encode(), FindQuotes)
            found = await self._find(request, query)
        except Exception as error:
            found = Found(error=_message(request, error))
        view = SearchView(_title(parameters), parameters, names, found)
        return await render_page(request, view)

    async def random(self, request: IRequest) -> bytes:
        """Redirect to a random quote."""
        page = QuotePage(1, _MAX_PAGE_BYTES)
        client_key = client_key_for_request(request)
        await self._finder.find_quotes(SampleQuotes(), page, client_key)
        if not page.quotes:
            raise QuoteNotFound(_NO_QUOTES)
        request.setResponseCode(SEE_OTHER)
        url = f"{base_path(request)}/quotes/{page.quotes[0].id}"
        request.setHeader(b"location", url.encode())
        request.setHeader(b"content-length", b"0")
        return b""

    async def _start(self, request: IRequest) -> bytes:
        """Respond with the quote of the day."""
        today = datetime.fromtimestamp(self._finder.searchable_library.now(), UTC)
        versions = await self._finder.read_versions(EVERY_DICTIONARY, True)
        state = versions and (versions, today.date(), base_path(request))
        rendered_state, html = self._start_page
        if state is None or state != rendered_state:
            names = await self._finder.list_dictionary_names()
            is_complete = False
            try:
                daily = await self._finder.find_today(
                    today.date(), EVERY_DICTIONARY, client_key_for_request(request)
                )
                found, is_complete = Found(daily=daily.quote), daily.is_complete
            except QuoteNotFound:
                found = Found(error=_NO_QUOTES)
            except Exception as error:
                found = Found(error=_message(request, error))
            html = await flatten_page(request, SearchView("", [], names, found))
            if is_complete:
                self._start_page = state, html
        return send_page(request, html)

    async def _find(self, request: IRequest, query: FindQuotes) -> Found:
        annotate_query(request, query, self._finder.resolve_names(query))
        page, error = QuotePage(query.limit, _MAX_PAGE_BYTES), ""
        try:
            await self._finder.find_quotes(query, page, client_key_for_request(request))
        except SearchTimedOut:
            if not page.quotes:
                raise
            _, error, _ = log_error(request, Failure())
        annotate(request, entries=page.returned)
        suggestions: Sequence[Suggestion] = ()
        if not page.total and not isinstance(query.q, UnsetType):
            suggestions = await self._suggest(request, query, query.q)
        return Found(page, query.offset, query.limit, suggestions, error=error)

    async def _suggest(
        self, request: IRequest, query: FindQuotes, search: str
    ) -> Sequence[Suggestion]:
        """Return words for those that do not occur; none if that cannot be known."""
        words = SuggestWords(q=search, dictionary=query.dictionary)
        try:
            suggestions, _ = await self._finder.suggest_words(
                words, client_key_for_request(request)
            )
        except QuotesError:
            log_error(request, Failure())
            return ()
        return suggestions


def _message(request: IRequest, error: Exception) -> str:
    """
    Log an error, set its status, and return its message for the page.

    @raise Exception: the error, if the client has gone, or does not prefer HTML.
    """
    if isinstance(error, CancelledError) or not prefers_html(request):
        raise error
    _, message = prepare_error(request, Failure(error))
    return message


def _title(parameters: Parameters) -> str:
    values = dict(parameters)
    return values.get("q", values.get("term", "Quotes"))
