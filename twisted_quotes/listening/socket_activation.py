"""
Sockets that systemd passes to the service (sd_listen_fds(3)), and their endpoints.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from re import compile
from resource import RLIMIT_NOFILE, getrlimit

LISTEN_FDS_START = 3
"""The descriptor of the first socket that systemd passes."""

_ENDPOINT = compile(r"((?:.*:)?)systemd:(.*)")
_PARAMETER_NAMES = ("domain", "index", "name")


def initial_environment() -> dict[str, str]:
    """
    Return the environment with which this process was started.

    Twisted removes the variables of systemd from C{os.environ}, and ignores them if the
    sockets have no names.
    """
    pairs = Path("/proc/self/environ").read_bytes().decode("utf-8", "surrogateescape")
    return dict(each.split("=", 1) for each in pairs.split("\0") if "=" in each)


def activated_socket_names(environment: Mapping[str, str], pid: int) -> tuple[str, ...]:
    """
    Return the names of the sockets that systemd has passed, in order.

    @param pid: the id of this process: the variables may be for another one.
    @return: one name for each socket; empty for a socket without a name.
    """
    count = environment.get("LISTEN_FDS", "")
    if environment.get("LISTEN_PID") != str(pid) or not count.isdecimal():
        return ()
    # A process has no more open files than its limit.
    socket_count = min(int(count[:9]), getrlimit(RLIMIT_NOFILE)[0])
    names = environment.get("LISTEN_FDNAMES", "").split(":")
    return (*names, *[""] * socket_count)[:socket_count]


def resolve_socket_indexes(
    descriptions: Iterable[str], names: Sequence[str]
) -> list[str]:
    """
    Replace the names of sockets in endpoints with indexes.

    A unit may give several sockets the same name. An endpoint with that name becomes
    several endpoints.

    @param descriptions: endpoints of any type. Invalid ones are left for Twisted to
        report.
    @param names: the names of the sockets that systemd has passed.
    @raise ValueError: a socket does not exist, or is in two endpoints.
    """
    resolved: list[str] = []
    used: set[int] = set()
    for description in descriptions:
        match = _ENDPOINT.fullmatch(description)
        parameters = _parse_parameters(match[2]) if match else {}
        if match is None or ("index" in parameters) == ("name" in parameters):
            resolved.append(description)
            continue
        indexes = _find_sockets(parameters, names)
        if used.intersection(indexes):
            raise ValueError(f"{description!r}: another --listen names that socket")
        used.update(indexes)
        prefix = f"{match[1]}systemd:domain={parameters.get('domain', '')}"
        resolved += [f"{prefix}:index={index}" for index in indexes]
    return resolved


def unused_sockets(descriptions: Iterable[str], names: Sequence[str]) -> list[str]:
    """
    Describe the sockets that are in no endpoint.

    @param descriptions: endpoints, as L{resolve_socket_indexes} returns them.
    @param names: the names of the sockets that systemd has passed.
    """
    used = {each.rpartition(":index=")[2] for each in descriptions}
    return [
        each for i, each in enumerate(_describe_sockets(names)) if str(i) not in used
    ]


def _parse_parameters(text: str) -> dict[str, str]:
    """Return the parameters of an endpoint, which are named or positional."""
    parameters = {}
    for default_name, part in zip(_PARAMETER_NAMES, text.split(":"), strict=False):
        *name, value = part.split("=", 1)
        parameters[name[0] if name else default_name] = value
    return parameters


def _find_sockets(parameters: Mapping[str, str], names: Sequence[str]) -> list[int]:
    """Return the indexes of the sockets with an index or a name."""
    indexes = [
        i
        for i, name in enumerate(names)
        if parameters.get("index", str(i)) == str(i)
        and parameters.get("name", name) == name
    ]
    if not indexes:
        requested = parameters.get("index", repr(parameters.get("name")))
        available = ", ".join(_describe_sockets(names)) or "no socket"
        raise ValueError(
            f"there is no socket {requested}: systemd handed over {available}"
        )
    return indexes


def _describe_sockets(names: Sequence[str]) -> list[str]:
    return [f"{i} ({name or 'without a name'})" for i, name in enumerate(names)]
