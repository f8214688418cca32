"""
twisted_quotes, as it comes and with the options that are worth comparing.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from .children import ROOT, last_line
from .errors import BenchmarkError
from .subjects import Command, ServerConfiguration, Subject, parse_json_lines


@dataclass(frozen=True)
class Variant:
    """
    One way to run it.

    @ivar name: what it is called in the tables.
    @ivar options: the options that make it so; without one of them there is no
        such variant.
    @ivar optional_options: options that are only given where they are known: a
        service that does not know them is so without.
    """

    name: str
    options: Sequence[str] = ()
    optional_options: Sequence[str] = ()

    def unknown_options(self, available_options: set[str]) -> list[str]:
        """Which of its options C{twist quotes} does not know."""
        return [
            each for each in self.options if _option_name(each) not in available_options
        ]

    def make_subject(self, available_options: set[str]) -> Subject:
        """It as a server to be measured."""
        extra_options = [
            each
            for each in self.optional_options
            if _option_name(each) in available_options
        ]
        options = [*self.options, *extra_options]

        def commands(site: ServerConfiguration) -> Sequence[Command]:
            return [_command(site, options)]

        return Subject(self.name, commands, parse_json_lines)


OURS = Variant("ours")
UNBATCHED = Variant(
    "ours, one process, each search alone",
    optional_options=("--workers=1", "--search-together=no", "--cache-bytes=0"),
)
TWO_WORKERS = Variant("ours, 2 workers", ("--workers=2",))
VARIANTS = (OURS, UNBATCHED, TWO_WORKERS)


def _option_name(option: str) -> str:
    return option.partition("=")[0]


def _command(configuration: ServerConfiguration, options: Sequence[str]) -> Command:
    return [
        *(sys.executable, "-m", "twisted", "--log-format=text", "quotes"),
        f"--listen=tcp:{configuration.port}:interface=127.0.0.1",
        f"--dictionaries={configuration.library}",
        f"--cache-dir={configuration.folder / 'cache'}",
        *options,
    ]


def parse_known_options(help_: str) -> set[str]:
    """The options that a help text tells of."""
    return set(re.findall(r"^ *(--[\w-]+)", help_, re.MULTILINE))


def find_known_options() -> set[str]:
    """
    The options that C{twist quotes} knows.

    @raise BenchmarkError: it does not tell.
    """
    completed = subprocess.run(
        [sys.executable, "-m", "twisted", "quotes", "--help"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if completed.returncode:
        raise BenchmarkError(
            f"twist quotes tells no options: {last_line(completed.stdout)}"
        )
    return parse_known_options(completed.stdout)
