"""
Log entries and headers of requests.
"""

from __future__ import annotations

from collections.abc import Sequence
from re import compile
from secrets import token_hex
from typing import Any

from msgspec import UNSET, Struct, UnsetType
from twisted.web.iweb import IRequest

_REQUEST_ID = compile(r"[A-Za-z0-9][A-Za-z0-9._:/+=@-]{0,127}")


class RequestLogEntry:
    """
    The log entry of a request.

    @ivar id: identifies the request in messages, responses and logs: the
        C{X-Request-ID} of the client if that is a valid token.
    @ivar fields: the fields of the log event, by name.
    @ivar term: the search term, which is logged only at debug.
    """

    def __init__(self, request: IRequest) -> None:
        supplied_id = header(request, b"x-request-id")
        self.id = supplied_id if _REQUEST_ID.fullmatch(supplied_id) else token_hex(8)
        self.fields: dict[str, Any] = {}
        self.term: str | None = None


def log_entry(request: Any) -> RequestLogEntry:
    """Return the log entry of a request, which the request keeps."""
    try:
        entry: RequestLogEntry = request.log_entry
    except AttributeError:
        entry = request.log_entry = RequestLogEntry(request)
    return entry


def header(request: IRequest, name: bytes) -> str:
    """
    Return a request header as text, decoded as Latin-1; empty if it is missing.

    Several lines are joined to one list (RFC 9110, section 5.3).
    """
    lines = request.requestHeaders.getRawHeaders(name) or ()
    return b", ".join(lines).decode("latin-1")


def query_string(request: IRequest) -> bytes:
    """Return the raw query string; C{request.args} omits malformed parameters."""
    return bytes(request.uri.partition(b"?")[2])


def annotate(request: IRequest, **fields: Any) -> None:
    """Add fields to the log event of a request."""
    log_entry(request).fields.update(fields)


def annotate_query(
    request: IRequest, query: Struct, dictionary_names: Sequence[str]
) -> None:
    """Add the dictionaries and the search term of a query to the log entry."""
    annotate(request, dictionary=", ".join(dictionary_names))
    term, search = getattr(query, "term", UNSET), getattr(query, "q", UNSET)
    searched = search if term is UNSET else term
    if not isinstance(searched, UnsetType):
        annotate_term(request, searched)


def annotate_term(request: IRequest, term: str) -> None:
    """Set the search term of a request, which is logged only at debug."""
    log_entry(request).term = term
