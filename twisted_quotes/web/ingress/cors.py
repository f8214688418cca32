"""
Cross-origin requests of scripts in browsers (CORS, a part of the Fetch standard).

Credentials that the browser keeps, such as a password typed into its dialogue, are not
allowed: C{Access-Control-Allow-Credentials} is never set. So a script can only use a
password that it knows itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from re import compile

from twisted.web.iweb import IRequest

from twisted_quotes.web.http.request_log import header
from twisted_quotes.web.http.urls import is_valid_host

ANY_ORIGIN = "*"

_ORIGIN = compile(r"([a-z][a-z0-9+.-]*)://([!-~]*[^:])")
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}

_MAX_AGE = b"7200"
_EXPOSED_HEADERS = b"ETag, Link, Retry-After, X-Request-ID"
_GET_HEADERS = b"Accept, Content-Type, If-None-Match, X-Request-ID"


def parse_origin(text: str) -> str:
    """
    Return an origin in the form in which browsers send it.

    @param text: C{scheme://host} or C{scheme://host:port}, or C{*}.
    @raise ValueError: it is something else.
    """
    matched = _ORIGIN.fullmatch(text.lower())
    if text == ANY_ORIGIN:
        return text
    if matched is None or not is_valid_host(matched[2].encode()):
        raise ValueError("not an origin")
    scheme, host = matched.groups()
    return f"{scheme}://{host.removesuffix(_DEFAULT_PORTS.get(scheme, ' '))}"


def no_path(_: bytes) -> bool:
    """Return L{False} for all paths."""
    return False


@dataclass(frozen=True)
class CORSPolicy:
    """
    Which origins may read responses.

    @ivar origins: the origins, as L{parse_origin} returns them. C{*} stands for all of
        them, with requests other than POST and without an C{Authorization} header.
    @ivar is_open: whether a path is for all origins, in the same way.
    """

    origins: frozenset[str] = frozenset()
    is_open: Callable[[bytes], bool] = no_path

    def is_preflight(self, request: IRequest) -> bool:
        """Return whether a request only asks what a script may send."""
        return (
            bool(self.origins or self.is_open(request.path))
            and request.method == b"OPTIONS"
            and request.requestHeaders.hasHeader(b"origin")
            and request.requestHeaders.hasHeader(b"access-control-request-method")
        )

    def set_headers(self, request: IRequest) -> None:
        """Set the headers of the response to a request."""
        headers = request.responseHeaders
        if self.origins - {ANY_ORIGIN}:
            # Also without an origin: a cache may have the response for the next one.
            vary = [*headers.getRawHeaders(b"vary", []), b"origin"]
            headers.setRawHeaders(b"vary", [b", ".join(vary)])
        allowed_origin = self._allowed_origin(request)
        if allowed_origin is None:
            return
        headers.setRawHeaders(b"access-control-allow-origin", [allowed_origin.encode()])
        if self.is_preflight(request):
            for name, value in _preflight_headers(allowed_origin == ANY_ORIGIN):
                headers.setRawHeaders(b"access-control-" + name, [value])
        else:
            headers.setRawHeaders(b"access-control-expose-headers", [_EXPOSED_HEADERS])

    def _allowed_origin(self, request: IRequest) -> str | None:
        origin = header(request, b"origin")
        if origin != ANY_ORIGIN and origin in self.origins:
            return origin
        # Browsers send some POST without a preflight.
        if request.method == b"POST":
            return None
        # A request that is not valid HTTP has no path.
        is_open = request.path is not None and self.is_open(request.path)
        return ANY_ORIGIN if is_open or ANY_ORIGIN in self.origins else None


def _preflight_headers(get_only: bool) -> Iterator[tuple[bytes, bytes]]:
    """Return what a script may send, as pairs of a header's name and its value."""
    methods, names = b"GET, HEAD", _GET_HEADERS
    if not get_only:
        methods, names = methods + b", POST", names + b", Authorization"
    yield b"allow-methods", methods
    yield b"allow-headers", names
    yield b"max-age", _MAX_AGE
