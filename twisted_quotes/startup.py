"""
What the start needs: what the options name, found and fit for use, or refused.

Each of these raises L{CannotStart} where what was named cannot be used.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.portal import Portal
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.logger import Logger
from twisted.python.filepath import FilePath
from twisted.python.procutils import which

from twisted_quotes.library.index_cache import default_cache_folder
from twisted_quotes.library.library import Library, LibraryUnusable
from twisted_quotes.listening.proxy_protocol import behind_proxy
from twisted_quotes.listening.socket_activation import by_index, unused
from twisted_quotes.listening.sockets import remove_left_over, unix_path
from twisted_quotes.monitoring.systemd import Systemd, watchdog_of
from twisted_quotes.processes.descriptors import Allowance, allow_files
from twisted_quotes.web.authentication.credentials import PasswordFile, portal_for

_log = Logger()


class CannotStart(SystemExit):
    """
    The service cannot start.

    Uncaught, it ends the program with its message on standard error, and no
    traceback. The message says why, in one line.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"twist quotes: {reason}")


def library(folder: str | None, default: str | None) -> Library:
    """
    The dictionaries.

    @param folder: where they are; L{None} for those that ship.
    @param default: the name of the default one; L{None} for the first.
    """
    root = folder or str(files("twisted_quotes") / "dictionaries")
    try:
        return Library(FilePath(root), default)
    except LibraryUnusable as error:
        raise CannotStart(str(error)) from None


def executable(name: str) -> str:
    """The absolute path of a program, which must be on the C{PATH}."""
    found = which(name)
    if not found:
        raise CannotStart(f"{name} is not on the PATH")
    path: str = os.path.abspath(found[0])
    return path


def endpoints(
    reactor: Any, descriptions: Iterable[str]
) -> list[tuple[str, IStreamServerEndpoint]]:
    """
    The endpoints to listen on, each with its description.

    What a service that was killed has left of its UNIX sockets is removed.
    """
    found = [(each, endpoint(reactor, each)) for each in descriptions]
    for description, _ in found:
        path = unix_path(description)
        if path is not None:
            remove_left_over(path)
    return found


def endpoint(reactor: Any, description: str) -> IStreamServerEndpoint:
    """An endpoint to listen on, as its description says."""
    try:
        kind, _, behind = description.partition(":")
        if kind == "haproxy":
            return behind_proxy(serverFromString(reactor, behind))
        endpoint: IStreamServerEndpoint = serverFromString(reactor, description)
    # Each kind of endpoint parses for itself, and raises what it likes.
    except Exception as error:
        raise CannotStart(f"cannot listen on {description!r}: {error}") from None
    return endpoint


def listen(descriptions: Sequence[str], sockets: Sequence[str]) -> list[str]:
    """
    Where to listen, with each socket of systemd named by its index.

    @param descriptions: endpoints.
    @param sockets: the names of the sockets that systemd handed over.
    """
    try:
        return by_index(descriptions, sockets)
    except ValueError as error:
        raise CannotStart(f"cannot listen: {error}") from None


def tell_unused(descriptions: Sequence[str], sockets: Sequence[str]) -> None:
    """Log which sockets of systemd nobody listens on, for clients would hang there."""
    for each in unused(descriptions, sockets):
        _log.warn("No --listen names socket {socket} of systemd.", socket=each)


def writable(path: str | None) -> str | None:
    """The same path, of a file that can be written; it is made if it is not there."""
    if path is not None:
        try:
            open(path, "a").close()
        except OSError as error:
            raise CannotStart(f"cannot write {path}: {error.strerror}") from None
    return path


def cache_folder() -> str:
    """Where indexes are kept if no option says so."""
    home = os.path.expanduser("~")
    return default_cache_folder(home, os.environ.get("XDG_CACHE_HOME"))


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0))


def running(options: Mapping[str, Any]) -> int:
    """How many greps may run at one time."""
    running = options["max-running"] or max(8, 4 * cores())
    return int(running)


def allowance(options: Mapping[str, Any]) -> Allowance:
    """What may be open at one time; less than asked for where files are few."""
    wanted = options["max-connections"]
    allowance = allow_files(wanted, running(options))
    if not (allowance.connections and allowance.streams):
        raise CannotStart("too few files may be open (ulimit -n) for any connection")
    if allowance.connections < wanted:
        _log.warn(
            "No more than {allowed} connections may be open, not {wanted}: "
            "the limit of open files (ulimit -n) is too low.",
            allowed=allowance.connections,
            wanted=wanted,
        )
    return allowance


def portal(options: Mapping[str, Any]) -> Portal | None:
    """The way in for callers; none where all may ask."""
    if not options["auth"]:
        return None
    checkers: list[ICredentialsChecker] = []
    for description, checker in zip(
        options["auth"], options["credCheckers"], strict=True
    ):
        kind, _, path = description.partition(":")
        # Ours does not take a file that is gone for a wrong password.
        checkers.append(PasswordFile(path) if kind == "file" else checker)
    return portal_for(checkers)


def systemd(reactor: Any) -> Systemd:
    """Whoever started the service, as the environment tells."""
    watchdog = watchdog_of(os.environ, os.getpid())
    return Systemd(reactor, os.environ.get("NOTIFY_SOCKET") or None, watchdog)
