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
from twisted_quotes.web.authentication.authenticator import Guard
from twisted_quotes.web.http.request_log import note
from twisted_quotes.web.http.responses import answer_errors
from twisted_quotes.web.pages.pages import Pages

from .health import Probes
from .response_cache import SharedAnswers
from .v1 import QuotesV1
from .v2 import QuotesV2
from .wait import Waits

# Whom a URL is for, where not everyone may ask: all, or those who are admitted.
OPEN, GUARDED = "open", "guarded"

_Route = Callable[..., KleinRenderable]

# The path of a route for OPTIONS *, which no URL leads to.
_SERVER = "/*"


# What makes a segment empty, or one that is no plain name once it is decoded.
_ODD = compile(rb"//|./\Z|[%*]", DOTALL)


class _Root(KleinResource):
    """
    Finds the routes.

    Klein joins the decoded segments of a path again and drops slashes before
    them, which would have //metrics and /%2Fmetrics lead to /metrics.
    """

    def render(self, request: IRequest) -> KleinRenderable:
        """Answer a request, which is a 404 where its path is no plain one."""
        if request.path == b"*":
            request.postpath = [_SERVER[1:].encode()]
        elif _ODD.search(request.path) and not all(map(_is_plain, request.postpath)):
            request.postpath = [b"", b"nowhere"]
        return super().render(request)


def _is_plain(segment: bytes) -> bool:
    return segment not in (b"", b"*") and b"/" not in segment


def _options(request: IRequest) -> bytes:
    """Answer OPTIONS *, which asks whether the server is there."""
    request.setHeader(b"content-length", b"0")
    return b""


def root_resource(
    finder: Finder,
    waits: Waits,
    probes: Probes,
    shared: SharedAnswers,
    portal: Portal | None = None,
) -> IResource:
    """
    Make the resource that answers all URLs; it is made once.

    @param finder: answers the questions.
    @param waits: answers C{/wait}.
    @param probes: answers those who run the service.
    @param shared: has answers shared, and keeps them.
    @param portal: knows the callers; without one, everyone may ask.
    """
    table = _table(finder, waits, probes, shared)
    app = Klein()
    # A redirect is no answer to a POST.
    app.url_map.merge_slashes = False
    guard = None if portal is None else Guard(portal)
    if guard is not None:
        open_urls = {url.encode() for url, _, _, access in table if access is OPEN}
        _guard_errors(app, guard, open_urls)
    answer_errors(app)
    for url, method, route, access in table:
        if guard is not None and access is not OPEN:
            route = _guarded(guard, route)
        app.route(url, methods=[method], endpoint=url)(_noted(url, route))
    return _Root(app)


def _table(
    finder: Finder, waits: Waits, probes: Probes, shared: SharedAnswers
) -> Sequence[tuple[str, str, _Route, str]]:
    """Each URL with its method, what it does, and whom it is for."""
    v1, v2 = QuotesV1(finder, shared), QuotesV2(finder)
    pages = Pages(finder)
    return (
        (_SERVER, "OPTIONS", _options, GUARDED),
        ("/", "GET", pages.start, GUARDED),
        ("/style.css", "GET", pages.style, GUARDED),
        ("/api/v1/web", "GET", pages.instructions, GUARDED),
        ("/api/v1/json", "POST", v1.find, GUARDED),
        ("/api/v2/quotes", "GET", v2.quotes, GUARDED),
        ("/api/v2/quotes/random", "GET", v2.random, GUARDED),
        ("/api/v2/quotes/<identity>", "GET", v2.quote, GUARDED),
        ("/api/v2/dictionaries", "GET", v2.dictionaries, GUARDED),
        ("/wait", "GET", waits.wait, GUARDED),
        ("/livez", "GET", probes.livez, OPEN),
        ("/readyz", "GET", probes.readyz, OPEN),
        ("/metrics", "GET", probes.metrics, OPEN),
    )


def _noted(url: str, route: _Route) -> KleinRouteHandler:
    """Note the URL for the log, then do what the route does."""

    def answer(request: IRequest, **parts: str) -> KleinRenderable:
        note(request, route=url)
        return route(request, **parts)

    return answer


def _guarded(guard: Guard, route: _Route) -> _Route:
    """Do what the route does, for those who are admitted."""

    async def answer(request: IRequest, **parts: str) -> Any:
        await guard.admit(request)
        answer = route(request, **parts)
        return await answer if isawaitable(answer) else answer

    return answer


def _guard_errors(app: Klein, guard: Guard, open_urls: Set[bytes]) -> None:
    """Tell those who are not admitted nothing of which URLs there are."""

    @app.handle_errors(HTTPException)
    async def _admit(request: IRequest, failure: Failure) -> None:
        if request.path not in open_urls:
            await guard.admit(request)
        # On to what answers all errors.
        failure.raiseException()
