"""
Who sends a request: the key by which clients are told apart for fair shares.
"""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address

from twisted.internet.address import IPv4Address as IPv4Peer
from twisted.internet.address import IPv6Address as IPv6Peer
from twisted.internet.interfaces import IAddress

_IPV6_NETWORK_BITS = 64


def client_of(peer: IAddress) -> str | None:
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
    try:
        address = ip_address(peer.host.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        network = int(address) >> (128 - _IPV6_NETWORK_BITS)
        return f"{IPv6Address(network << (128 - _IPV6_NETWORK_BITS))}/64"
    return str(address)
