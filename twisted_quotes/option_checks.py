"""
Options that are refused, though each by itself looks like one that could be used.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from re import compile
from stat import S_ISREG

from twisted.python.usage import UsageError

# What Kubernetes and Docker set in each container where a service is named
# twisted-quotes, and the value of the one that could be a mistake as well.
_SERVICE_LINKS = compile(r"SERVICE_(HOST|PORT(_\w+)?)|PORT_\d+_(TCP|UDP)(_\w+)?")
_SERVICE_LINK_ADDRESS = compile(r"(tcp|udp)://.+")


def environment_variable(prefix: str, option: str) -> str:
    """The environment variable of an option."""
    return prefix + option.replace("-", "_").upper()


def check_environment_variables(
    environment: Mapping[str, str], prefix: str, option_names: Sequence[str]
) -> None:
    """
    Refuse variables that look like options and are none.

    @param environment: all variables.
    @param prefix: what the names of variables of options begin with.
    @param option_names: the names of all options.
    @raise UsageError: there is one; the message names the nearest option.
    """
    known = [environment_variable("", each) for each in option_names]
    for name in sorted(environment):
        option = name.removeprefix(prefix)
        if _SERVICE_LINKS.fullmatch(option) or _SERVICE_LINK_ADDRESS.match(
            environment[name]
        ):
            continue
        if option != name and option not in known:
            close_matches = get_close_matches(option.upper(), known, n=1)
            hint = (
                f"; did you mean {prefix}{close_matches[0]}?" if close_matches else ""
            )
            raise UsageError(f"{name} is set, but there is no such option{hint}")


def check_auth_description(description: str) -> None:
    """
    Refuse the checkers that can be made, but let nobody in.

    @raise UsageError: this is one.
    """
    kind, _, path = description.partition(":")
    if kind == "memory":
        # It compares text with the bytes that come.
        raise UsageError("memory: would let nobody in; use file:")
    if kind == "file" and path:
        try:
            if not S_ISREG(os.stat(path).st_mode):
                raise UsageError(f"{path!r} is no regular file")
            open(path, "rb").close()
        except OSError as error:
            raise UsageError(f"cannot read {path!r}: {error.strerror}") from None
