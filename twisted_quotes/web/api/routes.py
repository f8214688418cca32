"""
All URLs of the service, in one table.

One Klein app has all routes, so that it responds to any other URL with a 404, and to
any other method with a 405 and C{Allow}.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from inspect import isawaitable
from re import DOTALL, compile
from typing import Any

from klein import Klein
from klein._app import KleinRenderable, KleinRouteHandler
from klein._resource import KleinResource
from twisted.cred.portal import Portal
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest
from twisted.web.resource import IResource
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from twisted_quotes.search.finder import Finder
from twisted_quotes.web.authentication.authenticator import authenticate
from twisted_quotes.web.http.compression import Compression
from twisted_quotes.web.http.request_log import annotate
from twisted_quotes.web.http.responses import render_methods
from twisted_quotes.web.pages.browse_pages import BrowsePages
from twisted_quotes.web.pages.instructions_page import InstructionsPage
from twisted_quotes.web.pages.quote_page import quote_page
from twisted_quotes.web.pages.rendering import render_any_error
from twisted_quotes.web.pages.search_page import SearchPage
from twisted_quotes.web.pages.static_files import favicon, open_search, static_file

from .health import Probes
from .response_cache import ResponseCache
from .v1 import QuotesV1
from .v2.caching_responder import CachingResponder
from .v2.listings import ListingsV2
from .v2.quotes import QuotesV2
from .wait import WaitRoute

# Who may use a URL if the service uses authentication.
PUBLIC, AUTHENTICATED = "public", "authenticated"

_Route = Callable[..., KleinRenderable]

# The route for OPTIONS *, which has no path.
_SERVER_WIDE_PATH = "/*"

# Most paths do not match, which saves a look at their segments.
_MAYBE_NON_CANONICAL = compile(rb"//|./\Z|[%*]", DOTALL)


class _RootResource(KleinResource):
    """
    Routes requests whose paths are canonical, but for a trailing slash.

    Klein joins the decoded segments of a path and strips leading slashes, so that
    C{//metrics} and C{/%2Fmetrics} would be C{/metrics}.
    """

    def render(self, request: IRequest) -> KleinRenderable:
        """Respond to a request: with a 404 if its path is not canonical."""
        if request.path == b"*":
            request.postpath = [_SERVER_WIDE_PATH[1:].encode()]
        elif _MAYBE_NON_CANONICAL.search(request.path):
            if request.postpath[1:] and request.path.endswith(b"/"):
                request.path = request.path[:-1]
                request.postpath.pop()
            if any(part in (b"", b"*") or b"/" in part for part in request.postpath):
                request.postpath = [b"", b"nowhere"]
        return super().render(request)


def root_resource(
    finder: Finder,
    wait_route: WaitRoute,
    probes: Probes,
    response_cache: ResponseCache,
    portal: Portal | None = None,
) -> IResource:
    """
    Return the resource for all URLs.

    @param portal: authenticates clients; without one, all URLs are public.
    """
    table = _route_table(finder, wait_route, probes, response_cache)
    app = Klein()
    # Do not redirect to the merged path: clients do not repeat a POST.
    app.url_map.merge_slashes = False
    if portal is not None:
        public_urls = {url.encode() for url, _, _, access in table if access is PUBLIC}

        @app.handle_errors(HTTPException)
        async def _authenticate_first(request: IRequest, failure: Failure) -> None:
            """Do not tell an unknown client which URLs and methods there are."""
            if request.path not in public_urls:
                await authenticate(portal, request)
            # Pass the error on to the next handler.
            failure.raiseException()

    app.handle_errors(MethodNotAllowed)(_respond_to_options)
    app.handle_errors(render_any_error)
    compression = Compression(finder.searchable_library.in_thread)
    for url, method, route, access in table:
        if portal is not None and access is AUTHENTICATED:
            route = _require_authentication(portal, route)
        wrapped = _wrap_route(url, route, compression)
        app.route(url, methods=[method], endpoint=url)(wrapped)
    return _RootResource(app)


def _route_table(
    finder: Finder, wait_route: WaitRoute, probes: Probes, response_cache: ResponseCache
) -> Sequence[tuple[str, str, _Route, str]]:
    """Return the URL, the method, the route and the access of each route."""
    v1 = QuotesV1(finder, response_cache)
    responder = CachingResponder(finder, response_cache)
    quotes, listings = QuotesV2(finder, responder), ListingsV2(finder, responder)
    return (
        (_SERVER_WIDE_PATH, "OPTIONS", _server_options, AUTHENTICATED),
        *_page_routes(finder),
        ("/api/v1/json", "POST", v1.find, AUTHENTICATED),
        ("/api/v2/quotes", "GET", quotes.quotes, AUTHENTICATED),
        ("/api/v2/quotes/random", "GET", quotes.random, AUTHENTICATED),
        ("/api/v2/quotes/today", "GET", quotes.today, AUTHENTICATED),
        ("/api/v2/quotes/<identity>", "GET", quotes.quote, AUTHENTICATED),
        ("/api/v2/authors", "GET", listings.authors, AUTHENTICATED),
        ("/api/v2/dictionaries", "GET", listings.dictionaries, AUTHENTICATED),
        ("/api/v2/suggestions", "GET", listings.suggestions, AUTHENTICATED),
        ("/wait", "GET", wait_route.wait, AUTHENTICATED),
        ("/livez", "GET", probes.livez, PUBLIC),
        ("/readyz", "GET", probes.readyz, PUBLIC),
        ("/metrics", "GET", probes.metrics, PUBLIC),
    )


def _page_routes(finder: Finder) -> Sequence[tuple[str, str, _Route, str]]:
    """Return the routes of the pages."""
    search, browse = SearchPage(finder), BrowsePages(finder)
    instructions = InstructionsPage(finder)
    return (
        ("/", "GET", search.search, AUTHENTICATED),
        ("/random-quote", "GET", search.random, AUTHENTICATED),
        ("/quotes/<identity>", "GET", partial(quote_page, finder), AUTHENTICATED),
        ("/authors", "GET", browse.authors, AUTHENTICATED),
        ("/dictionaries", "GET", browse.dictionaries, AUTHENTICATED),
        ("/api/v1/web", "GET", instructions.instructions, AUTHENTICATED),
        ("/opensearch.xml", "GET", open_search, AUTHENTICATED),
        ("/favicon.svg", "GET", favicon, AUTHENTICATED),
        ("/static/<name>", "GET", static_file, AUTHENTICATED),
    )


def _server_options(request: IRequest) -> bytes:
    """Respond to OPTIONS * (RFC 9110, section 9.3.7)."""
    return render_methods(request, ["GET", "HEAD", "POST"])


def _respond_to_options(request: IRequest, failure: Failure) -> bytes:
    """Respond to OPTIONS for a URL, which no route does."""
    error = failure.value
    if request.method != b"OPTIONS" or not isinstance(error, MethodNotAllowed):
        # Pass the error on to the next handler.
        failure.raiseException()
    return render_methods(request, error.valid_methods or ())


def _wrap_route(url: str, route: _Route, compression: Compression) -> KleinRouteHandler:
    """Wrap a route to log its URL, and to compress what it responds."""

    def respond(request: IRequest, **path_parameters: str) -> KleinRenderable:
        annotate(request, route=url)
        # Without this header, the response costs no more.
        if not request.requestHeaders.hasHeader(b"accept-encoding"):
            return route(request, **path_parameters)
        return compression.respond(request, partial(route, request, **path_parameters))

    return respond


def _require_authentication(portal: Portal, route: _Route) -> _Route:
    """Wrap a route to authenticate the client first."""

    async def respond(request: IRequest, **path_parameters: str) -> Any:
        await authenticate(portal, request)
        response = route(request, **path_parameters)
        return await response if isawaitable(response) else response

    return respond
