"""
The URLs of Quotable, in front of all others.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from re import compile
from typing import Any

from klein import Klein
from twisted.cred.portal import Portal
from twisted.python.failure import Failure
from twisted.web.http import NO_CONTENT
from twisted.web.iweb import IRequest
from twisted.web.resource import IResource, Resource
from werkzeug.exceptions import HTTPException

from twisted_quotes.search.finder import Finder
from twisted_quotes.web.authentication.authenticator import authenticate
from twisted_quotes.web.http.request_log import annotate
from twisted_quotes.web.http.responses import prepare_error, render_json
from twisted_quotes.web.pages.rendering import prefers_html

from ..response_cache import ResponseCache
from ..v2.caching_responder import CachingResponder
from .bodies import ErrorBody
from .indexes import Indexes
from .listings import QuotableListings
from .quotes import QuotableQuotes

_PATH = compile(
    rb"/(?:random|tags|search/(?:quotes|authors)|quotes(?:/random)?|authors/[^/]+"
    rb"|(?P<page>quotes/[^/]+|authors))/?"
)

# Any origin may use the URLs (Fetch Standard, section 3.3).
_CORS_HEADERS = {
    b"access-control-allow-origin": b"*",
    b"access-control-allow-methods": b"GET, HEAD",
    b"access-control-allow-headers": b"*, authorization",
    b"access-control-max-age": b"86400",
}


_Route = Callable[..., Awaitable[bytes]]


class QuotableResource(Resource):
    """
    Responds to the URLs of Quotable, and passes on all others.

    C{/quotes/ID} and C{/authors} are also pages: a client gets the page if it accepts
    HTML rather than JSON, as browsers do for a link.

    @param quotable: responds to the URLs of Quotable.
    @param others: responds to all others.
    """

    isLeaf = True

    def __init__(self, quotable: IResource, others: IResource) -> None:
        super().__init__()
        self._quotable = quotable
        self._others = others

    def render(self, request: IRequest) -> Any:
        """Respond to a request."""
        match = _PATH.fullmatch(request.path)
        if match is None:
            return self._others.render(request)
        if match["page"]:
            request.setHeader(b"vary", b"accept")
            if prefers_html(request):
                return self._others.render(request)
        if request.path.endswith(b"/"):
            request.postpath.pop()
        request.setHeader(b"access-control-allow-origin", b"*")
        return self._quotable.render(request)


def quotable_resource(
    others: IResource,
    finder: Finder,
    response_cache: ResponseCache,
    portal: Portal | None = None,
) -> IResource:
    """
    Return a resource for the URLs of Quotable and for others.

    @param others: responds to all other URLs.
    @param portal: authenticates clients; without one, all URLs are public.
    """
    indexes, responder = Indexes(finder), CachingResponder(finder, response_cache)
    quotes = QuotableQuotes(finder, responder, indexes)
    listings = QuotableListings(finder, responder, indexes)
    app = _make_app(
        {
            "/random": quotes.random_quote,
            "/quotes": quotes.quotes,
            "/quotes/random": quotes.random_quotes,
            "/quotes/<identity>": quotes.quote,
            "/authors": listings.authors,
            "/authors/<slug>": listings.author,
            "/tags": listings.tags,
            "/search/quotes": quotes.search,
            "/search/authors": listings.search_authors,
        },
        portal,
    )
    return QuotableResource(app.resource(), others)


def _make_app(routes: Mapping[str, _Route], portal: Portal | None) -> Klein:
    """Return an app with routes by URL."""
    app = Klein()
    app.url_map.merge_slashes = False

    async def check_access(request: IRequest) -> None:
        if portal is not None:
            await authenticate(portal, request)

    @app.handle_errors(HTTPException)
    async def _authenticate_first(request: IRequest, failure: Failure) -> None:
        await check_access(request)
        # Pass the error on to the next handler.
        failure.raiseException()

    app.handle_errors(_render_error)

    def add_route(url: str, route: _Route) -> None:
        @app.route(url, methods=["GET"], endpoint=url)
        async def respond(request: IRequest, **path_parameters: str) -> bytes:
            annotate(request, route=url)
            await check_access(request)
            return await route(request, **path_parameters)

        # It has no credentials.
        @app.route(url, methods=["OPTIONS"], endpoint=f"OPTIONS {url}")
        def respond_to_preflight(request: IRequest, **_: str) -> bytes:
            annotate(request, route=url)
            return _respond_to_preflight(request)

    for url, route in routes.items():
        add_route(url, route)
    return app


def _respond_to_preflight(request: IRequest) -> bytes:
    """Respond to what a browser asks before a request of a script."""
    request.setResponseCode(NO_CONTENT)
    for name, value in _CORS_HEADERS.items():
        request.setHeader(name, value)
    return b""


def _render_error(request: IRequest, failure: Failure) -> bytes:
    """Log a failure, and respond with an error as Quotable does."""
    return render_json(request, ErrorBody(*prepare_error(request, failure)))
