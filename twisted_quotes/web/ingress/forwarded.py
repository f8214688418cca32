"""
What trusted proxies say about requests: C{Forwarded} (RFC 7239), or else
C{X-Forwarded-For}, C{-Proto} and C{-Host}; and C{X-Forwarded-Prefix}.

A client can send these headers, too, and proxies append to what they receive. Therefore
lists are read from the end, up to the first address that is not a trusted proxy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address
from re import DOTALL, compile
from typing import NamedTuple

from twisted.web.iweb import IRequest

from twisted_quotes.web.http.request_log import header
from twisted_quotes.web.http.urls import parse_base_path

from .trusted_proxies import TrustedProxies, parse_node

MAX_PROXIES = 32
"""The maximum number of proxies in a row; what came through more is not read."""

MAX_FORWARDED_LENGTH = 4096
"""The maximum length of a Forwarded header, which is parsed from its start."""

# A parameter and its end. The pattern does not backtrack, so that the time to match is
# linear in the length of the header.
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_PARAMETER = compile(
    rf'[ \t]*+(?:({_TOKEN})=(?:({_TOKEN})|"((?:[^"\\]|\\.)*+)"))?[ \t]*+([,;]|\Z)',
    DOTALL,
)
_QUOTED_PAIR = compile(r"\\(.)", DOTALL)

_SCHEMES = {"https": True, "http": False}


class Forwarded(NamedTuple):
    """
    What trusted proxies say about a request; L{None} stands for nothing.

    @ivar address: the address of the client.
    @ivar secure: whether the client uses HTTPS.
    @ivar host: the Host header of the client, which may be invalid.
    @ivar prefix: the start of the path of the client that a proxy has removed.
    """

    address: str | None = None
    secure: bool | None = None
    host: bytes | None = None
    prefix: str | None = None


class _Hop(NamedTuple):
    """What one proxy says about a request, as it has received it."""

    address: IPv4Address | IPv6Address | None
    scheme: str
    host: str


def read_forwarded(request: IRequest, trusted: TrustedProxies) -> Forwarded:
    """
    Read what the headers of a request say that came from a trusted proxy.

    If C{Forwarded} is malformed or too long, or it and C{X-Forwarded-For} name
    different clients, one of them may be from the client. Then only the prefix counts.
    Likewise, a scheme or a host does not count if C{X-Forwarded-Proto} or C{-Host} has
    another one.
    """
    prefix = _read_prefix(request)
    found = _find_client(_x_forwarded_hops(request), trusted)
    if value := header(request, b"forwarded"):
        elements = parse_forwarded(value)
        by_x_forwarded, found = found, _find_client(_forwarded_hops(elements), trusted)
        if not elements or by_x_forwarded.address not in (None, found.address):
            return Forwarded(prefix=prefix)
        found = found._replace(
            scheme=_undisputed(found.scheme, by_x_forwarded.scheme),
            host=_undisputed(found.host, by_x_forwarded.host),
        )
    return Forwarded(
        str(found.address) if found.address else None,
        _SCHEMES.get(found.scheme.lower()),
        found.host.encode("latin-1") or None,
        prefix,
    )


def _undisputed(value: str, other: str) -> str:
    """Return a value, or nothing if another header has a different one."""
    return value if other.lower() in ("", value.lower()) else ""


def _find_client(hops: Iterable[_Hop], trusted: TrustedProxies) -> _Hop:
    """
    Return the last hop that can be believed, with the last address that is known.

    @param hops: what the proxies say; first the one that is connected to the service.
    """
    address, hop = None, _Hop(None, "", "")
    for hop in hops:
        if hop.address is None:
            break
        address = hop.address
        if not trusted.trusts_address(address):
            break
    return hop._replace(address=address)


def parse_forwarded(value: str) -> Sequence[dict[str, str]]:
    """
    Parse a Forwarded header (RFC 7239, section 4), also with blanks around semicolons.

    @return: the parameters of each element, with names in lower case; nothing if the
        value is malformed or too long.
    """
    if len(value) > MAX_FORWARDED_LENGTH:
        return []
    elements: list[dict[str, str]] = [{}]
    position, end = 0, ","
    while end:
        matched = _PARAMETER.match(value, position)
        if matched is None:
            return []
        name, token, quoted, end = matched.groups()
        if name:
            name = name.lower()
            if name in elements[-1]:
                return []
            elements[-1][name] = token or _QUOTED_PAIR.sub(r"\1", quoted)
        if end == ",":
            elements.append({})
        position = matched.end()
    return [each for each in elements if each]


def _forwarded_hops(elements: Sequence[dict[str, str]]) -> Iterator[_Hop]:
    for each in elements[: -MAX_PROXIES - 1 : -1]:
        yield _Hop(
            parse_node(each.get("for", "")), each.get("proto", ""), each.get("host", "")
        )


def _x_forwarded_hops(request: IRequest) -> Iterator[_Hop]:
    addresses, schemes, hosts = (
        _split_list(header(request, name))
        for name in (b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host")
    )
    for index in range(max(1, len(addresses))):
        address = parse_node(addresses[index]) if addresses else None
        yield _Hop(address, _item_at(schemes, index), _item_at(hosts, index))


def _split_list(value: str) -> list[str]:
    """Return the last items of a list, in reverse order."""
    items = value.rsplit(",", MAX_PROXIES)[: -MAX_PROXIES - 1 : -1]
    return [item.strip() for item in items if item.strip()]


def _item_at(items: Sequence[str], index: int) -> str:
    """Return an item; a single one is that of all proxies."""
    if index < len(items):
        return items[index]
    return items[0] if len(items) == 1 else ""


def _read_prefix(request: IRequest) -> str | None:
    try:
        return parse_base_path(header(request, b"x-forwarded-prefix"))
    except ValueError:
        return None
