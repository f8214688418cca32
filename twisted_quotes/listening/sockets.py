"""
Listening sockets: their addresses, their backlog, and how they are closed.

When a listening socket is closed, the kernel resets the connections that have not been
accepted yet. To accept them first is not enough, because more may arrive in between.
Therefore the kernel is told to refuse new connections before that.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from ctypes import addressof, create_string_buffer
from re import compile, sub
from select import POLLIN, poll
from stat import S_ISSOCK
from struct import pack

from twisted.internet import unix
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress, IListeningPort, IReadDescriptor
from twisted.internet.tcp import Port
from twisted.logger import Logger

MAX_ACCEPT_BATCHES = 1000
"""The maximum number of batches accepted from a socket that is about to be closed."""

_BATCH_SIZE = 100

MAX_BACKLOG = 65535
"""The maximum length of the queue of a socket; the kernel may limit it further."""

# The path is the first parameter without a name, or the one named address.
_UNIX_ENDPOINT = compile(
    r"(?:haproxy:)*unix:(?:(?!address=)\w+=(?:\\.|[^:\\])*:)*"
    r"(?:address=|(?!\w+=))((?:\\.|[^:\\])+)"
)

# Endpoints of these types own their sockets. Those of others may be shared.
_OWNED_ENDPOINT_TYPES = {"tcp", "tcp6", "ssl", "tls", "unix", "haproxy"}

# Linux, socket(7). The socket module has no name for it.
_SO_ATTACH_FILTER = 26

# A classic BPF program that drops TCP segments with SYN (RFC 9293, section 3.1). So
# handshakes in progress are completed, and a new client retries, and is
# refused once the socket is closed.
_DROP_SYN = b"".join(
    pack("HBBI", *instruction)
    for instruction in (
        (0x30, 0, 0, 13),  # Load the byte at 13, the flags.
        (0x45, 0, 1, 0x02),  # Without SYN, skip an instruction.
        (0x06, 0, 0, 0),  # Drop.
        (0x06, 0, 0, 0xFFFFFFFF),  # Accept.
    )
)

_log = Logger()


def authority(address: IPv4Address | IPv6Address) -> str:
    """Format an address for a URL (RFC 3986, section 3.2)."""
    host = f"[{address.host}]" if isinstance(address, IPv6Address) else address.host
    return f"{host}:{address.port}"


def format_listening_address(address: IAddress, description: str) -> str:
    """Format an address as a URL, or return the endpoint if it has none."""
    if isinstance(address, IPv4Address | IPv6Address):
        secure = description.startswith(("ssl:", "tls:"))
        return f"http{'s' * secure}://{authority(address)}/"
    return description


def is_loopback(host: str) -> bool:
    """Return whether a string is a loopback address, of either version."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def is_on_loopback(port: IListeningPort, description: str) -> bool:
    """
    Return whether a port is reached from this machine only.

    @param description: the endpoint. Sockets of systemd, and ports behind a proxy that
        names its clients, may be reached from elsewhere.
    """
    address = port.getHost()
    return (
        isinstance(address, IPv4Address | IPv6Address)
        and description.split(":")[0] in _OWNED_ENDPOINT_TYPES - {"haproxy"}
        and is_loopback(address.host)
    )


def unix_socket_path(description: str) -> str | None:
    """Return the path of the UNIX socket of an endpoint, if it has one."""
    match = _UNIX_ENDPOINT.match(description)
    return None if match is None else sub(r"\\(.)", r"\1", match[1])


def remove_stale_socket(path: str) -> None:
    """
    Remove a UNIX socket on which no process listens, and its lock by Twisted.

    A service that was killed leaves both. The process id in the lock may be in use
    again, which is likely in a container.

    @param path: the socket. Nothing is removed if a process listens on it, or if it is
        not a socket.
    """
    if _is_stale_socket(path):
        for each in (path, f"{path}.lock"):
            # If this fails, listening fails as well, with a better message.
            with suppress(OSError):
                os.unlink(each)


def _is_stale_socket(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        # Do not wait for a service whose queue is full.
        client.setblocking(False)
        try:
            client.connect(path)
        except ConnectionRefusedError:
            return S_ISSOCK(os.lstat(path).st_mode)
        except FileNotFoundError:
            return os.path.islink(f"{path}.lock")
        except OSError:
            return False
    return False


def is_systemd_socket(description: str) -> bool:
    """
    Return whether the socket of an endpoint is from systemd.

    Such a socket outlives the service: connections that are not accepted wait for the
    next service.
    """
    return "systemd" in description.split(":")


def set_backlog(port: IListeningPort, description: str) -> None:
    """
    Set the maximum length of the queue of a port, unless its endpoint does.

    Twisted's default is fifty. Connections beyond that are delayed by a second, or are
    lost without notice to the client.
    """
    if isinstance(port, Port) and "backlog=" not in description:
        port.socket.listen(MAX_BACKLOG)


def reject_new_connections(port: IListeningPort, description: str) -> None:
    """
    Make the kernel refuse new connections, if the port owns its socket.

    @param description: the endpoint.
    """
    if (
        not isinstance(port, Port)
        or description.split(":")[0] not in _OWNED_ENDPOINT_TYPES
    ):
        return
    if isinstance(port, unix.Port):
        # Connections can still be accepted.
        port.socket.shutdown(socket.SHUT_RD)
        return
    bpf_program = create_string_buffer(_DROP_SYN, len(_DROP_SYN))
    filter_ = pack("HP", len(_DROP_SYN) // 8, addressof(bpf_program))
    try:
        port.socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, filter_)
    except OSError as error:
        _log.info(
            "Connections that arrive now may be reset: {reason}",
            reason=error.strerror,
        )


def accept_batches(port: IListeningPort) -> Iterator[None]:
    """Accept the connections that wait on a port, a batch for each iteration."""
    for _ in range(MAX_ACCEPT_BATCHES):
        if not IReadDescriptor.providedBy(port) or not getattr(
            port, "connected", False
        ):
            return
        ready = poll()
        ready.register(port.fileno(), POLLIN)
        if not ready.poll(0):
            return
        if isinstance(port, unix.Port):
            # A socket that was shut down is readable even if no connection waits.
            port.numberAccepts = _BATCH_SIZE
            port.doRead()
            if port.numberAccepts < _BATCH_SIZE:
                return
        else:
            port.doRead()
        yield
