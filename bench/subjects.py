"""
What a server to be measured is, and how its answers are read.
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


Command = Sequence[str]


@dataclass(frozen=True)
class Subject:
    """
    A server that can be measured.

    @ivar name: what it is called in the tables.
    @ivar commands: writes what it needs at a site; returns the command lines of
        its processes.
    @ivar parse_lines: reads the body of an answer.
    @ivar programs: the programs that it needs, with Debian's packages of them.
    @ivar modules: the modules that it needs, from PyPI.
    @ivar paths: the paths of its URLs by action, where they are not the API's.
    """

    name: str
    commands: Callable[[ServerConfiguration], Sequence[Command]]
    parse_lines: Callable[[bytes], list[str]]
    programs: Mapping[str, str] = field(default_factory=dict)
    modules: Sequence[str] = ()
    paths: Mapping[str, str] = field(default_factory=dict)

    def missing_packages(self) -> list[str]:
        """Debian's packages that it needs and that are not installed."""
        return [
            package for name, package in self.programs.items() if not find_program(name)
        ]

    def missing_reason(self) -> str | None:
        """Why it cannot be measured here; L{None} if it can."""
        packages = self.missing_packages()
        modules = [each for each in self.modules if find_spec(each) is None]
        if packages:
            return f"apt-get install {' '.join(packages)}"
        if modules:
            return f"pip install {' '.join(modules)}"
        return None


def find_program(name: str) -> str | None:
    """Where a program is; servers are not on everyone's path."""
    return which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def parse_json_lines(body: bytes) -> list[str]:
    """
    Read an answer of API v1.

    @raise ValueError: it is none.
    """
    answer = json.loads(body)
    if not isinstance(answer, dict) or list(answer) != ["nr of entries", "results"]:
        raise ValueError("the answer does not have the keys that it should have")
    results: list[str] = answer["results"]
    if answer["nr of entries"] != len(results):
        raise ValueError("the answer does not have as many entries as it says")
    return results


def parse_text_lines(body: bytes) -> list[str]:
    """Read the output of grep as it stands."""
    return body.decode().removesuffix("\n").split("\n")
