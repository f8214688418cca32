"""
Host names, the base URL for the links in responses, and paths below it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from re import compile
from urllib.parse import parse_qsl, quote

from twisted.internet.abstract import isIPv6Address
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.web.iweb import IRequest

from twisted_quotes.listening.sockets import authority, is_loopback

from .request_log import query_string

# A name, an IPv4 address or an IPv6 address in brackets, and a port (RFC 9110, 7.2).
_LABEL = rb"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = compile(
    rb"(?:%b(?:\.%b)*\.?|\[(?P<address>[0-9A-Fa-f:.]{2,45})\])(?::(?P<port>[0-9]{0,5}))?"
    % (_LABEL, _LABEL)
)

_MAX_HOST_LENGTH = 261

_URL_CHARACTERS = "/?&=%+:,;@!$'()*~"

# These characters need no escaping in a URL, in HTML or in a shell.
_BASE_PATH = compile(r"((?:/(?!\.\.?(?:/|\Z))[A-Za-z0-9_.~-]+)*+)/?")

_MAX_BASE_PATH_LENGTH = 256

# Load balancers request them from the process itself, also if it has a base path.
PROBE_PATHS = (b"/livez", b"/readyz", b"/metrics")

# Most requests name one of a few hosts.
_cached = lru_cache(maxsize=256)


def is_valid_host(value: bytes) -> bool:
    """Return whether the value of a Host header is valid (RFC 9110, section 7.2)."""
    return len(value) <= _MAX_HOST_LENGTH and _is_valid_host(value)


@_cached
def _is_valid_host(value: bytes) -> bool:
    matched = _HOST.fullmatch(value)
    if matched is None or int(matched["port"] or 0) > 65535:
        return False
    return matched["address"] is None or isIPv6Address(matched["address"].decode())


def is_allowed_host(host: bytes, allowed_hosts: Collection[str]) -> bool:
    """
    Return whether a host is loopback or one of the allowed hosts.

    This prevents DNS rebinding: a web page whose name resolves to this machine could
    otherwise read what only its visitors can reach.

    @param host: a Host header for which L{is_valid_host} is true.
    @param allowed_hosts: names and addresses; C{"*"} allows any host.
    """
    if "*" in allowed_hosts or _is_loopback(host):
        return True
    return _normalize_hostname(host.decode()) in map(_normalize_hostname, allowed_hosts)


@_cached
def _is_loopback(host: bytes) -> bool:
    name = _normalize_hostname(host.decode())
    return name == "localhost" or name.endswith(".localhost") or is_loopback(name)


def _normalize_hostname(host: str) -> str:
    """Return the lower-case name or address, without port, brackets or final dot."""
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    return host.removesuffix(".").lower()


def parse_base_path(text: str) -> str:
    """
    Return a base path without a trailing slash: C{"/below/a/path"}, or C{""} for C{/}.

    @raise ValueError: it is not a path of ASCII letters, digits and C{-._~}.
    """
    matched = _BASE_PATH.fullmatch(text[: _MAX_BASE_PATH_LENGTH + 1])
    if not text or matched is None or len(text) > _MAX_BASE_PATH_LENGTH:
        raise ValueError("not a path")
    return matched[1]


def path_below(base_path: str, path: bytes) -> bytes | None:
    """
    Return the path of a request below a base path.

    @param path: the path; L{PROBE_PATHS}, also with a slash at their end, and C{*}
        have no base path.
    @return: the path; empty if it is the base path without a slash at its end;
        L{None} if it is not below the base path.
    """
    if path.removesuffix(b"/") in PROBE_PATHS or not path.startswith(b"/"):
        return path
    below = path.removeprefix(base_path.encode())
    if (below == path and base_path) or (below and not below.startswith(b"/")):
        return None
    return below


def base_path(request: IRequest) -> str:
    """
    Return the path of the service as the client sees it: C{""} or C{"/below/a/path"}.

    All links to the service itself start with it.
    """
    return str(getattr(request, "base_path", ""))


def base_url(request: IRequest, default_origin: str = "") -> str:
    """
    Return the URL of the service as the client sees it, without a trailing slash.

    It has the address of the socket if the request has no host, several, or one that
    is not valid or not allowed.

    @param default_origin: the scheme and the host if the socket has no host, either.
    """
    scheme = "https" if request.isSecure() else "http"
    allowed_hosts = getattr(request, "allowed_hosts", ("*",))
    path = base_path(request)
    match _requested_hosts(request):
        case [host] if is_valid_host(host) and is_allowed_host(host, allowed_hosts):
            return f"{scheme}://{host.decode()}{path}"
    address = request.getHost()
    if isinstance(address, IPv4Address | IPv6Address):
        return f"{scheme}://{authority(address)}{path}"
    return f"{default_origin}{path}"


def _requested_hosts(request: IRequest) -> Sequence[bytes]:
    """Return the host that a trusted proxy names, or else the Host headers."""
    forwarded = getattr(request, "forwarded", None)
    if forwarded is not None and forwarded.host is not None:
        return [forwarded.host]
    hosts: Sequence[bytes] = request.requestHeaders.getRawHeaders(b"host", ())
    return hosts


def next_page_url(request: IRequest, offset: int) -> str:
    """Return the URL of a request with another C{offset}."""
    parameters = query_string(request).decode("latin-1").split("&")
    others = [each for each in parameters if each and not _is_offset(each)]
    target = (
        f"{request.path.decode('latin-1')}?{'&'.join([*others, f'offset={offset}'])}"
    )
    # A client may have sent characters that a header must not contain.
    return base_url(request) + quote(target, _URL_CHARACTERS, "latin-1")


def _is_offset(parameter: str) -> bool:
    return [name for name, _ in parse_qsl(parameter, True)] == ["offset"]
