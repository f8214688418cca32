"""
Caching: what lets a client keep an answer, and ask whether it is still right.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b

from twisted.web.http import NOT_MODIFIED
from twisted.web.iweb import IRequest

from twisted_quotes import __version__
from twisted_quotes.library.dictionary import FileState

from .request_log import header


def entity_tag(query: str, file_states: Mapping[str, FileState]) -> str:
    """
    Name an answer: the same for the same question to the same dictionaries.

    @param query: the whole question, in any one way of writing it.
    @param file_states: the states of the dictionaries that it asks.
    """
    hash_input = repr((__version__, query, sorted(file_states.items())))
    return blake2b(
        hash_input.encode("utf-8", "surrogateescape"), digest_size=12
    ).hexdigest()


def check_not_modified(request: IRequest, tag: str) -> bool:
    """
    Whether the client has the answer; then the status is 304.

    This is the weak comparison of RFC 9110, section 13.1.2.
    """
    # No entity tag has a quotation mark in it, so there is nothing to parse.
    if f'"{tag}"' not in header(request, b"if-none-match"):
        return False
    request.setResponseCode(NOT_MODIFIED)
    return True


def check_if_none_match_any(request: IRequest) -> bool:
    """
    Whether the client has any answer, and needs no other; then the status is 304,
    unless the answer becomes an error (RFC 9110, section 13.2.1).
    """
    if header(request, b"if-none-match").strip() != "*":
        return False
    request.setResponseCode(NOT_MODIFIED)
    return True


def require_revalidation(request: IRequest, tag: str) -> None:
    """Let an answer be kept, and have it asked for each time whether it is right."""
    _set_cache_headers(request, tag, "no-cache")


def forbid_caching(request: IRequest, tag: str = "") -> None:
    """
    Have an answer kept by nobody: the next one may be another.

    @param tag: its name, for clients that keep it by means of their own.
    """
    _set_cache_headers(request, tag, "no-store")


def _set_cache_headers(request: IRequest, tag: str, cache_control: str) -> None:
    request.responseHeaders.removeHeader("etag")
    if tag:
        request.setHeader("etag", f'"{tag}"')
    request.setHeader("cache-control", cache_control)
    request.setHeader("vary", "accept")
