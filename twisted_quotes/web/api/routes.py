"""
The routes of all operations, in one Klein app.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from re import DOTALL, compile

from klein._app import KleinRenderable
from klein._resource import KleinResource
from twisted.cred.portal import Portal
from twisted.web.iweb import IRequest
from twisted.web.resource import IResource

from twisted_quotes.search.finder import Finder
from twisted_quotes.web.http.compression import Compression
from twisted_quotes.web.http.responses import (
    PROBLEM_JSON,
    ErrorBody,
    describe_problem,
    render_methods,
)
from twisted_quotes.web.openapi.document import ApiDescription
from twisted_quotes.web.openapi.operation import (
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

from .app import Route, make_app
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

_Handler = Callable[..., KleinRenderable]

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
    compression: Compression,
    portal: Portal | None = None,
) -> IResource:
    """
    Return the resource for all URLs.

    @param portal: authenticates clients; without one, all URLs are public.
    """
    table = _route_table(finder, wait_route, probes, response_cache, portal is not None)
    routes = [
        Route(each.url, each.method, handler, each.access is PUBLIC)
        for each, handler in table.items()
    ]
    routes.append(Route(_SERVER_WIDE_PATH, "OPTIONS", _server_options))
    return _RootResource(make_app(routes, compression, render_any_error, portal))


def _route_table(
    finder: Finder,
    wait_route: WaitRoute,
    probes: Probes,
    response_cache: ResponseCache,
    requires_authentication: bool,
) -> Mapping[Operation, _Handler]:
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
        {
            JSON: ErrorBody,
            PROBLEM_JSON: describe_problem,
            HTML: pages.describe_error_page,
        },
        requires_authentication,
    )


def _bind(operations: Sequence[Operation], routes: object) -> dict[Operation, _Handler]:
    """Return the route of each operation of an object with routes."""
    return {each: partial(each.handler, routes) for each in operations}


def _server_options(request: IRequest) -> bytes:
    """Respond to OPTIONS * (RFC 9110, section 9.3.7)."""
    return render_methods(request, ["GET", "HEAD", "POST"])
