"""
Listening sockets: how many may wait there, and how they are closed without a
reset for who has connected.

Closing a listening socket resets the connections that the kernel has made and
nobody has accepted yet. However quickly one accepts before closing, another
client may come in between; so first the kernel is told to let nobody new in.
"""

from __future__ import annotations

import ipaddress as ip
import os
import socket
from contextlib import suppress
from ctypes import addressof, create_string_buffer
from re import compile, sub
from select import POLLIN, poll
from stat import S_ISSOCK
from struct import pack

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress, IListeningPort, IReadDescriptor
from twisted.internet.tcp import Port
from twisted.logger import Logger

MAX_ACCEPT_BATCHES = 1000
"""How many times connections are accepted at the end; guards against no end."""

MAX_BACKLOG = 65535
"""How many may wait to be let in; the kernel's own limit is less (listen(2))."""

_UNIX_ENDPOINT = compile(r"(?:haproxy:)*unix:(?:address=)?((?:\\.|[^:\\])+)")

# The first word of an endpoint whose socket is nobody else's.
_OWNED_ENDPOINT_TYPES = {"tcp", "tcp6", "ssl", "tls", "haproxy"}

# Linux, socket(7). Python's socket module has no name for it.
_SO_ATTACH_FILTER = 26

# A classic BPF program: what has SYN set among the TCP flags (RFC 9293, section
# 3.1) is dropped, anything else goes on. So handshakes that have begun come to
# their end, and who begins one now tries again, and finds the socket closed.
_DROP_SYN = b"".join(
    pack("HBBI", *instruction)
    for instruction in (
        (0x30, 0, 0, 13),  # load the byte at 13: the flags
        (0x45, 0, 1, 0x02),  # go on to the next if SYN is set, else pass over it
        (0x06, 0, 0, 0),  # drop
        (0x06, 0, 0, 0xFFFFFFFF),  # let in
    )
)

_log = Logger()


def authority(address: IPv4Address | IPv6Address) -> str:
    """An address as it stands in a URL (RFC 3986, section 3.2)."""
    host = f"[{address.host}]" if isinstance(address, IPv6Address) else address.host
    return f"{host}:{address.port}"


def format_listening_address(address: IAddress, description: str) -> str:
    """
    A listening address as people and scripts can use it.

    @param description: the endpoint.
    """
    if isinstance(address, IPv4Address | IPv6Address):
        secure = description.startswith(("ssl:", "tls:"))
        return f"http{'s' * secure}://{authority(address)}/"
    return description


def is_loopback(host: str) -> bool:
    """
    Whether an address is one of loopback, which only this machine can reach.

    @param host: an address of either version; anything else is none.
    """
    try:
        address = ip.ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ip.IPv6Address) else None
    return (mapped or address).is_loopback


def is_on_loopback(port: IListeningPort, description: str) -> bool:
    """
    Whether those who reach a port directly are on this machine.

    @param description: the endpoint. Those of systemd, and those behind a proxy
        that tells whom it speaks for, are not taken to be.
    """
    address = port.getHost()
    return (
        isinstance(address, IPv4Address | IPv6Address)
        and description.split(":")[0] in _OWNED_ENDPOINT_TYPES - {"haproxy"}
        and is_loopback(address.host)
    )


def unix_socket_path(description: str) -> str | None:
    """The file of a UNIX socket, as the description of an endpoint names it."""
    matched = _UNIX_ENDPOINT.match(description)
    return None if matched is None else sub(r"\\(.)", r"\1", matched[1])


def remove_stale_socket(path: str) -> None:
    """
    Remove a UNIX socket, and Twisted's lock beside it, where nobody listens on it.

    A service that was killed leaves both. The lock holds the id of its process,
    which may be that of another one by now; in a container it often is.

    @param path: the file of the socket. One that belongs to a service that lives
        is left, and so is a file that is no socket.
    """
    if not _is_stale_socket(path):
        return
    for each in (path, f"{path}.lock"):
        # Where that is impossible, listening fails, and tells why.
        with suppress(OSError):
            os.unlink(each)


def _is_stale_socket(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        # A service whose queue is full must not be waited for.
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
    Whether a listening socket outlives the service: whether systemd has opened it.

    Who has connected there and was not let in waits for the service that comes
    next, so that none is lost when one follows the other.

    @param description: the endpoint.
    """
    return "systemd" in description.split(":")


def set_backlog(port: IListeningPort, description: str) -> None:
    """
    Have the kernel keep those who connect faster than they are let in.

    Twisted has fifty of them wait. Of those that come after, many try again a
    second later, and some believe that they are connected and are not.

    @param description: the endpoint. Where it says how many may wait, that holds.
    """
    if isinstance(port, Port) and "backlog=" not in description:
        port.socket.listen(MAX_BACKLOG)


def reject_new_connections(port: IListeningPort, description: str) -> None:
    """
    Have the kernel begin no more connections on a port, where it can.

    @param description: the endpoint, which is not one that L{is_systemd_socket}.
    """
    if (
        not isinstance(port, Port)
        or description.split(":")[0] not in _OWNED_ENDPOINT_TYPES
    ):
        return
    if port.addressFamily not in (socket.AF_INET, socket.AF_INET6):
        return
    bpf_program = create_string_buffer(_DROP_SYN, len(_DROP_SYN))
    filter_ = pack("HP", len(_DROP_SYN) // 8, addressof(bpf_program))
    try:
        port.socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, filter_)
    except OSError as error:
        _log.info(
            "A client that connects just now may be reset: {reason}",
            reason=error.strerror,
        )


def accept_batch(port: IListeningPort) -> bool:
    """Accept some of those who have connected; return whether there were any."""
    if not IReadDescriptor.providedBy(port) or not getattr(port, "connected", False):
        return False
    ready = poll()
    ready.register(port.fileno(), POLLIN)
    if not ready.poll(0):
        return False
    port.doRead()
    return True


def accept_backlog(port: IListeningPort) -> None:
    """Accept all who have connected, before the listening socket closes."""
    for _ in range(MAX_ACCEPT_BATCHES):
        if not accept_batch(port):
            break
