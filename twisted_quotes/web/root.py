"""
All URLs of the service, in one table.

One Klein app holds them all, so that what is no URL is a 404 and a wrong
method a 405 with C{Allow}, whichever room answers.
"""

from __future__ import annotations

from collections.abc import Callable

from klein import Klein
from klein._app import KleinRenderable, KleinRouteHandler
from twisted.web.iweb import IRequest
from twisted.web.resource import IResource

from ..finder import Finder
from ..metrics import Metrics
from ..readiness import Readiness
from .answers import answer_errors
from .pages import Pages
from .probes import Probes
from .record import note
from .v1 import QuotesV1
from .v2 import QuotesV2
from .waits import Waits


def root_resource(
    finder: Finder, waits: Waits, readiness: Readiness, metrics: Metrics
) -> IResource:
    """
    Make the resource that answers all URLs; it is made once.

    @param finder: answers the questions.
    @param waits: answers C{/wait}.
    @param readiness: answers C{/readyz}.
    @param metrics: answers C{/metrics}.
    """
    v1, v2 = QuotesV1(finder), QuotesV2(finder)
    pages, probes = Pages(finder.library), Probes(readiness, metrics)
    app = Klein()
    # A redirect is no answer to a POST.
    app.url_map.merge_slashes = False
    answer_errors(app)
    for url, method, route in (
        ("/", "GET", pages.start),
        ("/style.css", "GET", pages.style),
        ("/api/v1/web", "GET", pages.instructions),
        ("/api/v1/json", "POST", v1.find),
        ("/api/v2/quotes", "GET", v2.quotes),
        ("/api/v2/quotes/random", "GET", v2.random),
        ("/api/v2/quotes/<identity>", "GET", v2.quote),
        ("/api/v2/dictionaries", "GET", v2.dictionaries),
        ("/wait", "GET", waits.wait),
        ("/livez", "GET", probes.livez),
        ("/readyz", "GET", probes.readyz),
        ("/metrics", "GET", probes.metrics),
    ):
        app.route(url, methods=[method], endpoint=url)(_noted(url, route))
    return app.resource()


def _noted(url: str, route: Callable[..., KleinRenderable]) -> KleinRouteHandler:
    """Note the URL for the log, then do what the route does."""

    def answer(request: IRequest, **parts: str) -> KleinRenderable:
        note(request, route=url)
        return route(request, **parts)

    return answer
