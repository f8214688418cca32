"""
The URLs of Quotable, in front of all others.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from re import compile
from typing import Any

from twisted.cred.portal import Portal
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest
from twisted.web.resource import IResource, Resource

from twisted_quotes.search.finder import Finder
from twisted_quotes.web.http.compression import Compression
from twisted_quotes.web.http.responses import prepare_error, render_json
from twisted_quotes.web.pages.rendering import prefers_html

from ..app import Route, make_app
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


def is_quotable_path(path: bytes) -> bool:
    """Return whether a path is one of Quotable, which any origin may read."""
    return _PATH.fullmatch(path) is not None


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
        return self._quotable.render(request)


def quotable_resource(
    others: IResource,
    finder: Finder,
    response_cache: ResponseCache,
    compression: Compression,
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
    handlers: Mapping[str, Callable[..., Awaitable[bytes]]] = {
        "/random": quotes.random_quote,
        "/quotes": quotes.quotes,
        "/quotes/random": quotes.random_quotes,
        "/quotes/<identity>": quotes.quote,
        "/authors": listings.authors,
        "/authors/<slug>": listings.author,
        "/tags": listings.tags,
        "/search/quotes": quotes.search,
        "/search/authors": listings.search_authors,
    }
    routes = [Route(url, "GET", handler) for url, handler in handlers.items()]
    app = make_app(routes, compression, _render_error, portal)
    return QuotableResource(app.resource(), others)


def _render_error(request: IRequest, failure: Failure) -> bytes:
    """Log a failure, and respond with an error as Quotable does."""
    return render_json(request, ErrorBody(*prepare_error(request, failure)))
