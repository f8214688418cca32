"""
A Klein app with routes, which authenticates clients and compresses responses.

It responds to any other URL with a 404, to any other method with a 405 and C{Allow},
and to OPTIONS with C{Allow}.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from inspect import isawaitable
from typing import Any, NamedTuple

from klein import Klein
from klein._app import KleinErrorHandler, KleinRenderable, KleinRouteHandler
from twisted.cred.portal import Portal
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from twisted_quotes.web.authentication.authenticator import authenticate
from twisted_quotes.web.http.compression import Compression
from twisted_quotes.web.http.request_log import annotate
from twisted_quotes.web.http.responses import render_methods


class Route(NamedTuple):
    """
    A route.

    @ivar url: the path, as Klein takes it.
    @ivar handler: responds; it takes the request, and the parameters in the path.
    @ivar is_public: whether clients need not authenticate themselves.
    """

    url: str
    method: str
    handler: Callable[..., KleinRenderable]
    is_public: bool = False


def make_app(
    routes: Sequence[Route],
    compression: Compression,
    render_error: KleinErrorHandler,
    portal: Portal | None = None,
) -> Klein:
    """
    Return an app with routes.

    @param render_error: responds to errors.
    @param portal: authenticates clients; without one, all routes are public.
    """
    app = Klein()
    # Do not redirect to the merged path: clients do not repeat a POST.
    app.url_map.merge_slashes = False
    if portal is not None:
        public_urls = {route.url.encode() for route in routes if route.is_public}

        @app.handle_errors(HTTPException)
        async def _authenticate_first(request: IRequest, failure: Failure) -> None:
            """Do not tell an unknown client which URLs and methods there are."""
            if request.path not in public_urls:
                await authenticate(portal, request)
            # Pass the error on to the next handler.
            failure.raiseException()

    app.handle_errors(MethodNotAllowed)(_respond_to_options)
    app.handle_errors(_compress(render_error, compression))
    for url, method, handler, is_public in routes:
        if portal is not None and not is_public:
            handler = _require_authentication(portal, handler)
        wrapped = _wrap_handler(url, handler, compression)
        app.route(url, methods=[method], endpoint=url)(wrapped)
    return app


def _respond_to_options(request: IRequest, failure: Failure) -> bytes:
    """Respond to OPTIONS for a URL, which no route does."""
    error = failure.value
    if request.method != b"OPTIONS" or not isinstance(error, MethodNotAllowed):
        # Pass the error on to the next handler.
        failure.raiseException()
    return render_methods(request, error.valid_methods or ())


def _wrap_handler(
    url: str, handler: Callable[..., KleinRenderable], compression: Compression
) -> KleinRouteHandler:
    """Wrap a handler to log the URL of its route, and to compress its response."""
    compressed = _compress(handler, compression)

    def respond(request: IRequest, **path_parameters: str) -> KleinRenderable:
        annotate(request, route=url)
        return compressed(request, **path_parameters)

    return respond


def _compress(
    handler: Callable[..., KleinRenderable], compression: Compression
) -> Callable[..., KleinRenderable]:
    """Wrap a handler of requests or of errors to compress its response."""

    def respond(request: IRequest, *args: Any, **kwargs: str) -> KleinRenderable:
        # Without this header, the response costs no more.
        if not request.requestHeaders.hasHeader(b"accept-encoding"):
            return handler(request, *args, **kwargs)
        return compression.respond(request, partial(handler, request, *args, **kwargs))

    return respond


def _require_authentication(
    portal: Portal, handler: Callable[..., KleinRenderable]
) -> Callable[..., KleinRenderable]:
    """Wrap a handler to authenticate the client first."""

    async def respond(request: IRequest, **path_parameters: str) -> Any:
        await authenticate(portal, request)
        response = handler(request, **path_parameters)
        return await response if isawaitable(response) else response

    return respond
