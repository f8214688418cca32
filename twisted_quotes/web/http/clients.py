"""
Client keys, which tell clients apart for fair shares of the limits.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, ip_address, ip_network

from twisted.internet.address import IPv4Address as IPv4Peer
from twisted.internet.address import IPv6Address as IPv6Peer
from twisted.internet.interfaces import IAddress
from twisted.web.iweb import IRequest

from .request_log import log_entry


def client_key_for_request(request: IRequest) -> str | None:
    """Return the key of the authenticated user, or else that of the address."""
    user = log_entry(request).fields.get("user")
    if user is not None:
        return f"user {user}"
    return client_key_for_address(request.getClientAddress())


def client_key_for_address(peer: IAddress) -> str | None:
    """
    Return the key of the client at an address.

    An IPv6 client usually has a whole network of 64 bits (RFC 6177), so the network
    is its key. An IPv4-mapped IPv6 address has the key of the IPv4 address.

    @param peer: the remote address of a connection.
    @return: the key, or L{None} if clients cannot be told apart, as on a UNIX socket.
    """
    if not isinstance(peer, IPv4Peer | IPv6Peer):
        return None
    return _client_key_for_host(peer.host)


@lru_cache(maxsize=4096)
def _client_key_for_host(host: str) -> str | None:
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ip_network((address, 64), strict=False))
