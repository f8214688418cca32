"""
Descriptions of the servers to be measured, and parsers for their response bodies.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from shutil import which

API = "/api/v1/json"

Command = Sequence[str]


@dataclass(frozen=True)
class ServerConfiguration:
    """
    Where a server runs.

    @ivar folder: the folder for all its files.
    @ivar library: the folder of the dictionaries.
    @ivar port: the port on 127.0.0.1 that it listens on.
    """

    folder: Path
    library: Path
    port: int


@dataclass(frozen=True)
class Subject:
    """
    A server that can be measured.

    @ivar name: its name in the tables.
    @ivar commands: writes its configuration files and returns the command lines of
        its processes.
    @ivar parse_lines: parses the body of a response.
    @ivar programs: the required programs, with the Debian packages that have them.
    @ivar modules: the required modules from PyPI.
    @ivar paths: the URL path of each action that does not use the path of the API.
    """

    name: str
    commands: Callable[[ServerConfiguration], Sequence[Command]]
    parse_lines: Callable[[bytes], list[str]]
    programs: Mapping[str, str] = field(default_factory=dict)
    modules: Sequence[str] = ()
    paths: Mapping[str, str] = field(default_factory=dict)

    def missing_reason(self) -> str | None:
        """Return how to install what is missing; L{None} if nothing is."""
        packages = [
            package for name, package in self.programs.items() if not find_program(name)
        ]
        modules = [name for name in self.modules if find_spec(name) is None]
        if packages:
            return f"apt-get install {' '.join(packages)}"
        if modules:
            return f"pip install {' '.join(modules)}"
        return None


def find_program(name: str) -> str | None:
    """Return the path of a program; the folders of system servers are included."""
    return which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def parse_json_lines(body: bytes) -> list[str]:
    """
    Parse a response of API v1.

    @raise ValueError: the body is not such a response.
    """
    response = json.loads(body)
    if not isinstance(response, dict) or list(response) != ["nr of entries", "results"]:
        raise ValueError("the response has the wrong keys")
    results: list[str] = response["results"]
    if response["nr of entries"] != len(results):
        raise ValueError("the response has a wrong number of entries")
    return results


def parse_text_lines(body: bytes) -> list[str]:
    """Split the output of grep into lines."""
    return body.decode().removesuffix("\n").split("\n")
