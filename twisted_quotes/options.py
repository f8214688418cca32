"""
The options of C{twist quotes}, on the command line and in the environment.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from twisted.cred.credentials import IUsernamePassword
from twisted.cred.strcred import AuthOptionMixin
from twisted.python.usage import Options, UsageError

from . import __version__
from .option_checks import (
    check_auth_description,
    check_environment_variables,
    environment_variable,
)

ENVIRONMENT_PREFIX = "TWISTED_QUOTES_"


@dataclass(frozen=True)
class _OptionType:
    """What an option may be: in words, and as a converter that may refuse."""

    description: str
    convert: Callable[[str], Any]


def _number(number_type: type[int | float], minimum: float) -> _OptionType:
    """Numbers from C{least} up."""

    def convert(text: str) -> float:
        if "_" in text or not text.isascii():
            raise ValueError("digits that Python alone knows")
        value = number_type(text)
        if not isfinite(value) or value < minimum:
            raise ValueError("out of range")
        return value

    noun = "whole number" if number_type is int else "number"
    return _OptionType(f"a {noun}, {minimum:g} or more", convert)


def _non_empty_text(text: str) -> str:
    if not text:
        raise ValueError("empty")
    return text


_YES_OR_NO = _OptionType("yes or no", {"yes": True, "no": False}.__getitem__)
_SECONDS = _number(float, 0.001)
_TEXT = _OptionType("a text that is not empty", _non_empty_text)


def _worker_count(text: str) -> int:
    is_auto = text == "auto"
    return len(os.sched_getaffinity(0)) if is_auto else _number(int, 1).convert(text)


# Name, kind, default, and what the help says of it (contract, section 2).
_OPTIONS: tuple[tuple[str, _OptionType, Any, str], ...] = (
    ("dictionaries", _TEXT, None, "Folder of dictionaries [default: those that ship]"),
    (
        "default-dictionary",
        _TEXT,
        None,
        "Dictionary used when a call names none [default: the first by name]",
    ),
    (
        "cache-dir",
        _TEXT,
        None,
        "Folder for indexes of the quotes [default: the user's cache folder]",
    ),
    (
        "cache-bytes",
        _number(int, 0),
        64 * 1024 * 1024,
        "Bytes of answers to keep; 0 keeps and shares none [default: 67108864]",
    ),
    (
        "search-together",
        _YES_OR_NO,
        True,
        "Whether searches may share a grep, or find one ready [default: yes]",
    ),
    (
        "workers",
        _OptionType("a whole number, 1 or more, or auto", _worker_count),
        1,
        "Processes that serve; auto is one for each core [default: 1]",
    ),
    ("timeout", _SECONDS, 10.0, "Time limit of a search, in seconds [default: 10]"),
    (
        "max-running",
        _number(int, 1),
        None,
        "Greps at one time [default: 4 for each core, at least 8]",
    ),
    (
        "max-waiting",
        _number(int, 0),
        1000,
        "Searches waiting for a place; beyond that 503 [default: 1000]",
    ),
    (
        "max-connections",
        _number(int, 1),
        4000,
        "Open connections; beyond that 503 and close [default: 4000]",
    ),
    (
        "max-unsent-bytes",
        _number(int, 1),
        256 * 1024 * 1024,
        "Bytes of answers that clients have yet to read [default: 268435456]",
    ),
    (
        "request-timeout",
        _SECONDS,
        10.0,
        "Seconds a request may take to arrive; beyond that 408 [default: 10]",
    ),
    (
        "send-timeout",
        _SECONDS,
        60.0,
        "Seconds a client may take nothing of its answer [default: 60]",
    ),
    ("idle-timeout", _SECONDS, 60.0, "Seconds a connection may be idle [default: 60]"),
    (
        "drain-delay",
        _number(float, 0),
        0.0,
        "On shutdown, how long to go on serving, in seconds [default: 0]",
    ),
    (
        "drain-timeout",
        _number(float, 0),
        30.0,
        "Seconds outstanding requests may take once shutdown began [default: 30]",
    ),
    (
        "access-log",
        _TEXT,
        None,
        "File for an access log in combined format [default: none]",
    ),
)

_OPTION_NAMES = ("listen", "auth", "host", *(name for name, *_ in _OPTIONS))


class QuotesOptions(Options, AuthOptionMixin):
    """
    The options. One given on the command line beats the same one in the
    environment.

    C{auth} has the descriptions of all checkers of callers, and
    C{credCheckers} the checkers, in the same order, if there are any.

    @param environment: where C{TWISTED_QUOTES_*} is looked up.
    """

    supportedInterfaces = (IUsernamePassword,)

    synopsis = "[options]"
    longdesc = (
        "Find quotes in text files: a web service that answers questions in JSON. "
        "Each option can also be set in the environment: "
        f"{ENVIRONMENT_PREFIX}MAX_RUNNING=4. "
        f"{ENVIRONMENT_PREFIX}LISTEN, _AUTH and _HOST take several, separated "
        "by blanks."
    )
    optParameters = [[name, None, None, help_] for name, _, _, help_ in _OPTIONS]

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        super().__init__()
        self._environment = environment
        self["listen"] = []
        self["auth"] = []
        self["host"] = []

    def opt_listen(self, endpoint: str) -> None:
        """
        Twisted endpoint to listen on; may be repeated
        [default: tcp:8000:interface=127.0.0.1]
        """
        self["listen"].append(endpoint)

    def opt_auth(self, description: str) -> None:
        """
        Checker of callers, as file:PATH; may be repeated
        [default: none, all may ask]
        """
        self["auth"].append(description)

    def opt_host(self, name: str) -> None:
        """Host to be called by on loopback, or *; may be repeated [default: none]"""
        self["host"].append(name)

    def opt_version(self) -> None:
        """Display the version and exit."""
        print(f"twisted_quotes {__version__}")
        raise SystemExit(0)

    def postOptions(self) -> None:
        """
        Fill in the environment and the defaults.

        @raise UsageError: a value is not allowed; the message names the option.
            Or a variable belongs to no option.
        """
        check_environment_variables(
            self._environment, ENVIRONMENT_PREFIX, _OPTION_NAMES
        )
        for name, option_type, default, _ in _OPTIONS:
            self[name] = self._option_value(name, option_type, default)
        if not self["listen"]:
            listen = self._environment.get(f"{ENVIRONMENT_PREFIX}LISTEN", "")
            self["listen"] = listen.split() or ["tcp:8000:interface=127.0.0.1"]
        if not self["host"]:
            self["host"] = self._environment.get(
                f"{ENVIRONMENT_PREFIX}HOST", ""
            ).split()
        self._make_checkers()
        if self["drain-delay"] > self["drain-timeout"]:
            raise UsageError("--drain-delay must not be longer than --drain-timeout")

    def _option_value(self, name: str, option_type: _OptionType, default: Any) -> Any:
        source, text = f"--{name}", self[name]
        if text is None:
            source = environment_variable(ENVIRONMENT_PREFIX, name)
            text = self._environment.get(source)
        if text is None:
            return default
        try:
            return option_type.convert(text)
        except (ValueError, OverflowError, KeyError):
            raise UsageError(
                f"{source} must be {option_type.description}, not {text!r}"
            ) from None

    def _make_checkers(self) -> None:
        source = "--auth"
        if not self["auth"]:
            source = f"{ENVIRONMENT_PREFIX}AUTH"
            self["auth"] = self._environment.get(source, "").split()
        for description in self["auth"]:
            try:
                check_auth_description(description)
                super().opt_auth(description)
            except UsageError as error:
                reason = " ".join(str(error).split())
                raise UsageError(f"{source} cannot be used: {reason}") from None
