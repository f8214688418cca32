"""
The routes of all operations.

One Klein app has all routes, so that it responds to any other URL with a 404, and to
any other method with a 405 and C{Allow}.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
from twisted_quotes.web.http.responses import ErrorBody, render_methods
from twisted_quotes.web.openapi.document import ApiDescription
from twisted_quotes.web.openapi.operation import (
    AUTHENTICATED,
    HTML,
    JSON,
    PUBLIC,
    Operation,
)
from twisted_quotes.web.pages.browse_pages import BrowsePages
from twisted_quotes.web.pages.documentation.answers import Answers
from twisted_quotes.web.pages.documentation.documentation import Documentation
from twisted_quotes.web.pages.rendering import render_any_error
from twisted_quotes.web.pages.search_page import SearchPage

from .health import Probes
from .operations import listings, monitoring, pages, quotes, topics, v1
from .response_cache import ResponseCache
from .v1 import QuotesV1
from .v2.caching_responder import CachingResponder
from .v2.listings import ListingsV2
from .v2.quotes import QuotesV2
from .wait import WaitRoute

OPERATIONS = (
    *quotes.OPERATIONS,
    *listings.OPERATIONS,
    *v1.OPERATIONS,
    *pages.OPERATIONS,
    *monitoring.OPERATIONS,
)
"""All operations, in the order of the documentation."""

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
    table = _route_table(finder, wait_route, probes, response_cache, portal is not None)
    app = Klein()
    # Do not redirect to the merged path: clients do not repeat a POST.
    app.url_map.merge_slashes = False
    if portal is not None:
        public_urls = {each.url.encode() for each in table if each.access is PUBLIC}

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
    routes = [
        (each.url, each.method, route, each.access) for each, route in table.items()
    ]
    routes.append((_SERVER_WIDE_PATH, "OPTIONS", _server_options, AUTHENTICATED))
    for url, method, route, access in routes:
        if portal is not None and access is AUTHENTICATED:
            route = _require_authentication(portal, route)
        wrapped = _wrap_route(url, route, compression)
        app.route(url, methods=[method], endpoint=url)(wrapped)
    return _RootResource(app)


def _route_table(
    finder: Finder,
    wait_route: WaitRoute,
    probes: Probes,
    response_cache: ResponseCache,
    requires_authentication: bool,
) -> Mapping[Operation, _Route]:
    """Return the route of each operation."""
    responder = CachingResponder(finder, response_cache)
    api = (
        _bind(quotes.OPERATIONS, QuotesV2(finder, responder))
        | _bind(listings.OPERATIONS, ListingsV2(finder, responder))
        | _bind(v1.OPERATIONS, QuotesV1(finder, response_cache))
    )
    documentation = Documentation(
        finder.searchable_library.runner.reactor,
        *(finder, describe_api(requires_authentication), Answers(api)),
    )
    return (
        api
        | _bind(pages.SEARCH_OPERATIONS, SearchPage(finder))
        | _bind(pages.BROWSE_OPERATIONS, BrowsePages(finder))
        | _bind(pages.QUOTE_OPERATIONS, finder)
        | {each: each.handler for each in pages.FILE_OPERATIONS}
        | _bind(pages.DOCUMENTATION_OPERATIONS, documentation)
        | _bind(monitoring.PROBE_OPERATIONS, probes)
        | _bind(monitoring.WAIT_OPERATIONS, wait_route)
    )


def describe_api(requires_authentication: bool) -> ApiDescription:
    """Return the description of the API."""
    return ApiDescription(
        OPERATIONS,
        topics.INTRODUCTION,
        topics.INSTRUCTIONS,
        topics.ERRORS,
        {JSON: ErrorBody, HTML: pages.describe_error_page},
        requires_authentication,
    )


def _bind(operations: Sequence[Operation], routes: object) -> dict[Operation, _Route]:
    """Return the route of each operation of an object with routes."""
    return {each: partial(each.handler, routes) for each in operations}


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
