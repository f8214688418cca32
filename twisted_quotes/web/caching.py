"""
Caching: what lets a client keep an answer, and ask whether it is still right.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b

from twisted.web.http import NOT_MODIFIED
from twisted.web.iweb import IRequest

from .. import __version__
from ..dictionary import State
from .record import header


def entity_tag(asked: str, states: Mapping[str, State]) -> str:
    """
    Name an answer: the same for the same question to the same dictionaries.

    @param asked: the whole question, in any one way of writing it.
    @param states: the states of the dictionaries that it asks.
    """
    whole = repr((__version__, asked, sorted(states.items())))
    return blake2b(whole.encode("utf-8", "surrogateescape"), digest_size=12).hexdigest()


def is_known(request: IRequest, tag: str) -> bool:
    """
    Whether the client has the answer; then it is told that it is still right.

    This is the weak comparison of RFC 9110, section 13.1.2.
    """
    # No entity tag has a quotation mark in it, so there is nothing to parse.
    if f'"{tag}"' not in header(request, b"if-none-match"):
        return False
    request.setResponseCode(NOT_MODIFIED)
    may_be_kept(request, tag)
    return True


def may_be_kept(request: IRequest, tag: str) -> None:
    """Let an answer be kept, and have it asked for each time whether it is right."""
    request.setHeader("etag", f'"{tag}"')
    request.setHeader("cache-control", "no-cache")
    request.setHeader("vary", "accept")


def must_not_be_kept(request: IRequest) -> None:
    """Have an answer kept by nobody: the next one may be another."""
    request.setHeader("cache-control", "no-store")
    request.setHeader("vary", "accept")
