"""
Clients: what tells one from another, where they have their answers in turn.
"""

from __future__ import annotations

from ipaddress import IPv6Address as Address
from ipaddress import IPv6Network

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress
from twisted.web.iweb import IRequest

from .record import IRecord


def client_of(request: IRequest) -> str | None:
    """
    What tells the client of a request from others: its user, or else its address.

    @return: as for L{client_at}.
    """
    user = IRecord(request).facts.get("user")
    return client_at(request.getClientAddress()) if user is None else f"user {user}"


def client_at(address: IAddress) -> str | None:
    """
    What tells a client from others by its address.

    Of IPv6, a network of 64 bits is one client: each host there has as many
    addresses as it likes (RFC 4291, section 2.5.1).

    @param address: the address of its socket.
    @return: L{None} where all have the same, as on a UNIX socket.
    """
    if isinstance(address, IPv4Address):
        return str(address.host)
    if not isinstance(address, IPv6Address):
        return None
    host = Address(address.host.partition("%")[0])
    if host.ipv4_mapped is not None:
        return str(host.ipv4_mapped)
    return str(IPv6Network((host, 64), strict=False))
