"""
The log entry of a request.
"""

from __future__ import annotations

from re import compile
from secrets import token_hex
from typing import Any

from twisted.python.components import registerAdapter
from twisted.web.iweb import IRequest
from twisted.web.server import Request
from zope.interface import Attribute, Interface, implementer

_REQUEST_ID = compile(r"[A-Za-z0-9][A-Za-z0-9._:/+=@-]{0,127}")


class IRequestLogEntry(Interface):
    """The log entry of a request; adapt the request to get it."""

    id: str = Attribute("Identifies the request in messages, responses and logs.")
    fields: dict[str, Any] = Attribute("Fields of the log event, by name.")
    term: str | None = Attribute("The search term, which is logged only at debug.")


@implementer(IRequestLogEntry)
class RequestLogEntry:
    """
    The log entry of a request, which the request keeps.

    Its id is the C{X-Request-ID} of the client if that is a valid token.
    """

    def __init__(self, request: Request) -> None:
        supplied_id = header(request, b"x-request-id")
        self.id = supplied_id if _REQUEST_ID.fullmatch(supplied_id) else token_hex(8)
        self.fields: dict[str, Any] = {}
        self.term: str | None = None


registerAdapter(RequestLogEntry, Request, IRequestLogEntry)


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
    IRequestLogEntry(request).fields.update(fields)


def annotate_term(request: IRequest, term: str) -> None:
    """Set the search term of a request, which is logged only at debug."""
    IRequestLogEntry(request).term = term
