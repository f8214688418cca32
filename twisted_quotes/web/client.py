"""
Clients: what tells one from another, where they have their answers in turn.
"""

from __future__ import annotations

from twisted.web.iweb import IRequest

from .peers import client_of
from .record import IRecord


def client_asking(request: IRequest) -> str | None:
    """
    Return the key of the client of a request: its user, or else its address.

    @return: as for L{client_of}.
    """
    user = IRecord(request).facts.get("user")
    return client_of(request.getClientAddress()) if user is None else f"user {user}"
