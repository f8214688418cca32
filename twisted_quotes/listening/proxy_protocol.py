"""
The PROXY protocol, as HAProxy and others speak it (proxy-protocol.txt, versions 1
and 2), in front of Twisted's reading of it.

Twisted drops C{PROXY UNKNOWN}, and a header of which less than its first bytes
comes at once, in silence, and takes a port that is no number for an error of its
own. So it is given each header whole, checked, and in a form that it reads.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IListeningPort,
    IProtocolFactory,
    IStreamServerEndpoint,
)
from twisted.logger import Logger
from twisted.protocols.haproxy import proxyEndpoint
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from zope.interface import implementer

_V1_PREFIX = b"PROXY "
_V1_MAX_LENGTH = 107
_V2_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_V2_FIXED_LENGTH = 16
_VERSION_2 = 0x20
_LOCAL, _PROXY = 0, 1
# By family: none, IPv4, IPv6, UNIX.
_ADDRESS_BYTES = {0: 0, 1: 12, 2: 36, 3: 216}
_TRANSPORTS = (0, 1, 2)


def split_header(data: bytes) -> tuple[bytes, bytes] | None:
    """
    Split what came on a connection.

    @return: the header, as Twisted reads it, and what follows; L{None} where the
        header is not complete.
    @raise ValueError: it does not begin with a header of either version.
    """
    if _V1_PREFIX.startswith(data[: len(_V1_PREFIX)]):
        return _split_v1(data)
    if _V2_SIGNATURE.startswith(data[: len(_V2_SIGNATURE)]):
        return _split_v2(data)
    raise ValueError("it has no PROXY header")


def _split_v1(data: bytes) -> tuple[bytes, bytes] | None:
    line, end, rest = data.partition(b"\r\n")
    if len(line + end) > _V1_MAX_LENGTH:
        raise ValueError("its PROXY header is too long")
    if not end:
        return None
    match line.split(b" "):
        case [_, b"UNKNOWN", *_]:
            # The addresses are those of the connection, whatever follows.
            return b"PROXY UNKNOWN \r\n", rest
        case [_, b"TCP4", *addresses]:
            _check_addresses(addresses, IPv4Address)
        case [_, b"TCP6", *addresses]:
            _check_addresses(addresses, IPv6Address)
        case _:
            raise ValueError("its PROXY header names no known protocol")
    return line + end, rest


def _check_addresses(
    fields: list[bytes], address_type: type[IPv4Address] | type[IPv6Address]
) -> None:
    try:
        source, destination, *ports = (each.decode("ascii") for each in fields)
        address_type(source), address_type(destination)
        numbers = [int(each) for each in ports if each.isdecimal()]
        valid = len(ports) == len(numbers) == 2 and max(numbers) <= 65535
    except ValueError:
        valid = False
    if not valid:
        raise ValueError("its PROXY header has wrong addresses")


def _split_v2(data: bytes) -> tuple[bytes, bytes] | None:
    if len(data) < _V2_FIXED_LENGTH:
        return None
    size = int.from_bytes(data[14:16], "big")
    version, command = data[12] & 0xF0, data[12] & 0x0F
    family, transport = data[13] >> 4, data[13] & 0x0F
    if version != _VERSION_2 or command not in (_LOCAL, _PROXY):
        raise ValueError("its PROXY header has an unknown version or command")
    if command == _PROXY and not (
        transport in _TRANSPORTS and size >= _ADDRESS_BYTES.get(family, size + 1)
    ):
        raise ValueError("its PROXY header has wrong addresses")
    end = _V2_FIXED_LENGTH + size
    return (data[:end], data[end:]) if len(data) >= end else None


class ProxyHeaderReader(ProtocolWrapper):
    """Waits for the header, and passes all on from then on."""

    _log = Logger()
    _header_buffer: bytes | None = b""

    def dataReceived(self, data: bytes) -> None:
        """Take what has come."""
        if self._header_buffer is None:
            super().dataReceived(data)
            return
        if self.disconnecting:
            return
        self._header_buffer += data
        try:
            split = split_header(self._header_buffer)
        except ValueError as error:
            self._log.info(
                "A connection from {peer} is closed: {reason}",
                peer=str(self.getPeer()),
                reason=str(error),
            )
            self.loseConnection()
            return
        if split is not None:
            self._header_buffer = None
            for each in filter(None, split):
                super().dataReceived(each)


class _ProxyHeaderFactory(WrappingFactory):
    protocol = ProxyHeaderReader
    noisy = False


@implementer(IStreamServerEndpoint)
class _ProxyHeaderEndpoint:
    """Has each connection of another endpoint read by a L{ProxyHeaderReader} first."""

    def __init__(self, endpoint: IStreamServerEndpoint) -> None:
        self._endpoint = endpoint

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Listen where the other one does."""
        factory: Any = _ProxyHeaderFactory(protocolFactory)
        return self._endpoint.listen(factory)


def proxy_protocol_endpoint(endpoint: IStreamServerEndpoint) -> IStreamServerEndpoint:
    """
    An endpoint whose clients are those that the PROXY header names.

    @param endpoint: where proxies connect.
    """
    return proxyEndpoint(_ProxyHeaderEndpoint(endpoint))
