"""
The addresses of the proxies that are believed.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from re import ASCII, compile

from twisted.internet.address import IPv4Address as IPv4Peer
from twisted.internet.address import IPv6Address as IPv6Peer
from twisted.internet.address import UNIXAddress
from twisted.internet.interfaces import IAddress

# An address of X-Forwarded-For, or a node of Forwarded (RFC 7239, section 6).
_NODE = compile(
    r"(?:\[([0-9A-Fa-f:.]{2,45})\]|([0-9.]{7,15}))(?::(?:[0-9]{1,5}|_[\w.-]+))?"
    r"|([0-9A-Fa-f:.]{2,45})",
    ASCII,
)


def parse_node(node: str) -> IPv4Address | IPv6Address | None:
    """
    Parse an address, which may have a port.

    @return: the address, L{None} if it is unknown, obfuscated or malformed. An
        IPv4-mapped IPv6 address is the IPv4 address.
    """
    matched = _NODE.fullmatch(node)
    if matched is None:
        return None
    try:
        address = ip_address(matched[1] or matched[2] or matched[3])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


@dataclass(frozen=True)
class TrustedProxies:
    """
    The proxies that are believed.

    @ivar networks: their addresses.
    @ivar unix_sockets: whether those that connect to a UNIX socket are believed.
    """

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    unix_sockets: bool = False

    @classmethod
    def parse(cls, text: str) -> TrustedProxies:
        """
        Parse addresses, networks and C{unix}, separated by commas or blanks.

        @param text: the list; C{"none"} for no proxies.
        @raise ValueError: it is empty, or has something else.
        """
        entries = text.replace(",", " ").split()
        if not entries:
            raise ValueError("empty")
        if entries == ["none"]:
            return cls()
        networks = [ip_network(each) for each in entries if each != "unix"]
        return cls(tuple(networks), "unix" in entries)

    def trusts(self, peer: IAddress) -> bool:
        """Return whether the remote address of a connection is that of a proxy."""
        if isinstance(peer, UNIXAddress):
            return self.unix_sockets
        if not (self.networks and isinstance(peer, IPv4Peer | IPv6Peer)):
            return False
        address = parse_node(peer.host.partition("%")[0])
        return address is not None and self.trusts_address(address)

    def trusts_address(self, address: IPv4Address | IPv6Address) -> bool:
        """Return whether an address is that of a proxy."""
        return any(address in network for network in self.networks)
