"""
What is known of one request, for its line in the log.
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
    """What is known of one request; adapt the request to get it."""

    id: str = Attribute("A token that names the request in messages and logs.")
    fields: dict[str, Any] = Attribute("What its route noted, by name.")
    term: str | None = Attribute("What is looked for.")


@implementer(IRequestLogEntry)
class RequestLogEntry:
    """
    The record of one request, kept with it.

    @ivar id: a token that names the request in messages, answers and logs: the
        caller's own, if it sent a sane one as C{X-Request-ID}.
    @ivar fields: what its route noted: action, dictionary, entries.
    @ivar term: what is looked for, if anything is known of that.
    """

    def __init__(self, request: Request) -> None:
        supplied_id = header(request, b"x-request-id")
        self.id = supplied_id if _REQUEST_ID.fullmatch(supplied_id) else token_hex(8)
        self.fields: dict[str, Any] = {}
        self.term: str | None = None


registerAdapter(RequestLogEntry, Request, IRequestLogEntry)


def header(request: IRequest, name: bytes) -> str:
    """
    A header as text, whatever its bytes are; empty if it is not there.

    Several lines are one list (RFC 9110, section 5.3).
    """
    lines = request.requestHeaders.getRawHeaders(name) or ()
    return b", ".join(lines).decode("latin-1")


def query_string(request: IRequest) -> bytes:
    """The query of a URL. Twisted's own reading of it leaves out what is odd."""
    return bytes(request.uri.partition(b"?")[2])


def annotate(request: IRequest, **fields: Any) -> None:
    """Note something about a request for its line in the log."""
    IRequestLogEntry(request).fields.update(fields)


def annotate_term(request: IRequest, term: str) -> None:
    """Note what is looked for, which is logged at debug and nowhere else."""
    IRequestLogEntry(request).term = term
