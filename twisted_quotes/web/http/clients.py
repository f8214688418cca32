"""
Who sends a request: the key by which clients are told apart for fair shares.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from twisted.internet.address import IPv4Address as IPv4Peer
from twisted.internet.address import IPv6Address as IPv6Peer
from twisted.internet.interfaces import IAddress
from twisted.web.iweb import IRequest

from .request_log import IRequestLogEntry

_IPV6_PREFIX_LENGTH = 64

_CLIENT_KEY_CACHE_SIZE = 4096


def client_key_for_request(request: IRequest) -> str | None:
    """
    Return the key of the client of a request: its user, or else its address.

    @return: as for L{client_key_for_address}.
    """
    user = IRequestLogEntry(request).fields.get("user")
    return (
        client_key_for_address(request.getClientAddress())
        if user is None
        else f"user {user}"
    )


def client_key_for_address(peer: IAddress) -> str | None:
    """
    Return the key of a client.

    A client with IPv6 usually has a whole network of 64 bits (RFC 6177), so that
    is its key. An IPv4 address in IPv6 form is the same client as in its own.

    @param peer: the address of the other end of a connection.
    @return: the key; L{None} where clients cannot be told apart, as over a UNIX
        socket.
    """
    if not isinstance(peer, IPv4Peer | IPv6Peer):
        return None
    return _client_key_for_host(peer.host)


@lru_cache(_CLIENT_KEY_CACHE_SIZE)
def _client_key_for_host(host: str) -> str | None:
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        network = int(address) >> (128 - _IPV6_PREFIX_LENGTH)
        return f"{IPv6Address(network << (128 - _IPV6_PREFIX_LENGTH))}/64"
    return str(address)
