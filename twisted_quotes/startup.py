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
from twisted_quotes.listening.proxy_protocol import proxy_protocol_endpoint
from twisted_quotes.listening.socket_activation import (
    resolve_socket_indexes,
    unused_sockets,
)
from twisted_quotes.listening.sockets import remove_stale_socket, unix_socket_path
from twisted_quotes.monitoring.systemd import SystemdNotifier, read_watchdog_timeout
from twisted_quotes.processes.descriptors import (
    DescriptorBudget,
    raise_open_files_limit,
)
from twisted_quotes.web.authentication.credentials import PasswordFile, make_portal

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


def find_executable(name: str) -> str:
    """The absolute path of a program, which must be on the C{PATH}."""
    candidates = which(name)
    if not candidates:
        raise CannotStart(f"{name} is not on the PATH")
    path: str = os.path.abspath(candidates[0])
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
        path = unix_socket_path(description)
        if path is not None:
            remove_stale_socket(path)
    return found


def endpoint(reactor: Any, description: str) -> IStreamServerEndpoint:
    """An endpoint to listen on, as its description says."""
    try:
        kind, _, inner_description = description.partition(":")
        if kind == "haproxy":
            return proxy_protocol_endpoint(serverFromString(reactor, inner_description))
        endpoint: IStreamServerEndpoint = serverFromString(reactor, description)
    # Each kind of endpoint parses for itself, and raises what it likes.
    except Exception as error:
        raise CannotStart(f"cannot listen on {description!r}: {error}") from None
    return endpoint


def resolve_socket_names(
    descriptions: Sequence[str], socket_names: Sequence[str]
) -> list[str]:
    """
    Where to listen, with each socket of systemd named by its index.

    @param descriptions: endpoints.
    @param socket_names: the names of the sockets that systemd handed over.
    """
    try:
        return resolve_socket_indexes(descriptions, socket_names)
    except ValueError as error:
        raise CannotStart(f"cannot listen: {error}") from None


def warn_about_unused_sockets(
    descriptions: Sequence[str], socket_names: Sequence[str]
) -> None:
    """Log which sockets of systemd nobody listens on, for clients would hang there."""
    for each in unused_sockets(descriptions, socket_names):
        _log.warn("No --listen names socket {socket} of systemd.", socket=each)


def check_writable(path: str | None) -> str | None:
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


def core_count() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0))


def max_running(options: Mapping[str, Any]) -> int:
    """How many greps may run at one time."""
    limit = options["max-running"] or max(8, 4 * core_count())
    return int(limit)


def allowance(options: Mapping[str, Any]) -> DescriptorBudget:
    """What may be open at one time; less than asked for where files are few."""
    requested = options["max-connections"]
    allowance = raise_open_files_limit(requested, max_running(options))
    if not (allowance.max_connections and allowance.max_streams):
        raise CannotStart("too few files may be open (ulimit -n) for any connection")
    if allowance.max_connections < requested:
        _log.warn(
            "No more than {allowed} connections may be open, not {wanted}: "
            "the limit of open files (ulimit -n) is too low.",
            allowed=allowance.max_connections,
            wanted=requested,
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
    return make_portal(checkers)


def systemd_notifier(reactor: Any) -> SystemdNotifier:
    """Whoever started the service, as the environment tells."""
    watchdog = read_watchdog_timeout(os.environ, os.getpid())
    return SystemdNotifier(reactor, os.environ.get("NOTIFY_SOCKET") or None, watchdog)
