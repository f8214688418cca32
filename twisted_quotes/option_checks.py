"""
Checks of options whose values look usable but are not.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from re import compile
from stat import S_ISREG

from twisted.internet.abstract import isIPv6Address
from twisted.python.usage import UsageError

from twisted_quotes.web.authentication.password_table import (
    MalformedHash,
    parse_passwords,
)
from twisted_quotes.web.http.urls import is_valid_host
from twisted_quotes.web.http.urls import parse_base_path as parse_base_path
from twisted_quotes.web.ingress.cors import parse_origin
from twisted_quotes.web.ingress.trusted_proxies import TrustedProxies as TrustedProxies

ENVIRONMENT_PREFIX = "TWISTED_QUOTES_"

# Kubernetes and Docker set these in each container if a service is named
# twisted-quotes. PORT is also a likely mistake, so its value is checked as well.
_SERVICE_LINK = compile(
    r"(SERVICE_(HOST|PORT(_\w+)?)|PORT_\d+_(TCP|UDP)(_\w+)?)=.*|PORT=(tcp|udp)://.+"
)


def environment_variable(option: str) -> str:
    """Return the environment variable of an option."""
    return ENVIRONMENT_PREFIX + option.replace("-", "_").upper()


def check_environment_variables(
    environment: Mapping[str, str], options: Iterable[str]
) -> None:
    """
    Check that each variable with the prefix is that of an option.

    @raise UsageError: one is not; the message suggests the nearest option.
    """
    known = [environment_variable(each) for each in options]
    for name, value in sorted(environment.items()):
        suffix = name.removeprefix(ENVIRONMENT_PREFIX)
        is_link = _SERVICE_LINK.fullmatch(f"{suffix}={value}")
        if suffix == name or name in known or is_link:
            continue
        suffixes = [each.removeprefix(ENVIRONMENT_PREFIX) for each in known]
        nearest = get_close_matches(suffix.upper(), suffixes, n=1)
        hint = f"; did you mean {ENVIRONMENT_PREFIX}{nearest[0]}?" if nearest else ""
        raise UsageError(f"{name} is set, but there is no such option{hint}")


def check_host(host: str, source: str) -> None:
    """
    Check a host name.

    @param source: the option or the variable that has it.
    @raise UsageError: it is neither a name, nor an address, nor C{*}.
    """
    encoded = host.encode("utf-8", "surrogateescape")
    if not (host == "*" or is_valid_host(encoded) or isIPv6Address(host)):
        raise UsageError(
            f"{source} must be a host name, such as quotes.example.org, an address, "
            f"or *, not {host!r}"
        )


def check_origin(origin: str, source: str) -> str:
    """
    Check an origin, and return it in the form in which browsers send it.

    @param source: the option or the variable that has it.
    @raise UsageError: it is neither an origin nor C{*}.
    """
    try:
        return parse_origin(origin)
    except ValueError:
        raise UsageError(
            f"{source} must be an origin, such as https://www.example.org, or *, "
            f"not {origin!r}"
        ) from None


def check_auth_description(description: str) -> None:
    """
    Check whether a checker can accept any client, which Twisted does not, and whether
    all hashes in a password file can be verified.

    @raise UsageError: it cannot.
    """
    kind, _, path = description.partition(":")
    if kind == "memory":
        # It compares text with the bytes of the request.
        raise UsageError("it accepts no client")
    if kind == "file":
        if not path:
            raise UsageError("it needs a path, as file:PATH")
        try:
            if not S_ISREG(os.stat(path).st_mode):
                raise UsageError(f"{path!r} is not a regular file")
            with open(path, "rb") as file:
                parse_passwords(file.read())
        except OSError as error:
            raise UsageError(f"cannot read {path!r}: {error.strerror}") from None
        except MalformedHash as error:
            raise UsageError(f"in {path!r}, {error}") from None
