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

_TOKEN = compile(r"[A-Za-z0-9][A-Za-z0-9._:/+=@-]{0,127}")


class IRecord(Interface):
    """What is known of one request; adapt the request to get it."""

    id: str = Attribute("A token that names the request in messages and logs.")
    facts: dict[str, Any] = Attribute("What its route noted, by name.")
    term: str | None = Attribute("What is looked for.")


@implementer(IRecord)
class Record:
    """
    The record of one request, kept with it.

    @ivar id: a token that names the request in messages, answers and logs: the
        caller's own, if it sent a sane one as C{X-Request-ID}.
    @ivar facts: what its route noted: action, dictionary, entries.
    @ivar term: what is looked for, if anything is known of that.
    """

    def __init__(self, request: Request) -> None:
        named = header(request, b"x-request-id")
        self.id = named if _TOKEN.fullmatch(named) else token_hex(8)
        self.facts: dict[str, Any] = {}
        self.term: str | None = None


registerAdapter(Record, Request, IRecord)


def header(request: IRequest, name: bytes) -> str:
    """
    A header as text, whatever its bytes are; empty if it is not there.

    Several lines are one list (RFC 9110, section 5.3).
    """
    lines = request.requestHeaders.getRawHeaders(name) or ()
    return b", ".join(lines).decode("latin-1")


def query_of(request: IRequest) -> bytes:
    """The query of a URL. Twisted's own reading of it leaves out what is odd."""
    return bytes(request.uri.partition(b"?")[2])


def note(request: IRequest, **facts: Any) -> None:
    """Note something about a request for its line in the log."""
    IRecord(request).facts.update(facts)


def note_term(request: IRequest, term: str) -> None:
    """Note what is looked for, which is logged at debug and nowhere else."""
    IRecord(request).term = term
