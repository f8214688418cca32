"""
HTTP caching: entity tags, conditional requests and Cache-Control.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b

from twisted.web.http import NOT_MODIFIED
from twisted.web.iweb import IRequest

from twisted_quotes import __version__

from .request_log import header


def entity_tag(query: str, states: Mapping[str, object] | str) -> str:
    """
    Return the entity tag of the response to a query.

    @param query: the whole query, in a canonical form.
    @param states: the states of the searched dictionaries, by name, or what differs
        if any of them does.
    """
    if not isinstance(states, str):
        states = repr(sorted(states.items()))
    state = repr((__version__, query, states))
    return blake2b(state.encode("utf-8", "surrogateescape"), digest_size=12).hexdigest()


def check_not_modified(request: IRequest, tag: str) -> bool:
    """
    Return whether the client has the response, and set the status to 304 if so.

    This is the weak comparison of RFC 9110, section 13.1.2.
    """
    # An entity tag contains no quotation mark, so the header need not be parsed.
    if f'"{tag}"' not in header(request, b"if-none-match"):
        return False
    request.setResponseCode(NOT_MODIFIED)
    return True


def check_if_none_match_any(request: IRequest) -> bool:
    """
    Return whether If-None-Match is C{*}, and set the status to 304 if so.

    Call it only when the response is not an error (RFC 9110, section 13.2.1).
    """
    if header(request, b"if-none-match").strip() != "*":
        return False
    request.setResponseCode(NOT_MODIFIED)
    return True


def set_cache_headers(request: IRequest, cache_control: str, tag: str = "") -> None:
    """
    Set the headers for caches.

    @param cache_control: C{"no-cache"} lets clients store the response, but revalidate
        it before each use; C{"no-store"} forbids to store it.
    @param tag: the entity tag of the response, if it has one.
    """
    request.responseHeaders.removeHeader("etag")
    if tag:
        request.setHeader("etag", f'"{tag}"')
    request.setHeader("cache-control", cache_control)
    add_vary(request, b"accept, accept-encoding")


def add_vary(request: IRequest, names: bytes) -> None:
    """
    Add the names of request headers to Vary, unless it has them.

    @param names: the names, separated by a comma and a space.
    """
    if present := request.responseHeaders.getRawHeaders(b"vary"):
        all_names = b", ".join([*present, names]).split(b", ")
        names = b", ".join(dict.fromkeys(all_names))
    request.setHeader(b"vary", names)


def weaken_entity_tag(request: IRequest) -> None:
    """Make the entity tag of the response weak, if there is one."""
    match request.responseHeaders.getRawHeaders(b"etag"):
        case [tag] if not tag.startswith(b"W/"):
            request.setHeader(b"etag", b"W/" + tag)
