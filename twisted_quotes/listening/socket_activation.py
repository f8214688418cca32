"""
Sockets that systemd hands over (sd_listen_fds(3)), and endpoints that name them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from re import compile
from resource import RLIMIT_NOFILE, getrlimit

FIRST_SOCKET = 3
"""The first socket that systemd hands over, as an open file."""

_ENDPOINT = compile(r"((?:.*:)?)systemd:(.*)")
_PARAMETERS = ("domain", "index", "name")


def initial_environment() -> dict[str, str]:
    """
    The environment with which this process was started.

    Twisted takes what systemd says out of C{os.environ}, and forgets it where
    sockets have no names.
    """
    pairs = Path("/proc/self/environ").read_bytes().decode("utf-8", "surrogateescape")
    return dict(each.split("=", 1) for each in pairs.split("\0") if "=" in each)


def handed_over(environment: Mapping[str, str], pid: int) -> tuple[str, ...]:
    """
    The names of the sockets that systemd handed over, in their order.

    @param pid: the id of this process: another one may be meant.
    @return: one for each socket; empty for one that has no name.
    """
    count = environment.get("LISTEN_FDS", "")
    if environment.get("LISTEN_PID") != str(pid) or not count.isdecimal():
        return ()
    # A process has no more open files than its limit.
    number = min(int(count[:9]), getrlimit(RLIMIT_NOFILE)[0])
    names = environment.get("LISTEN_FDNAMES", "").split(":")
    names += [""] * number
    return tuple(names[:number])


def by_index(descriptions: Iterable[str], names: Sequence[str]) -> list[str]:
    """
    Have each endpoint name a socket of systemd by its index, one socket each.

    A unit may give several sockets one name: an endpoint that names it is several.

    @param descriptions: endpoints, of any kind.
    @param names: the names of the sockets that were handed over.
    @raise ValueError: an endpoint names a socket that was not handed over, or
        one that another endpoint names.
    """
    found: list[str] = []
    taken: set[int] = set()
    for description in descriptions:
        match = _ENDPOINT.fullmatch(description)
        indexes = _indexes(match[2], names) if match else None
        if match is None or indexes is None:
            found.append(description)
            continue
        if taken.intersection(indexes):
            raise ValueError(f"{description!r}: another --listen names that socket")
        taken.update(indexes)
        domain = _parameters(match[2]).get("domain", "")
        found += [f"{match[1]}systemd:domain={domain}:index={i}" for i in indexes]
    return found


def unused(descriptions: Iterable[str], names: Sequence[str]) -> list[str]:
    """
    The sockets that no endpoint names, as people know them.

    @param descriptions: endpoints, as L{by_index} leaves them.
    @param names: the names of the sockets that were handed over.
    """
    used = {
        each.rpartition(":index=")[2] for each in descriptions if "systemd:" in each
    }
    return [each for i, each in enumerate(_shown(names)) if str(i) not in used]


def _parameters(text: str) -> dict[str, str]:
    """The parameters of an endpoint: by name, or by their place."""
    found = {}
    for place, each in zip(_PARAMETERS, text.split(":"), strict=False):
        name, equals, value = each.partition("=")
        found[name if equals else place] = value if equals else each
    return found


def _indexes(text: str, names: Sequence[str]) -> list[int] | None:
    """
    The sockets that an endpoint names.

    @return: their indexes; L{None} where it names none, as Twisted will say.
    @raise ValueError: there is no such socket.
    """
    parameters = _parameters(text)
    index, name = parameters.get("index"), parameters.get("name")
    if (index is None) == (name is None):
        return None
    if index is not None:
        wanted, indexes = index, [i for i in range(len(names)) if str(i) == index]
    else:
        wanted, indexes = repr(name), [i for i, n in enumerate(names) if n == name]
    if not indexes:
        handed = ", ".join(_shown(names)) or "no socket"
        raise ValueError(f"there is no socket {wanted}: systemd handed over {handed}")
    return indexes


def _shown(names: Sequence[str]) -> list[str]:
    return [f"{i} ({name or 'without a name'})" for i, name in enumerate(names)]
