"""
All URLs of the service, in one table.

One Klein app holds them all, so that what is no URL is a 404 and a wrong
method a 405 with C{Allow}, whichever room answers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
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
from werkzeug.exceptions import HTTPException

from twisted_quotes.search.finder import Finder
from twisted_quotes.web.authentication.authenticator import authenticate
from twisted_quotes.web.http.request_log import annotate
from twisted_quotes.web.http.responses import render_error
from twisted_quotes.web.pages.pages import Pages

from .health import Probes
from .response_cache import ResponseCache
from .v1 import QuotesV1
from .v2 import QuotesV2
from .wait import WaitRoute

# Whom a URL is for, where not everyone may ask: all, or those who are admitted.
PUBLIC, AUTHENTICATED = "open", "guarded"

_Route = Callable[..., KleinRenderable]

# The path of a route for OPTIONS *, which no URL leads to.
_SERVER_WIDE_PATH = "/*"


# What makes a segment empty, or one that is no plain name once it is decoded.
_NON_CANONICAL_PATH = compile(rb"//|./\Z|[%*]", DOTALL)


class _RootResource(KleinResource):
    """
    Finds the routes.

    Klein joins the decoded segments of a path again and drops slashes before
    them, which would have //metrics and /%2Fmetrics lead to /metrics.
    """

    def render(self, request: IRequest) -> KleinRenderable:
        """Answer a request, which is a 404 where its path is no plain one."""
        if request.path == b"*":
            request.postpath = [_SERVER_WIDE_PATH[1:].encode()]
        elif _NON_CANONICAL_PATH.search(request.path) and not all(
            map(_is_canonical, request.postpath)
        ):
            request.postpath = [b"", b"nowhere"]
        return super().render(request)


def _is_canonical(segment: bytes) -> bool:
    return segment not in (b"", b"*") and b"/" not in segment


def _answer_options(request: IRequest) -> bytes:
    """Answer OPTIONS *, which asks whether the server is there."""
    request.setHeader(b"content-length", b"0")
    return b""


def root_resource(
    finder: Finder,
    wait_route: WaitRoute,
    probes: Probes,
    response_cache: ResponseCache,
    portal: Portal | None = None,
) -> IResource:
    """
    Make the resource that answers all URLs; it is made once.

    @param finder: answers the questions.
    @param wait_route: answers C{/wait}.
    @param probes: answers those who run the service.
    @param response_cache: has answers shared, and keeps them.
    @param portal: knows the callers; without one, everyone may ask.
    """
    table = _route_table(finder, wait_route, probes, response_cache)
    app = Klein()
    # A redirect is no answer to a POST.
    app.url_map.merge_slashes = False
    if portal is not None:
        open_urls = {url.encode() for url, _, _, access in table if access is PUBLIC}
        _authenticate_errors(app, portal, open_urls)
    app.handle_errors(render_error)
    for url, method, route, access in table:
        if portal is not None and access is not PUBLIC:
            route = _require_authentication(portal, route)
        app.route(url, methods=[method], endpoint=url)(_log_route(url, route))
    return _RootResource(app)


def _route_table(
    finder: Finder, wait_route: WaitRoute, probes: Probes, response_cache: ResponseCache
) -> Sequence[tuple[str, str, _Route, str]]:
    """Each URL with its method, what it does, and whom it is for."""
    v1, v2 = QuotesV1(finder, response_cache), QuotesV2(finder)
    pages = Pages(finder)
    return (
        (_SERVER_WIDE_PATH, "OPTIONS", _answer_options, AUTHENTICATED),
        ("/", "GET", pages.start_page, AUTHENTICATED),
        ("/style.css", "GET", pages.stylesheet, AUTHENTICATED),
        ("/api/v1/web", "GET", pages.instructions, AUTHENTICATED),
        ("/api/v1/json", "POST", v1.find, AUTHENTICATED),
        ("/api/v2/quotes", "GET", v2.quotes, AUTHENTICATED),
        ("/api/v2/quotes/random", "GET", v2.random, AUTHENTICATED),
        ("/api/v2/quotes/<identity>", "GET", v2.quote, AUTHENTICATED),
        ("/api/v2/dictionaries", "GET", v2.dictionaries, AUTHENTICATED),
        ("/wait", "GET", wait_route.wait, AUTHENTICATED),
        ("/livez", "GET", probes.livez, PUBLIC),
        ("/readyz", "GET", probes.readyz, PUBLIC),
        ("/metrics", "GET", probes.metrics, PUBLIC),
    )


def _log_route(url: str, route: _Route) -> KleinRouteHandler:
    """Note the URL for the log, then do what the route does."""

    def answer(request: IRequest, **path_parameters: str) -> KleinRenderable:
        annotate(request, route=url)
        return route(request, **path_parameters)

    return answer


def _require_authentication(portal: Portal, route: _Route) -> _Route:
    """Do what the route does, for those who are admitted."""

    async def answer(request: IRequest, **path_parameters: str) -> Any:
        await authenticate(portal, request)
        answer = route(request, **path_parameters)
        return await answer if isawaitable(answer) else answer

    return answer


def _authenticate_errors(app: Klein, portal: Portal, open_urls: Set[bytes]) -> None:
    """Tell those who are not admitted nothing of which URLs there are."""

    @app.handle_errors(HTTPException)
    async def _authenticate(request: IRequest, failure: Failure) -> None:
        if request.path not in open_urls:
            await authenticate(portal, request)
        # On to what answers all errors.
        failure.raiseException()
