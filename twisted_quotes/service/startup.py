"""
What the start needs: the resources that the options name, checked.

Functions raise L{CannotStart} if a resource cannot be used.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from importlib.resources import files
from re import compile
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.portal import Portal
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.logger import Logger
from twisted.python.procutils import which

from twisted_quotes.library.library import Library, LibraryUnusable
from twisted_quotes.listening.proxy_protocol import proxy_protocol_endpoint
from twisted_quotes.listening.sockets import (
    remove_stale_socket,
    unix_socket_path,
)
from twisted_quotes.monitoring.systemd import SystemdNotifier, read_watchdog_timeout
from twisted_quotes.processes.descriptors import (
    DescriptorBudget,
    raise_open_files_limit,
)
from twisted_quotes.web.authentication.credentials import make_portal
from twisted_quotes.web.authentication.password_table import parse_passwords

_INT_ERROR = compile(r"invalid literal for int\(\) with base 10: (.*)")
_ENDPOINT_EXAMPLES = (
    "an endpoint is such as tcp:8000, tcp:8000:interface=127.0.0.1 or unix:PATH"
)

_log = Logger()


class CannotStart(SystemExit):
    """
    The service cannot start.

    If not caught, it exits with status 1 and a one-line message on standard error.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"twist quotes: {reason}")


def library(folder: str | None, default: str | None) -> Library:
    """
    Return the dictionaries.

    @param folder: their folder; L{None} for those that ship.
    @param default: the name of the default dictionary; L{None} for the first one.
    """
    root = folder or str(files("twisted_quotes") / "dictionaries")
    try:
        return Library(root, default)
    except LibraryUnusable as error:
        raise CannotStart(str(error)) from None


def find_executable(name: str) -> str:
    """Return the absolute path of a program on the C{PATH}."""
    candidates = which(name)
    if not candidates:
        raise CannotStart(f"{name} is not on the PATH")
    return os.path.abspath(str(candidates[0]))


def endpoints(
    reactor: Any, descriptions: Iterable[str]
) -> list[tuple[str, IStreamServerEndpoint]]:
    """Return endpoints, each with its description, and remove stale UNIX sockets."""
    made = [(each, endpoint(reactor, each)) for each in descriptions]
    for description, _ in made:
        path = unix_socket_path(description)
        if path is not None:
            remove_stale_socket(path)
    return made


def endpoint(reactor: Any, description: str) -> IStreamServerEndpoint:
    """Return the endpoint that a string describes; C{haproxy:} may precede another."""
    try:
        kind, _, inner_description = description.partition(":")
        if kind == "haproxy":
            return proxy_protocol_endpoint(serverFromString(reactor, inner_description))
        endpoint: IStreamServerEndpoint = serverFromString(reactor, description)
    # The parser of an endpoint type, a plugin, can raise any exception.
    except Exception as error:
        reason = f"{describe_listen_error(description, error)}; {_ENDPOINT_EXAMPLES}"
        raise CannotStart(reason) from None
    return endpoint


def describe_listen_error(description: str, error: BaseException | None) -> str:
    """Return a line for an error that prevents listening on an endpoint."""
    match error:
        case CannotListenError(socketError="Cannot acquire lock"):
            reason = "another process listens on it"
        case TypeError():
            reason = "its parameters are wrong"
        case ValueError():
            reason = _INT_ERROR.sub(r"\1 is not a whole number", str(error))
        case OSError(strerror=str(reason)) if unix_socket_path(description):
            reason += "; the folder of the socket must exist and be writable"
        case OSError(strerror=str(reason), filename=str(path)):
            reason = f"{path}: {reason}"
        case _:
            reason = str(error)
    return f"--listen {description!r} cannot be used: {reason}"


def check_writable(path: str | None) -> str | None:
    """Return the path of a file after checking that it can be appended to."""
    if path is not None:
        try:
            open(path, "a").close()
        except OSError as error:
            reason = f"--access-log {path!r} cannot be used: {error.strerror}"
            raise CannotStart(reason) from None
    return path


def default_cache_folder(home: str, xdg_cache_home: str | None) -> str:
    """
    Return the user's cache folder for this program.

    The rule is that of the XDG Base Directory Specification.

    @param home: the user's home folder.
    @param xdg_cache_home: the value of C{XDG_CACHE_HOME}, if it is set.
    """
    if xdg_cache_home is None or not os.path.isabs(xdg_cache_home):
        xdg_cache_home = os.path.join(home, ".cache")
    return os.path.join(xdg_cache_home, "twisted_quotes")


def cache_folder() -> str:
    """Return the default folder of the index cache."""
    home = os.path.expanduser("~")
    return default_cache_folder(home, os.environ.get("XDG_CACHE_HOME"))


def core_count() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0))


def max_running(options: Mapping[str, Any]) -> int:
    """Return the maximum number of greps that run."""
    return int(options["max-running"] or max(8, 4 * core_count()))


def descriptor_budget(options: Mapping[str, Any]) -> DescriptorBudget:
    """Raise the limit of open files, and return what it is enough for."""
    requested = options["max-connections"]
    budget = raise_open_files_limit(requested, max_running(options))
    if not (budget.max_connections and budget.max_streams):
        raise CannotStart(
            "too few files may be open (ulimit -n) for any connection and "
            f"--max-running {max_running(options)}"
        )
    if budget.max_connections < requested:
        _log.warn(
            "No more than {allowed} connections may be open, not {wanted}: "
            "the limit of open files (ulimit -n) is too low.",
            allowed=budget.max_connections,
            wanted=requested,
        )
    return budget


def portal(
    options: Mapping[str, Any],
    make_password_file: Callable[[str], ICredentialsChecker],
) -> Portal | None:
    """
    Return the portal that authenticates clients; L{None} without C{--auth}.

    @param make_password_file: makes the checker of a password file from its path.
    """
    if not options["auth"]:
        return None
    checkers: list[ICredentialsChecker] = []
    for description, checker in zip(
        options["auth"], options["credCheckers"], strict=True
    ):
        kind, _, path = description.partition(":")
        # For Twisted's own checker, a file that is missing is a wrong password.
        checkers.append(make_password_file(path) if kind == "file" else checker)
    return make_portal(checkers)


def warn_of_plain_passwords(options: Mapping[str, Any]) -> None:
    """Log a warning for each password file that has plain passwords."""
    for description in options["auth"]:
        kind, _, path = description.partition(":")
        if kind == "file":
            with open(path, "rb") as file:
                count = len(parse_passwords(file.read()).plain)
            if count:
                _log.warn(
                    "The password file {name!a} has plain passwords: {count}. "
                    "Store hashes instead, so that nobody who reads the file can "
                    "log in.",
                    name=os.path.basename(path),
                    count=count,
                )


def systemd_notifier(reactor: Any) -> SystemdNotifier:
    """Return a notifier for the socket and the watchdog in the environment."""
    watchdog = read_watchdog_timeout(os.environ, os.getpid())
    return SystemdNotifier(reactor, os.environ.get("NOTIFY_SOCKET") or None, watchdog)
