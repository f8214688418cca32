"""
Sockets that systemd hands over (sd_listen_fds(3)), and endpoints that name them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from re import compile
from resource import RLIMIT_NOFILE, getrlimit

LISTEN_FDS_START = 3
"""The first socket that systemd hands over, as an open file."""

_ENDPOINT = compile(r"((?:.*:)?)systemd:(.*)")
_PARAMETER_NAMES = ("domain", "index", "name")


def initial_environment() -> dict[str, str]:
    """
    The environment with which this process was started.

    Twisted takes what systemd says out of C{os.environ}, and forgets it where
    sockets have no names.
    """
    pairs = Path("/proc/self/environ").read_bytes().decode("utf-8", "surrogateescape")
    return dict(each.split("=", 1) for each in pairs.split("\0") if "=" in each)


def activated_socket_names(environment: Mapping[str, str], pid: int) -> tuple[str, ...]:
    """
    The names of the sockets that systemd handed over, in their order.

    @param pid: the id of this process: another one may be meant.
    @return: one for each socket; empty for one that has no name.
    """
    count = environment.get("LISTEN_FDS", "")
    if environment.get("LISTEN_PID") != str(pid) or not count.isdecimal():
        return ()
    # A process has no more open files than its limit.
    socket_count = min(int(count[:9]), getrlimit(RLIMIT_NOFILE)[0])
    names = environment.get("LISTEN_FDNAMES", "").split(":")
    names += [""] * socket_count
    return tuple(names[:socket_count])


def resolve_socket_indexes(
    descriptions: Iterable[str], names: Sequence[str]
) -> list[str]:
    """
    Have each endpoint name a socket of systemd by its index, one socket each.

    A unit may give several sockets one name: an endpoint that names it is several.

    @param descriptions: endpoints, of any kind.
    @param names: the names of the sockets that were handed over.
    @raise ValueError: an endpoint names a socket that was not handed over, or
        one that another endpoint names.
    """
    resolved: list[str] = []
    used_indexes: set[int] = set()
    for description in descriptions:
        match = _ENDPOINT.fullmatch(description)
        indexes = _socket_indexes(match[2], names) if match else None
        if match is None or indexes is None:
            resolved.append(description)
            continue
        if used_indexes.intersection(indexes):
            raise ValueError(f"{description!r}: another --listen names that socket")
        used_indexes.update(indexes)
        domain = _parse_parameters(match[2]).get("domain", "")
        resolved += [f"{match[1]}systemd:domain={domain}:index={i}" for i in indexes]
    return resolved


def unused_sockets(descriptions: Iterable[str], names: Sequence[str]) -> list[str]:
    """
    The sockets that no endpoint names, as people know them.

    @param descriptions: endpoints, as L{resolve_socket_indexes} leaves them.
    @param names: the names of the sockets that were handed over.
    """
    used = {
        each.rpartition(":index=")[2] for each in descriptions if "systemd:" in each
    }
    return [
        each for i, each in enumerate(_describe_sockets(names)) if str(i) not in used
    ]


def _parse_parameters(text: str) -> dict[str, str]:
    """The parameters of an endpoint: by name, or by their place."""
    found = {}
    for positional_name, each in zip(_PARAMETER_NAMES, text.split(":"), strict=False):
        name, equals, value = each.partition("=")
        found[name if equals else positional_name] = value if equals else each
    return found


def _socket_indexes(text: str, names: Sequence[str]) -> list[int] | None:
    """
    The sockets that an endpoint names.

    @return: their indexes; L{None} where it names none, as Twisted will say.
    @raise ValueError: there is no such socket.
    """
    parameters = _parse_parameters(text)
    index, name = parameters.get("index"), parameters.get("name")
    if (index is None) == (name is None):
        return None
    if index is not None:
        requested, indexes = index, [i for i in range(len(names)) if str(i) == index]
    else:
        requested, indexes = repr(name), [i for i, n in enumerate(names) if n == name]
    if not indexes:
        available = ", ".join(_describe_sockets(names)) or "no socket"
        raise ValueError(
            f"there is no socket {requested}: systemd handed over {available}"
        )
    return indexes


def _describe_sockets(names: Sequence[str]) -> list[str]:
    return [f"{i} ({name or 'without a name'})" for i, name in enumerate(names)]
