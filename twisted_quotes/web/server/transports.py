"""
The socket below a transport, and what is buffered for it.
"""

from __future__ import annotations

from fcntl import ioctl
from socket import AF_INET, AF_INET6, IPPROTO_TCP, TCP_NOTSENT_LOWAT, socket
from struct import unpack
from termios import FIONREAD, TIOCOUTQ
from typing import Any

from twisted.internet.abstract import FileDescriptor

_MAX_NOT_SENT_BYTES = 256 * 1024


def underlying_transport(transport: Any) -> Any:
    """Return the transport with the socket, below wrappers such as TLS."""
    while not isinstance(transport, FileDescriptor) and hasattr(transport, "transport"):
        transport = transport.transport
    return transport


def is_established(transport: Any) -> bool:
    """Return whether no handshake of TLS and no PROXY header is outstanding."""
    while not isinstance(transport, FileDescriptor) and hasattr(transport, "transport"):
        if (
            not getattr(transport, "_handshakeDone", True)
            or getattr(transport, "_proxyInfo", transport) is None
        ):
            return False
        transport = transport.transport
    return True


def limit_kernel_send_buffer(transport: Any) -> None:
    """
    Limit the data that the kernel buffers (tcp(7), TCP_NOTSENT_LOWAT).

    Otherwise it buffers some megabytes for a client that does not read.
    """
    handle = getattr(underlying_transport(transport), "socket", None)
    if isinstance(handle, socket) and handle.family in (AF_INET, AF_INET6):
        handle.setsockopt(IPPROTO_TCP, TCP_NOTSENT_LOWAT, _MAX_NOT_SENT_BYTES)


def discard_write_buffer(transport: Any) -> None:
    """
    Free the write buffer of a lost connection.

    References to the connection may keep it alive for a while.
    """
    descriptor = underlying_transport(transport)
    if isinstance(descriptor, FileDescriptor):
        descriptor.dataBuffer = b""
        descriptor._tempDataBuffer.clear()
        descriptor._tempDataLen = descriptor.offset = 0


def buffered_bytes(transport: Any) -> int:
    """Return the number of written bytes that the kernel has not accepted."""
    descriptor = underlying_transport(transport)
    if not isinstance(descriptor, FileDescriptor):
        return 0
    return len(descriptor.dataBuffer) - descriptor.offset + descriptor._tempDataLen


def unacknowledged_bytes(transport: Any) -> int:
    """
    Return the number of written bytes that the client's system has not acknowledged.

    These are the bytes buffered here and in the kernel (C{SIOCOUTQ}, tcp(7)).
    """
    descriptor = underlying_transport(transport)
    byte_count = buffered_bytes(descriptor)
    return byte_count + _kernel_buffer_size(descriptor, TIOCOUTQ)


def unread_bytes(transport: Any) -> int:
    """
    Return the number of received bytes that the reactor has not read.

    With TLS, they may be something else than a request.
    """
    return _kernel_buffer_size(underlying_transport(transport), FIONREAD)


def _kernel_buffer_size(descriptor: Any, request: int) -> int:
    """Return the result of a call of ioctl(2) that returns a number of bytes."""
    if not isinstance(descriptor, FileDescriptor) or descriptor.fileno() < 0:
        return 0
    [byte_count] = unpack("i", ioctl(descriptor.fileno(), request, bytes(4)))
    assert isinstance(byte_count, int)
    return byte_count
