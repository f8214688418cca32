"""
The PROXY protocol of HAProxy (proxy-protocol.txt), versions 1 and 2.

Twisted's implementation closes a connection without a log message if it gets C{PROXY
UNKNOWN} or the first bytes of a header only, and raises an error for a port that is not
a number. Therefore it is given only complete and valid headers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
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
_ADDRESS_TYPES = {b"TCP4": IPv4Address, b"TCP6": IPv6Address}
_V2_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_V2_FIXED_LENGTH = 16
_V2_LOCAL, _V2_PROXY = 0x20, 0x21
# The length of the addresses by family: none, IPv4, IPv6, UNIX.
_ADDRESS_BYTES = {0: 0, 1: 12, 2: 36, 3: 216}
_TRANSPORTS = (0, 1, 2)


def split_header(data: bytes) -> tuple[bytes, bytes] | None:
    """
    Split the first bytes of a connection.

    @return: the header, in a form that Twisted reads, and what follows; L{None} if the
        header is incomplete.
    @raise ValueError: there is no valid header of either version.
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
            # What follows must be ignored, and Twisted requires a blank.
            return b"PROXY UNKNOWN \r\n", rest
        case [_, protocol, *fields] if protocol in _ADDRESS_TYPES:
            if _are_valid(fields, _ADDRESS_TYPES[protocol]):
                return line + end, rest
            raise ValueError("its PROXY header has wrong addresses")
    raise ValueError("its PROXY header names no known protocol")


def _are_valid(fields: list[bytes], address_type: Callable[[str], object]) -> bool:
    """Return whether fields are two addresses and two ports."""
    try:
        source, destination, *ports = (each.decode("ascii") for each in fields)
        address_type(source), address_type(destination)
    except ValueError:
        return False
    return len(ports) == 2 and all(
        each.isdecimal() and int(each) <= 65535 for each in ports
    )


def _split_v2(data: bytes) -> tuple[bytes, bytes] | None:
    if len(data) < _V2_FIXED_LENGTH:
        return None
    size = int.from_bytes(data[14:16], "big")
    command, family, transport = data[12], data[13] >> 4, data[13] & 0x0F
    if command not in (_V2_LOCAL, _V2_PROXY):
        raise ValueError("its PROXY header has an unknown version or command")
    if command == _V2_PROXY and not (
        transport in _TRANSPORTS and size >= _ADDRESS_BYTES.get(family, size + 1)
    ):
        raise ValueError("its PROXY header has wrong addresses")
    end = _V2_FIXED_LENGTH + size
    return (data[:end], data[end:]) if len(data) >= end else None


class ProxyHeaderReader(ProtocolWrapper):
    """Buffers data until the header is complete, then forwards all data."""

    _log = Logger()
    _header_buffer: bytes | None = b""

    def dataReceived(self, data: bytes) -> None:
        if self._header_buffer is None:
            super().dataReceived(data)
            return
        if self.disconnecting:
            return
        self._header_buffer += data
        try:
            parts = split_header(self._header_buffer)
        except ValueError as error:
            self._log.info(
                "A connection from {peer} is closed: {reason}",
                peer=str(self.getPeer()),
                reason=str(error),
            )
            self.loseConnection()
            return
        if parts is not None:
            self._header_buffer = None
            for part in filter(None, parts):
                super().dataReceived(part)


class _ProxyHeaderFactory(WrappingFactory):
    protocol = ProxyHeaderReader
    noisy = False


@implementer(IStreamServerEndpoint)
@dataclass(frozen=True)
class _ProxyHeaderEndpoint:
    endpoint: IStreamServerEndpoint

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        factory: Any = _ProxyHeaderFactory(protocolFactory)
        return self.endpoint.listen(factory)


def proxy_protocol_endpoint(endpoint: IStreamServerEndpoint) -> IStreamServerEndpoint:
    """Wrap an endpoint to which proxies connect, in the name of their clients."""
    return proxyEndpoint(_ProxyHeaderEndpoint(endpoint))
