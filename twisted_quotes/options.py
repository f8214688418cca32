"""
The options of C{twist quotes}, on the command line and in the environment.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from math import inf, isfinite
from typing import Any, NamedTuple

from twisted.cred.credentials import IUsernamePassword
from twisted.cred.strcred import AuthOptionMixin
from twisted.python.usage import Options, UsageError

from . import __version__
from .option_checks import (
    ENVIRONMENT_PREFIX,
    TrustedProxies,
    check_auth_description,
    check_environment_variables,
    check_host,
    check_origin,
    environment_variable,
    parse_base_path,
)

_CORES = len(os.sched_getaffinity(0))

MAX_WORKERS = max(32, 4 * _CORES)
"""
The maximum number of workers. A worker uses one core for its Python code, and as much
memory as a single process, so that more of them only make the service slower.
"""

MAX_SECONDS = 10**9
"""The maximum time. The kernel accepts no limit for a process that is much higher."""

DEFAULT_ENDPOINT = "tcp:8000:interface=127.0.0.1"


class _Type(NamedTuple):
    """A description of valid values, and a converter that raises for others."""

    description: str
    convert: Callable[[str], Any]


def _number(
    number_type: type[int | float], minimum: float, maximum: float = inf
) -> _Type:
    def convert(text: str) -> float:
        if "_" in text or not text.isascii():
            raise ValueError("a notation of Python")
        value = number_type(text)
        if not isfinite(value) or not minimum <= value <= maximum:
            raise ValueError("out of range")
        return value

    noun = "whole number" if number_type is int else "number"
    limits = f"{minimum:g} " + ("or more" if maximum == inf else f"to {maximum}")
    return _Type(f"a {noun}, {limits}", convert)


def _convert_text(text: str) -> str:
    if not text:
        raise ValueError("empty")
    return text


_TEXT = _Type("a text that is not empty", _convert_text)
_YES_OR_NO = _Type("yes or no", {"yes": True, "no": False}.__getitem__)
_POSITIVE = _number(int, 1)
_COUNT = _number(int, 0)
_TIME_LIMIT = _number(float, 0.001, MAX_SECONDS)
_DRAIN_TIME = _number(float, 0, MAX_SECONDS)
_WORKER_COUNT = _number(int, 1, MAX_WORKERS)
_WORKERS = _Type(
    f"{_WORKER_COUNT.description}, or auto",
    lambda text: _CORES if text == "auto" else _WORKER_COUNT.convert(text),
)
_PROXIES = _Type(
    "none, or addresses, networks such as 10.0.0.0/8, and unix", TrustedProxies.parse
)
_PATH = _Type("a path of letters, digits and -._~ such as /quotes", parse_base_path)

# The type, the description and the default of each option (contract, section 2).
_OPTIONS: dict[str, tuple[_Type, str, str | None]] = {
    "dictionaries": (_TEXT, "Folder of dictionaries", None),
    "default-dictionary": (_TEXT, "Dictionary of API v1 requests that name none", None),
    "cache-dir": (_TEXT, "Folder for the indexes of quotes", None),
    "cache-bytes": (_COUNT, "Bytes of cached responses; 0 for no cache", "67108864"),
    "index-at-start": (_YES_OR_NO, "Whether to index the library at the start", "yes"),
    "search-together": (_YES_OR_NO, "Whether searches share and prestart greps", "yes"),
    "workers": (_WORKERS, "Processes that serve; auto for one per core", "1"),
    "timeout": (_TIME_LIMIT, "Time limit of a search, in seconds", "10"),
    "max-running": (_POSITIVE, "Greps that run at one time", None),
    "max-waiting": (_COUNT, "Searches that wait; one more gets a 503", "1000"),
    "max-connections": (_POSITIVE, "Open connections; one more gets a 503", "4000"),
    "max-unsent-bytes": (_POSITIVE, "Bytes that clients have yet to read", "268435456"),
    "request-timeout": (_TIME_LIMIT, "Seconds for a request to arrive", "10"),
    "send-timeout": (_TIME_LIMIT, "Seconds for a client to read some data", "60"),
    "idle-timeout": (_TIME_LIMIT, "Seconds that a connection can be idle", "60"),
    "drain-delay": (_DRAIN_TIME, "On shutdown, seconds to go on serving", "0"),
    "drain-timeout": (_DRAIN_TIME, "On shutdown, seconds to finish requests", "30"),
    "access-log": (_TEXT, "File for an access log in combined format", None),
    "trusted-proxies": (_PROXIES, "Proxies whose Forwarded is believed", "none"),
    "base-path": (_PATH, "Path of the service below a proxy", "/"),
}

# The options without a value; in the environment it is yes or no.
_FLAGS = {
    "quotable": "Respond to the URLs of Quotable, too",
}

# Descriptions of the defaults that are not constants.
_OTHER_DEFAULTS = {
    "dictionaries": "those that ship",
    "default-dictionary": "the first by name",
    "cache-dir": "the user's cache folder",
    "max-running": "4 per core, at least 8",
    "access-log": "none",
}

_REPEATABLE_OPTIONS = ("listen", "auth", "host", "cors-origin")


class QuotesOptions(Options, AuthOptionMixin):
    """
    The options. An option on the command line overrides the environment.

    C{auth} has the descriptions of the checkers of credentials. If there are any,
    C{credCheckers} has the checkers in the same order.

    @param environment: the environment with the C{TWISTED_QUOTES_*} variables.
    """

    supportedInterfaces = (IUsernamePassword,)

    synopsis = "[options]"
    longdesc = (
        "Find quotes in text files: a web service with a JSON API. "
        "Each option can also be set in the environment: "
        f"{ENVIRONMENT_PREFIX}MAX_RUNNING=4. "
        f"{ENVIRONMENT_PREFIX}LISTEN, _AUTH, _HOST and _CORS_ORIGIN take several "
        "values, separated by blanks."
    )
    optParameters = [
        [
            *(name, None, None),
            f"{description} [default: {default or _OTHER_DEFAULTS[name]}]",
        ]
        for name, (_, description, default) in _OPTIONS.items()
    ]

    optFlags = [
        [name, None, f"{description} [default: no]"]
        for name, description in _FLAGS.items()
    ]

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        super().__init__()
        self._environment = environment
        for name in _REPEATABLE_OPTIONS:
            self[name] = []

    def opt_listen(self, endpoint: str) -> None:
        """
        Twisted endpoint to listen on; may be repeated
        [default: tcp:8000:interface=127.0.0.1]
        """
        self["listen"].append(endpoint)

    def opt_auth(self, description: str) -> None:
        """Checker of credentials, as file:PATH; may be repeated [default: none]"""
        self["auth"].append(description)

    def opt_host(self, name: str) -> None:
        """Host name, or *, to accept on loopback; may be repeated [default: none]"""
        self["host"].append(name)

    def opt_cors_origin(self, origin: str) -> None:
        """Origin, or *, whose scripts may ask; may be repeated [default: none]"""
        self["cors-origin"].append(origin)

    def opt_version(self) -> None:
        """Display the version and exit."""
        print(f"twisted_quotes {__version__}")
        raise SystemExit(0)

    def parseArgs(self, *arguments: str) -> None:
        """Refuse arguments that are not options."""
        if arguments:
            raise UsageError(
                f"{arguments[0]!r} is not an option; an option begins with --"
            )

    def postOptions(self) -> None:
        """
        Add the options from the environment, and the defaults.

        @raise UsageError: a value is not valid, or a variable belongs to no option; the
            message names it.
        """
        check_environment_variables(
            self._environment, (*_REPEATABLE_OPTIONS, *_FLAGS, *_OPTIONS)
        )
        for name in _FLAGS:
            # On the command line, it can only be set.
            self[name] = "yes" if self[name] else None
            self[name] = self._convert(name, _YES_OR_NO, "no")
        for name, (type_, _, default) in _OPTIONS.items():
            self[name] = self._convert(name, type_, default)
        sources = {}
        for name in _REPEATABLE_OPTIONS:
            sources[name] = f"--{name}" if self[name] else environment_variable(name)
            value = self._environment.get(environment_variable(name), "")
            self[name] = self[name] or value.split()
        self["listen"] = self["listen"] or [DEFAULT_ENDPOINT]
        for host in self["host"]:
            check_host(host, sources["host"])
        self["cors-origin"] = [
            check_origin(each, sources["cors-origin"]) for each in self["cors-origin"]
        ]
        self._make_checkers(sources["auth"])
        if self["drain-delay"] > self["drain-timeout"]:
            raise UsageError("--drain-delay must not be longer than --drain-timeout")

    def _convert(self, name: str, type_: _Type, default: str | None) -> Any:
        source, text = f"--{name}", self[name]
        if text is None:
            source = environment_variable(name)
            text = self._environment.get(source)
        if text is None:
            return default and type_.convert(default)
        try:
            return type_.convert(text)
        except (ValueError, OverflowError, KeyError):
            raise UsageError(
                f"{source} must be {type_.description}, not {text!r}"
            ) from None

    def _make_checkers(self, source: str) -> None:
        for description in self["auth"]:
            try:
                check_auth_description(description)
                super().opt_auth(description)
            except UsageError as error:
                # What follows may be a password.
                kind = description.partition(":")[0]
                reason = " ".join(str(error).split())
                if kind != "file":
                    reason += "; use file:PATH"
                raise UsageError(
                    f"{source} {kind!r} cannot be used: {reason}"
                ) from None
